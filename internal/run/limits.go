package run

import "time"

// awake adds to a decision when it has to be looked at again: when the run's
// working time is used up, if it works, or when the first gate expires.
func (s *State) awake(d Decision) Decision {
	if limit := s.Spec.Limits.WallTime; limit > 0 && len(d.Effects) > 0 {
		d.WakeAt, d.Wake = s.UpdatedAt.Add(limit.Duration()-s.Worked), WallTime
	}
	if at := s.gateExpiry(); !at.IsZero() && (d.WakeAt.IsZero() || at.Before(d.WakeAt)) {
		d.WakeAt, d.Wake = at, GateTime
	}
	return d
}

// gateExpiry is when the first pending approval lapses, or zero. A call whose
// outcome is unknown waits without limit: no clock can say what happened.
func (s *State) gateExpiry() time.Time {
	var first time.Time
	last := s.Last()
	if last == nil || s.Spec.GateTimeout == 0 {
		return first
	}
	for i := range last.Actions {
		if a := &last.Actions[i]; a.Waits() && a.Reason != UnknownReason {
			if at := a.Since.Add(s.Spec.GateTimeout.Duration()); first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// Lapsed returns the ids of the actions whose approval has expired by now.
func (s *State) Lapsed(now time.Time) []string {
	var ids []string
	for _, a := range s.Pending() {
		expires := s.Spec.GateTimeout > 0 && a.Reason != UnknownReason
		if expires && !a.Since.Add(s.Spec.GateTimeout.Duration()).After(now) {
			ids = append(ids, a.ID)
		}
	}
	return ids
}
