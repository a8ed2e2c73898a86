package engine

import (
	"slices"
	"time"

	"errand/internal/run"
)

// alarms are what a driver has to be woken for. They measure how long it is until
// then and run on the machine's steady clock: a clock that is set forward or back
// ends no wait and prolongs none. Only the expiry of an approval is a time of day.
type alarms struct {
	rung   chan func()   // to be run on the driver's goroutine
	timers []*time.Timer // that have not rung
	wall   *time.Timer   // for the end of the run's working time; nil while it does not work
	gate   time.Time     // the expiry for which an alarm is set
	rested [2]int        // step and attempt of the model call whose wait an alarm measures
	ready  bool          // … and that wait is over
}

// after has do run on the driver's goroutine when the time has passed.
func (d *driver) after(wait time.Duration, do func()) *time.Timer {
	var timer *time.Timer
	ring := func() {
		d.forget(timer)
		do()
	}
	timer = time.AfterFunc(max(wait, 0), func() {
		select {
		case d.rung <- ring:
		case <-d.gone:
		}
	})
	d.timers = append(d.timers, timer)
	return timer
}

// forget drops an alarm that has rung or is stopped: a run has thousands of them.
func (d *driver) forget(timer *time.Timer) {
	d.timers = slices.DeleteFunc(d.timers, func(t *time.Timer) bool { return t == timer })
}

// expire sets the alarms for what the core wants to be woken for, and appends
// what the time of day alone has brought about by now. It reports whether it did.
func (d *driver) expire(decision run.Decision) bool {
	if len(decision.Effects) == 0 {
		d.disarm()
	}
	switch {
	case decision.Wake == run.WallTime && d.wall == nil:
		d.wall = d.after(decision.WakeAt.Sub(d.e.now()), d.outOfTime)
	case decision.Wake != run.GateTime:
	case !decision.WakeAt.After(d.e.now()):
		before := d.state.Seq
		for _, event := range d.e.lapse(&d.state) {
			d.add(event)
		}
		return d.state.Seq > before
	case !decision.WakeAt.Equal(d.gate):
		d.gate = decision.WakeAt
		d.after(decision.WakeAt.Sub(d.e.now()), func() { d.gate = time.Time{} })
	}
	return false
}

// outOfTime ends a run whose working time is used up, if it still works.
func (d *driver) outOfTime() {
	if d.wall != nil && d.state.Ended == nil {
		d.add(run.Event{Type: run.DeadlinePassed, Deadline: &run.Deadline{Which: run.WallTime}})
	}
}

// disarm stops the working time: the run does not work now, or its state is read
// again. The next decision that names effects sets the alarm for what is left.
func (d *driver) disarm() {
	if d.wall != nil {
		d.wall.Stop()
		d.forget(d.wall)
		d.wall = nil
	}
}

// rests reports whether a model call has to wait before it is made again, and
// sees to it that the driver is woken when the wait is over.
func (d *driver) rests(call run.Effect) bool {
	if call.After.IsZero() {
		return false
	}
	if which := [2]int{call.Step, call.Attempt}; d.rested != which {
		d.rested, d.ready = which, false
		d.after(call.After.Sub(d.e.now()), func() { d.ready = d.ready || d.rested == which })
	}
	return !d.ready
}

// rest keeps the driver from the disk for a while.
func (d *driver) rest(wait time.Duration) {
	d.resting = true
	d.after(wait, func() { d.resting = false })
}
