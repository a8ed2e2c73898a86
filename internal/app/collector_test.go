package app

import "testing"

func TestCollector(t *testing.T) {
	const mb = 1 << 20
	c := &collector{}
	var cycles uint64
	for i, tick := range []struct {
		cycles, live uint64
		changed      bool
		percent      int
	}{
		{3, 5 * mb, false, 100},   // a start
		{12, 10 * mb, true, 400},  // load
		{2, 10 * mb, false, 400},  // the same load, collected less often
		{2, 30 * mb, true, 100},   // much is alive
		{12, 30 * mb, false, 100}, // load, but much is alive
		{12, 10 * mb, true, 400},
		{0, 10 * mb, true, 100}, // idle again
		{0, 10 * mb, false, 100},
	} {
		cycles += tick.cycles
		if changed := c.turn(cycles, tick.live); changed != tick.changed || c.percent() != tick.percent {
			t.Errorf("tick %d: changed %v to %d%%, want %v and %d%%", i, changed, c.percent(), tick.changed, tick.percent)
		}
	}
}
