package app

import "syscall"

// The file descriptors that the process may have are shared out, so that a rush of
// one kind leaves the others enough to go on: half are for the connections of
// clients, ownDescriptors for the database, the log and whoever is being turned
// away, and the rest for the calls of the runs that are driven, of which each has
// about one under way.
const ownDescriptors = 16

// descriptors returns how many the process may have, 0 when that is not known. Go
// raises the soft limit to the hard one by itself.
func descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	const plenty = 1 << 20 // also for what stands for no limit at all
	return int(min(limit.Cur, plenty))
}

// mostConnections is how many connections of clients the server holds; 0 = any
// number.
func mostConnections() int { return descriptors() / 2 }

// mostActive is how many runs are driven at once: what the settings say, or fewer
// where there are no descriptors for their calls.
func (a *assembly) mostActive() int {
	all := descriptors()
	if all == 0 {
		return a.cfg.MaxActive
	}
	possible := max(1, all-all/2-ownDescriptors)
	if possible >= a.cfg.MaxActive {
		return a.cfg.MaxActive
	}
	a.logger.Warn("fewer runs are driven at once than max_active says: raise the limit of file descriptors (ulimit -n)",
		"max_active", a.cfg.MaxActive, "driven", possible, "descriptors", all)
	return possible
}
