package wire

import (
	"sync/atomic"
	"time"

	"errand/internal/problem"
)

const (
	// usualStarts is how many runs may be on their way to the disk at a time for as
	// long as anyone likes. A server that keeps up has a handful of them, and a few
	// dozen on a slow disk.
	usualStarts = 64
	// burstPatience is how long there may be more of them: a script that starts a
	// thousand runs at the same moment is no overload.
	burstPatience = 2 * time.Second
)

// pressure notices that runs are asked for faster than they can be made: more than
// usual are on their way, and that does not pass. A request more would then only
// wait longer, so it is told at once to come again, until the others have gone
// through. The zero pressure is ready to use.
type pressure struct {
	starting atomic.Int64
	since    atomic.Int64 // Unix nanoseconds at which there were too many; 0 = there are not
}

// over reports whether there is no room for one more.
func (p *pressure) over(now time.Time) bool {
	since := p.since.Load()
	return since != 0 && p.starting.Load() >= usualStarts && now.UnixNano()-since > int64(burstPatience)
}

// begin counts a run that is being made; the returned function, that it has been.
func (p *pressure) begin(now time.Time) (done func()) {
	if p.starting.Add(1) > usualStarts {
		p.since.CompareAndSwap(0, now.UnixNano())
	}
	return p.end
}

func (p *pressure) end() {
	if p.starting.Add(-1) < usualStarts/2 { // not at the mark itself, where it would come and go
		p.since.Store(0)
	}
}

func crowded() error {
	e := problem.New(problem.Overloaded, "This server is asked for more runs than it can make; try again in a moment.")
	e.RetryAfter = time.Second
	return e
}

// Aside takes a request whose Start waits for something else than the disk (a tool
// server, a model) out of the count of runs that are being made: slow strangers
// must not look like a slow disk. The returned function puts it back.
func (r *Request) Aside() (back func()) {
	p := &r.server.pressure
	p.end()
	return func() { p.begin(r.server.cfg.Now()) } // what Start's own begin returned ends it
}
