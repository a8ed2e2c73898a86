package schedule

import (
	"math/bits"
	"time"
)

// face is what a wall clock with a calendar shows when a schedule is due.
type face struct {
	zone    *time.Location
	minutes [24]uint64 // of each hour
	month   [12]bool
	day     func(date time.Time) bool // of a date at noon, UTC
	// named says that it names hours: then what it names is to happen once on its
	// day, whatever the clocks do. Otherwise it goes by time passed, and an hour
	// that comes twice counts twice: every ten minutes means just that.
	named bool
}

var allMonths = [12]bool{true, true, true, true, true, true, true, true, true, true, true, true}

// lookAhead bounds the search for a time: in 40 years every date has been on every
// day of the week, even across 2100, which has no 29 February.
const lookAhead = 40

// next is the first time after the given one that the face is for, within
// lookAhead years.
func (f *face) next(after time.Time) (time.Time, bool) {
	if f.named {
		return f.nextNamed(after)
	}
	return f.nextPassing(after)
}

// nextNamed goes from date to date, and asks when each time of such a day is.
func (f *face) nextNamed(after time.Time) (time.Time, bool) {
	wall := after.In(f.zone)
	first := wall.Hour()*60 + wall.Minute()
	end := wall.Year() + lookAhead
	for date := noon(wall); date.Year() <= end; date = f.tomorrow(date) {
		if f.covers(date) {
			for minute := range f.dayFrom(first) {
				if at := f.when(date, minute); at.After(after) {
					return at, true
				}
			}
		}
		first = 0
	}
	return time.Time{}, false
}

// nextPassing goes from minute to minute, on days that it is for.
func (f *face) nextPassing(after time.Time) (time.Time, bool) {
	at := after.Truncate(time.Minute).Add(time.Minute)
	end := at.Year() + lookAhead
	for at.Year() <= end {
		wall := at.In(f.zone)
		date := noon(wall)
		switch {
		case !f.covers(date):
			at = later(f.when(f.tomorrow(date), 0), at.Add(time.Minute)) // forwards, whatever a zone has done
		case f.minutes[wall.Hour()]&(1<<wall.Minute()) != 0:
			return at.UTC(), true
		default:
			at = at.Add(time.Minute)
		}
	}
	return time.Time{}, false
}

func noon(wall time.Time) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), 12, 0, 0, 0, time.UTC)
}

func (f *face) covers(date time.Time) bool { return f.month[date.Month()-1] && f.day(date) }

// tomorrow is the next date that may be covered: it leaps over other months.
func (f *face) tomorrow(date time.Time) time.Time {
	if f.month[date.Month()-1] {
		return date.AddDate(0, 0, 1)
	}
	return time.Date(date.Year(), date.Month()+1, 1, 12, 0, 0, 0, time.UTC)
}

// dayFrom yields the minutes of the day from the first one on.
func (f *face) dayFrom(first int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for hour := first / 60; hour < 24; hour++ {
			for left := f.minutes[hour]; left != 0; left &= left - 1 {
				minute := hour*60 + bits.TrailingZeros64(left)
				if minute >= first && !yield(minute) {
					return
				}
			}
		}
	}
}

// when is the time at which clocks show this minute of the day for the first
// time. If they leap over it, it is the first whole minute after the leap.
func (f *face) when(date time.Time, minute int) time.Time {
	wall := time.Date(date.Year(), date.Month(), date.Day(), 0, minute, 0, 0, time.UTC)
	// The zone's offset is one of those that hold a day before and a day after: no
	// zone has changed its clocks twice within two days.
	before, after := offset(wall.Add(-36*time.Hour), f.zone), offset(wall.Add(36*time.Hour), f.zone)
	first, second := wall.Add(-max(before, after)), wall.Add(-min(before, after))
	switch {
	case offset(first, f.zone) == max(before, after):
		return first
	case offset(second, f.zone) == min(before, after):
		return second
	}
	leap, _ := wall.Add(-before).In(f.zone).ZoneBounds()
	if whole := leap.Truncate(time.Minute); whole.Before(leap) {
		return whole.Add(time.Minute).UTC()
	}
	return leap.UTC()
}

func offset(at time.Time, zone *time.Location) time.Duration {
	_, seconds := at.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
