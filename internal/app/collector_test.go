package app

import "testing"

func TestCollector(t *testing.T) {
	const mb = 1 << 20
	c := &collector{}
	var cycles uint64
	for i, tick := range []struct {
		cycles, live, heap uint64
		want               advice
	}{
		{2, 5 * mb, 6 * mb, carryOn},     // a start
		{12, 10 * mb, 12 * mb, growMore}, // load
		{2, 10 * mb, 40 * mb, carryOn},   // the same load, collected less often
		{2, 30 * mb, 60 * mb, growLess},  // much is alive
		{12, 30 * mb, 50 * mb, carryOn},  // load, but much is alive
		{12, 10 * mb, 15 * mb, growMore},
		{0, 10 * mb, 40 * mb, growLess}, // the load has gone
		{0, 10 * mb, 40 * mb, cleanUp},  // and what it left goes
		{0, 10 * mb, 11 * mb, carryOn},
		{1, 30 * mb, 50 * mb, carryOn}, // something is being done
		{0, 30 * mb, 50 * mb, cleanUp},
	} {
		cycles += tick.cycles
		if got := c.turn(reading{cycles, tick.live, tick.heap}); got != tick.want {
			t.Errorf("tick %d: %v, want %v", i, got, tick.want)
		}
	}
}
