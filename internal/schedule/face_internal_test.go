package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// zones are of every kind: none, whole hours on both halves of the earth, half an
// hour, midnight changes, and one that has left a day out.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "America/Havana",
	"Africa/Cairo", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca",
}

func mustPlan(t *testing.T, timing Timing) plan {
	t.Helper()
	f := faults{}
	p := timing.plan(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), f)
	if len(f) > 0 {
		t.Fatalf("%+v: %v", timing, f)
	}
	return p
}

func TestNextAcrossClockChanges(t *testing.T) {
	for _, c := range []struct {
		name  string
		when  Timing
		after string
		want  []string // as the zone's clocks show it
	}{
		{"a time that does not exist comes once, when the clocks have leapt", Timing{Cron: "30 2 * * *", Zone: "Europe/Berlin"}, "2026-03-28T00:00:00Z",
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"}},
		{"all those that do not exist come as one", Timing{Cron: "*/10 2,3 * * *", Zone: "Europe/Berlin"}, "2026-03-29T00:00:00Z",
			[]string{"2026-03-29T03:00:00+02:00", "2026-03-29T03:10:00+02:00"}},
		{"a time that exists twice comes the first time", Timing{Cron: "30 2 * * *", Zone: "Europe/Berlin"}, "2026-10-24T10:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"times of the day are like cron's", Timing{Times: []string{"02:30"}, Zone: "Europe/Berlin"}, "2026-10-24T10:00:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"each hour goes by time passed, in autumn", Timing{Cron: "30 * * * *", Zone: "Europe/Berlin"}, "2026-10-24T23:45:00Z",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:30:00+01:00"}},
		{"each hour goes by time passed, in spring", Timing{Cron: "30 * * * *", Zone: "Europe/Berlin"}, "2026-03-28T23:45:00Z",
			[]string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"}},
		{"midnight that does not exist", Timing{Cron: "0 0 * * *", Zone: "America/Santiago"}, "2026-09-05T05:00:00Z",
			[]string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"}},
		{"a day that does not exist", Timing{Cron: "0 9 30 12 *", Zone: "Pacific/Apia"}, "2011-12-01T00:00:00Z",
			[]string{"2011-12-31T00:00:00+14:00", "2012-12-30T09:00:00+14:00"}},
		{"working days", Timing{Times: []string{"18:00", "09:00"}, Days: []string{"Mon", "fri"}, Zone: "Asia/Kathmandu"}, "2026-11-22T00:00:00Z",
			[]string{"2026-11-23T09:00:00+05:45", "2026-11-23T18:00:00+05:45", "2026-11-27T09:00:00+05:45"}},
		{"the last day of a month", Timing{Cron: "0 12 L * *"}, "2026-01-31T12:00:00Z",
			[]string{"2026-02-28T12:00:00Z", "2026-03-31T12:00:00Z"}},
		{"the second Tuesday", Timing{Cron: "0 12 * * Tue#2"}, "2026-01-01T12:00:00Z",
			[]string{"2026-01-13T12:00:00Z", "2026-02-10T12:00:00Z"}},
		{"the working day next to the 15th", Timing{Cron: "0 12 15W * *"}, "2026-02-01T12:00:00Z",
			[]string{"2026-02-16T12:00:00Z", "2026-03-16T12:00:00Z", "2026-04-15T12:00:00Z"}},
		{"a leap day", Timing{Cron: "0 0 29 2 *"}, "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"an interval is counted from its beginning", Timing{Every: "45m"}, "2026-01-01T01:00:00Z",
			[]string{"2026-01-01T01:30:00Z", "2026-01-01T02:15:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := mustPlan(t, c.when)
			at, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				var ok bool
				if at, ok = p.next(at); !ok || at.In(p.zone).Format(time.RFC3339) != want {
					t.Fatalf("comes at %s, %v; want %s", at.In(p.zone).Format(time.RFC3339), ok, want)
				}
			}
		})
	}
}

func TestNever(t *testing.T) {
	for _, text := range []string{"0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 9 32W * *"} {
		f := faults{}
		if made := readCron(text, f); len(f) == 0 {
			made.zone = time.UTC
			if at, ok := made.next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
				t.Errorf("%s comes at %s", text, at)
			}
		}
	}
}

func TestTimingFaults(t *testing.T) {
	for _, c := range []struct {
		field string
		when  Timing
	}{
		{"cron", Timing{}},
		{"cron", Timing{Cron: "* * * * *", Every: "1m"}},
		{"cron", Timing{Every: "1m", Daemon: true}},
		{"cron", Timing{Cron: "* * * *"}},
		{"cron", Timing{Cron: "* * * * * *"}},
		{"cron", Timing{Cron: "@daily"}},
		{"cron", Timing{Cron: "60 * * * *"}},
		{"cron", Timing{Cron: "* 24 * * *"}},
		{"cron", Timing{Cron: "* * 0 * *"}},
		{"cron", Timing{Cron: "* * * 13 *"}},
		{"cron", Timing{Cron: "* * * * 8"}},
		{"cron", Timing{Cron: "1,2,99 * * * *"}},
		{"cron", Timing{Cron: "*/0 * * * *"}},
		{"cron", Timing{Cron: "5-1 * * * *"}},
		{"cron", Timing{Cron: "1-2-3 * * * *"}},
		{"cron", Timing{Cron: "* * * * Funday"}},
		{"cron", Timing{Cron: "L * * * *"}},
		{"cron", Timing{Cron: "1,,2 * * * *"}},
		{"every", Timing{Every: "999ms"}},
		{"every", Timing{Every: "1500ms"}},
		{"every", Timing{Every: "-1m"}},
		{"every", Timing{Every: "often"}},
		{"every", Timing{Every: "9000h"}},
		{"times[1]", Timing{Times: []string{"09:00", "24:00"}}},
		{"times[0]", Timing{Times: []string{"9"}}},
		{"times[0]", Timing{Times: []string{"+9:00"}}},
		{"days[1]", Timing{Times: []string{"09:00"}, Days: []string{"Mon", "Someday"}}},
		{"days", Timing{Cron: "* * * * *", Days: []string{"Mon"}}},
		{"tz", Timing{Every: "1m", Zone: "Mars/Olympus"}},
		{"tz", Timing{Every: "1m", Zone: "Local"}},
		{"tz", Timing{Every: "1m", Zone: "../etc/passwd"}},
	} {
		f := faults{}
		c.when.plan(time.Time{}, f)
		if f[c.field] == "" || len(f) != 1 {
			t.Errorf("%+v: %v, want one about %s", c.when, f, c.field)
		}
	}
}

// TestNextIsWhatAClockShows holds next to somebody who looks at a clock of the zone
// each minute, around every change of its clocks in some years.
func TestNextIsWhatAClockShows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, name := range zones {
		t.Run(name, func(t *testing.T) {
			zone, err := time.LoadLocation(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, begin := range changes(zone) {
				for range 6 {
					expression := randomCron(random)
					walk(t, expression, zone, begin)
				}
			}
		})
	}
}

// changes are times a day before each change of the clocks, or just some time.
func changes(zone *time.Location) (found []time.Time) {
	for _, year := range []int{2011, 2024, 2026} {
		at, stop := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC)
		for at.Before(stop) {
			_, end := at.In(zone).ZoneBounds()
			if end.IsZero() || end.After(stop) {
				break
			}
			found = append(found, end.Add(-24*time.Hour).UTC())
			at = end
		}
	}
	return append(found, time.Date(2026, 6, 1, 5, 7, 0, 0, time.UTC))
}

func randomCron(random *rand.Rand) string {
	pick := func(choices ...string) string { return choices[random.IntN(len(choices))] }
	minute := pick("*", "*/10", "0", "30", "15,45", "5-59/25", strconv.Itoa(random.IntN(60)))
	hour := pick("*", "*", "2", "0", "1-3", "*/6", "0-22", "0,2,23", strconv.Itoa(random.IntN(24)))
	day := pick("*", "*", "*", "*/2", "29", "25-31")
	week := pick("*", "*", "*", "0", "7", "6-7", "1-5")
	return fmt.Sprintf("%s %s %s * %s", minute, hour, day, week)
}

// walk goes three days minute by minute and notes when the expression holds, by
// rules of its own: nothing here is shared with what it tests.
func walk(t *testing.T, expression string, zone *time.Location, begin time.Time) {
	t.Helper()
	fields := strings.Fields(expression)
	named := false
	for hour := range 24 {
		named = named || !naive(fields[1], hour, 0)
	}
	holds := func(wall time.Time) bool {
		byDay, byWeek := naive(fields[2], wall.Day(), 1), naive(fields[4], int(wall.Weekday()), 0) || wall.Weekday() == 0 && naive(fields[4], 7, 0)
		date := byDay && byWeek
		if fields[2][0] != '*' && fields[4][0] != '*' {
			date = byDay || byWeek
		}
		return date && naive(fields[0], wall.Minute(), 0) && naive(fields[1], wall.Hour(), 0)
	}
	const shown = "2006-01-02 15:04"
	var want []time.Time
	seen := map[string]bool{}
	wall := func(at time.Time) time.Time { // what the clock shows, as if it were UTC
		shows, err := time.Parse(shown, at.In(zone).Format(shown))
		if err != nil {
			t.Fatal(err)
		}
		return shows
	}
	last := wall(begin.Add(-26 * time.Hour))
	for at := begin.Add(-26 * time.Hour).Add(time.Minute); at.Before(begin.Add(72 * time.Hour)); at = at.Add(time.Minute) {
		shows := wall(at)
		due := holds(shows) && !(named && seen[shows.Format(shown)])
		for left := last.Add(time.Minute); named && left.Before(shows); left = left.Add(time.Minute) {
			due = due || holds(left) // the clocks have leapt over it
		}
		seen[shows.Format(shown)] = true
		last = shows
		if due && at.After(begin) {
			want = append(want, at)
		}
	}
	p := mustPlan(t, Timing{Cron: expression, Zone: zone.String()})
	var got []time.Time
	for at, ok := p.next(begin); ok && at.Before(begin.Add(72*time.Hour)); at, ok = p.next(at) {
		got = append(got, at)
	}
	if !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Fatalf("%q in %s from %s:\n got %v\nwant %v", expression, zone, begin, got, want)
	}
	if len(want) > 0 { // and from any time in between
		middle := begin.Add(72 * time.Hour / 2)
		i := slices.IndexFunc(want, func(at time.Time) bool { return at.After(middle) })
		if at, ok := p.next(middle); i >= 0 && (!ok || !at.Equal(want[i])) {
			t.Fatalf("%q in %s: after %s comes %s, want %s", expression, zone, middle, at, want[i])
		}
	}
}

// naive reads one field: lists of *, a number or a range, with a step.
func naive(field string, value, least int) bool {
	for part := range strings.SplitSeq(field, ",") {
		body, step, stepped := strings.Cut(part, "/")
		every := 1
		if stepped {
			every, _ = strconv.Atoi(step)
		}
		from, to := least, 99
		if body != "*" {
			first, last, isRange := strings.Cut(body, "-")
			from, _ = strconv.Atoi(first)
			if to = from; isRange {
				to, _ = strconv.Atoi(last)
			}
		}
		if value >= from && value <= to && (value-from)%every == 0 {
			return true
		}
	}
	return false
}
