package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// collector lets the heap of a busy server grow further before it is collected.
// What is alive in it is small, so under load it is collected a dozen times a
// second by the runtime's own rule, which costs a tenth of the processor time;
// idle, and with much that is alive, that rule is the right one.
type collector struct {
	samples []metrics.Sample
	cycles  uint64
	busy    bool
}

const (
	collectorTick = time.Second
	manyCycles    = 4        // in one tick: more is load, and not a start or a long list
	fewCycles     = 1        // in one tick, when busy: the load has gone
	smallHeap     = 24 << 20 // bytes alive, above which the heap is left to the runtime's rule
	calmPercent   = 100      // how far the heap grows between collections: the runtime's rule
	busyPercent   = 400      // at most 24 MB become 120 MB
)

// tend adjusts the collector once a second until ctx ends. It is not for a
// process whose operator has set GOGC.
func (c *collector) tend(ctx context.Context) {
	c.samples = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(collectorTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			metrics.Read(c.samples)
			if c.turn(c.samples[0].Value.Uint64(), c.samples[1].Value.Uint64()) {
				debug.SetGCPercent(c.percent())
			}
		}
	}
}

// turn takes the counts of one tick and reports whether the load has come or gone.
func (c *collector) turn(cycles, live uint64) bool {
	since := cycles - c.cycles
	c.cycles = cycles
	before := c.busy
	switch {
	case live > smallHeap:
		c.busy = false
	case since >= manyCycles:
		c.busy = true
	case since < fewCycles:
		c.busy = false
	}
	return c.busy != before
}

func (c *collector) percent() int {
	if c.busy {
		return busyPercent
	}
	return calmPercent
}
