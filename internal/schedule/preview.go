package schedule

import (
	"time"

	"errand/internal/problem"
)

// Preview returns up to count times at which a schedule would fire that were saved now,
// in its zone: none for a daemon, which goes by its runs. Errors: invalid_request, by
// field, as saving it would give.
func (k *Keeper) Preview(t Timing, count int) ([]time.Time, error) {
	now, f := k.now(), faults{}
	p := t.plan(now, f)
	if invalid := problem.InvalidFields(f); invalid != nil {
		return nil, invalid
	}
	if p.daemon {
		return nil, nil
	}
	var times []time.Time
	for last := now; len(times) < count; {
		at, ok := p.next(last)
		if !ok {
			break
		}
		times, last = append(times, at.In(p.zone)), at
	}
	if len(times) == 0 {
		return nil, never(t.Cron)
	}
	return times, nil
}

// never says that an expression has no date.
func never(cron string) error {
	return problem.Invalid("cron", "%q never comes: no such date is in the next %d years.", cron, lookAhead)
}
