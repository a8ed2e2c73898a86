package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Timing says when. Exactly one of Cron, Every, Times and Daemon is given.
type Timing struct {
	Cron   string   `json:"cron,omitempty"`   // five fields
	Every  string   `json:"every,omitempty"`  // a Go duration of whole seconds
	Times  []string `json:"times,omitempty"`  // of the day, "09:00"
	Days   []string `json:"days,omitempty"`   // of Times: "Mon" … "Sun" or "*"; none = each day
	Daemon bool     `json:"daemon,omitempty"` // again as soon as the last run has ended
	Zone   string   `json:"tz,omitempty"`     // IANA; empty = UTC
}

const (
	// leastGap is how often a schedule may fire: what is faster is a loop, and not
	// a schedule.
	leastGap = time.Second
	// mostGap bounds intervals: whatever is rarer has a date, which cron can say.
	mostGap = 366 * 24 * time.Hour
	// mostTimes is each quarter of an hour of a day.
	mostTimes = 96
)

// plan is a timing that can be asked for times.
type plan struct {
	zone   *time.Location
	every  time.Duration
	anchor time.Time // from which every counts
	face   *face     // of cron and times
	daemon bool
}

// faults are messages by field.
type faults map[string]string

func (f faults) add(field, format string, args ...any) {
	if f[field] == "" {
		f[field] = fmt.Sprintf(format, args...)
	}
}

// plan checks the timing, names of its fields in front of which stands prefix.
// Intervals count from anchor.
func (t *Timing) plan(anchor time.Time, f faults) plan {
	p := plan{zone: t.zone(f), daemon: t.Daemon, anchor: anchor}
	switch t.ways() {
	case 0:
		f.add("cron", `is required, or every, times or daemon: say when, such as "0 9 * * Mon-Fri".`)
		return p
	case 1:
	default:
		f.add("cron", "can't stand together with every, times or daemon: give one of them.")
		return p
	}
	if len(t.Days) > 0 && len(t.Times) == 0 {
		f.add("days", "say on which days times come: give times, or name the days in cron.")
	}
	switch {
	case t.Cron != "":
		p.face = readCron(t.Cron, f)
	case t.Every != "":
		p.every = readEvery(t.Every, f)
	case len(t.Times) > 0:
		p.face = readTimes(t.Times, t.Days, f)
	}
	if p.face != nil {
		p.face.zone = p.zone
	}
	return p
}

// ways counts how many ways of saying when are used.
func (t *Timing) ways() (count int) {
	for _, used := range []bool{t.Cron != "", t.Every != "", len(t.Times) > 0, t.Daemon} {
		if used {
			count++
		}
	}
	return count
}

func (t *Timing) zone(f faults) *time.Location {
	// "Local" is the zone of whatever machine this happens to be.
	zone, err := time.LoadLocation(t.Zone)
	if err != nil || t.Zone == "Local" {
		f.add("tz", `%q is no time zone: use a name of the IANA database, such as "Europe/Berlin", or "UTC".`, t.Zone)
		return time.UTC
	}
	return zone
}

func readEvery(text string, f faults) time.Duration {
	every, err := time.ParseDuration(text)
	switch {
	case err != nil:
		f.add("every", `%q is no duration: a number and a unit, such as "30s", "15m" or "24h".`, text)
	case every < leastGap:
		f.add("every", "%q is too short: at least 1s.", text)
	case every > mostGap:
		f.add("every", "%q is too long: at most %dh, a year; name a date with cron.", text, int(mostGap.Hours()))
	case every%time.Second != 0:
		f.add("every", "%q is no whole number of seconds.", text)
	}
	return every
}

// dayNames are the days of a week as time.Weekday numbers them.
func dayNames() []string { return []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"} }

func readTimes(times, days []string, f faults) *face {
	made := &face{month: allMonths, named: true}
	if len(times) > mostTimes {
		f.add("times", "are too many: at most %d; use cron.", mostTimes)
	}
	for i, text := range times {
		hour, minute, ok := readTime(text)
		if !ok {
			f.add(fmt.Sprintf("times[%d]", i), `%q is no time of the day: from "00:00" to "23:59".`, text)
			continue
		}
		made.minutes[hour] |= 1 << minute
	}
	var wanted [7]bool
	for i, name := range days {
		at := slices.IndexFunc(dayNames(), func(day string) bool { return strings.EqualFold(day, name) })
		switch {
		case name == "*":
			wanted = [7]bool{true, true, true, true, true, true, true}
		case at < 0:
			f.add(fmt.Sprintf("days[%d]", i), `%q is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun, or "*" for all.`, name)
		default:
			wanted[at] = true
		}
	}
	made.day = func(date time.Time) bool { return len(days) == 0 || wanted[date.Weekday()] }
	return made
}

func readTime(text string) (hour, minute int, ok bool) {
	first, second, found := strings.Cut(text, ":")
	hour, err := strconv.Atoi(first)
	minute, failed := strconv.Atoi(second)
	ok = found && err == nil && failed == nil && len(first) <= 2 && len(second) == 2 &&
		hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && first[0] != '+' && second[0] != '+' && first[0] != '-'
	return hour, minute, ok
}

// next is the first time after the given one. There is none for a daemon, which
// goes by its runs, and for an expression that never comes true.
func (p *plan) next(after time.Time) (time.Time, bool) {
	switch {
	case p.every > 0:
		// Counted from the anchor, so that it does not drift.
		past := after.Sub(p.anchor)
		if past < 0 {
			return p.anchor, true
		}
		return p.anchor.Add((past/p.every + 1) * p.every), true
	case p.face != nil:
		return p.face.next(after)
	}
	return time.Time{}, false
}
