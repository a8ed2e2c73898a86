package schedule

import (
	"time"

	"errand/internal/run"
)

const (
	// grace is how late a run still is on time: longer than a restart takes, and
	// shorter than a minute, so that the run of one minute is never taken for that
	// of another.
	grace = 30 * time.Second
	// fast is how soon a failure counts as one that would spin.
	fast = time.Minute
	// firstWait and lastWait bound the waits of what fails fast, which double: an
	// hour is often enough to notice that something works again.
	firstWait, lastWait = 5 * time.Second, time.Hour
	// mostQueued bounds how many times wait for the end of a run.
	mostQueued = 10
	// mostRunning bounds how many runs of one schedule go on at once, whatever it
	// allows.
	mostRunning = 100
	// mostCounted bounds how far missed times are counted one by one.
	mostCounted = 10_000
)

// strike decides what becomes of the time that has come, and sets the next one.
// It reports whether a run starts now. s.Running are the runs that go on.
func (s *Schedule) strike(p *plan, now time.Time) (start bool) {
	came, current := p.passed(s.Next, now)
	start = p.daemon || current || s.Missed == Once
	if held := now.Before(s.NotBefore); held {
		start = false
	}
	if start {
		came-- // the run is for one of them
		start = s.makeRoom()
	}
	s.Left += came
	s.advance(p, now)
	return start
}

// passed counts the times from the given one until now, and tells whether the
// last of them is current. The count stops at mostCounted.
func (p *plan) passed(from, now time.Time) (count int64, current bool) {
	if p.every > 0 {
		last := now.Add(-now.Sub(p.anchor) % p.every)
		if last.Before(from) { // it was put off by failures
			last = from
		}
		return int64(last.Sub(from)/p.every) + 1, now.Sub(last) <= grace
	}
	for at, ok := from, true; ok && !at.After(now) && count < mostCounted; at, ok = p.next(at) {
		count++
	}
	if now.Sub(from) <= grace {
		return count, true
	}
	last, ok := p.next(now.Add(-grace - 1))
	return count, ok && !last.After(now)
}

// makeRoom says what an overlap means for a run that is to start.
func (s *Schedule) makeRoom() (start bool) {
	switch busy := len(s.Running); {
	case busy == 0 && s.Queued == 0:
		return true
	case s.Overlap == Allow && busy < mostRunning:
		return true
	case s.Overlap == Queue && s.Queued < mostQueued:
		s.Queued++
		return false
	}
	s.Skipped++
	return false
}

// advance sets the next time, not before failures allow it. A daemon has none
// until its run has ended.
func (s *Schedule) advance(p *plan, now time.Time) {
	s.Turn++
	s.Next = time.Time{}
	if p.daemon {
		return
	}
	after := now
	if now.Before(s.NotBefore) {
		after = s.NotBefore.Add(-1)
	}
	s.Next, _ = p.next(after)
}

// begun notes a run that starts now.
func (s *Schedule) begun(id run.ID, now time.Time) {
	s.Running = append(s.Running, id)
	s.Last, s.LastAt, s.LastEnd, s.Error = id, now, "", ""
}

// ended books how a run has ended. It reports whether the next time has moved.
func (s *Schedule) ended(p *plan, line *run.Summary, now time.Time) (moved bool) {
	s.gone(line.ID)
	if s.Last == line.ID {
		s.LastEnd = string(line.Status)
	}
	quick := line.EndedAt.Sub(line.CreatedAt) < fast
	switch {
	case line.Status == run.FailedStatus && quick:
		s.fail(line.EndedAt)
	case line.Status != run.CancelledStatus: // a person's word says nothing about the next one
		s.Failures, s.NotBefore = 0, time.Time{}
	}
	switch {
	case s.Paused:
		return false
	case p.daemon && len(s.Running) == 0:
		s.Turn++
		s.Next = later(line.CreatedAt.Add(leastGap), later(s.NotBefore, now))
		return true
	case !s.Next.IsZero() && s.Next.Before(s.NotBefore):
		s.advance(p, now)
		return true
	}
	return false
}

// fail counts a failure and puts off what comes next.
func (s *Schedule) fail(at time.Time) {
	s.Failures++
	s.NotBefore = at.Add(backoff(s.Failures))
}

// failed books that a run could not be started.
func (s *Schedule) failed(p *plan, why string, now time.Time) {
	s.Error = why
	s.fail(now)
	s.advance(p, now)
	if p.daemon {
		s.Next = s.NotBefore
	}
}

// backoff is how long nothing starts after so many failures.
func backoff(failures int) time.Duration {
	wait := firstWait
	for i := 1; i < failures && wait < lastWait; i++ {
		wait *= 2
	}
	return min(wait, lastWait)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
