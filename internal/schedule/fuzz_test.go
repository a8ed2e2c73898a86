package schedule

import (
	"cmp"
	"encoding/json"
	"testing"
	"time"

	"errand/internal/problem"
)

// FuzzCron: an expression is refused with a word, or names times: each behind the one
// before, at a whole minute, found in time.
func FuzzCron(f *testing.F) {
	for _, seed := range []string{
		"0 9 * * Mon-Fri", "*/10 * * * *", "0 0 31 2 *", "0 0 29 2 1#5", "0 0 L * *", "15 3 15W * *", "1-59/7,3 0-23/5 * */2 0,7", "@daily", "60 * * * *", "* * * * * *", "", "0 0 * * 5L", "5/0 * * * *", "59-1 * * * *", "0 0 ? * ?", "\x00 * * * *",
	} {
		f.Add(seed, int64(1_772_323_200))
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string, second int64) {
		found := faults{}
		made := readCron(text, found)
		if len(found) > 0 {
			if found["cron"] == "" {
				t.Errorf("%q: %v says nothing of cron", text, found)
			}
			return
		}
		made.zone = berlin
		at, began := time.Unix(second%4_000_000_000, 0), time.Now()
		for range 3 {
			next, ok := made.next(at)
			if !ok {
				return
			}
			if !next.After(at) || next.Second() != 0 {
				t.Fatalf("%q: after %s comes %s", text, at, next)
			}
			at = next
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%q takes %s", text, took)
		}
	})
}

// FuzzTiming reads everything else that says when: what is refused names its field;
// what is taken fires later than now, in order, no more often than it may, in its zone.
func FuzzTiming(f *testing.F) {
	for _, seed := range []Timing{
		{Every: "15m"}, {Every: "1ns"}, {Every: "-1h"}, {Every: "8785h"}, {Every: "1.5s"}, {Every: "1h1h"}, {Every: "9223372036s"}, {Times: []string{"09:00", "24:00"}, Days: []string{"Mon", "*"}, Zone: "Europe/Berlin"},
		{Times: []string{"2:30", "+1:30", "-1:00", "1:3", ":", "002:00", "٠9:00"}, Zone: "America/New_York"}, {Daemon: true, Zone: "../../etc/passwd"}, {Cron: "0 0 31 2 *", Zone: "Local"}, {Cron: "* * * * *", Every: "1s"}, {Zone: "europe/berlin\x00"}, {Days: []string{"mon"}}, {Times: []string{"2:30"}, Days: []string{"sun", "Wed"}, Zone: "America/New_York"}, {Times: []string{"00:00"}, Zone: "Europe/Berlin"},
	} {
		text, err := json.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	now := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	keeper := &Keeper{cfg: Config{Now: func() time.Time { return now }}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var said Timing
		if len(text) > 1<<10 || json.Unmarshal(text, &said) != nil {
			return
		}
		found, err := keeper.Preview(said, 5)
		if err != nil {
			told := problem.From(err)
			if told.Code != problem.InvalidRequest || len(told.Fields) == 0 {
				t.Errorf("%+v: %v", said, err)
			}
			return
		}
		if said.ways() != 1 || said.Daemon != (len(found) == 0) {
			t.Errorf("%+v comes at %v", said, found)
		}
		last := now
		for _, at := range found {
			if at.Sub(last) < leastGap && !last.Equal(now) || !at.After(now) || at.Location().String() != cmp.Or(said.Zone, "UTC") {
				t.Errorf("%+v comes at %v", said, found)
			}
			last = at
		}
	})
}
