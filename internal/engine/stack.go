package engine

// A new goroutine's stack is small and doubles several times on the way down to
// where its work is done; each time all frames that are there already are moved.
// That was a sixteenth of the processor time of a run. The goroutines of this
// package say at their beginning, when there is next to nothing to move, how much
// they will need.

// roomForDriver makes room for folding, deciding and encoding.
//
//go:noinline
func roomForDriver(at int) byte {
	var room [3 << 10]byte
	room[at] = 1
	return room[at/2]
}

// roomForCall makes room for an HTTP client and a JSON decoder: 8 KiB in all, which is
// what every stream that is held open keeps.
//
//go:noinline
func roomForCall(at int) byte {
	var room [6 << 10]byte
	room[at] = 1
	return room[at/2]
}
