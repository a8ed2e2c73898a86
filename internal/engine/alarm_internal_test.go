package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/run"
)

// A run of a thousand steps sets thousands of alarms, and keeps none that has rung.
func TestAlarmsThatHaveRungAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDriver(New(Config{Now: time.Now}), run.ID{1}, &feed{})
		rung := 0
		for range 1000 {
			d.after(time.Millisecond, func() { rung++ })
			(<-d.rung)()
			d.wall = d.after(time.Hour, func() {})
			d.disarm()
		}
		if rung != 1000 || len(d.timers) > 0 {
			t.Errorf("%d have rung, %d are kept", rung, len(d.timers))
		}
		d.abandon()
	})
}
