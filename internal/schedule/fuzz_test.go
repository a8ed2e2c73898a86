package schedule

import (
	"testing"
	"time"
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
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%q takes %s", text, took)
		}
	})
}
