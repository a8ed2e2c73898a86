package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// collector adapts the collection of garbage to how busy the server is. Under
// load little is alive, and the runtime's own rule collects a dozen times a
// second for a tenth of the processor time: the heap may grow further then. When
// the load has gone, what it left is collected and given back, which the runtime
// puts off for minutes: a thousand streams that are only held would hold twice
// the memory that they use.
type collector struct {
	samples []metrics.Sample
	cycles  uint64
	busy    bool
}

const (
	collectorTick = 500 * time.Millisecond
	manyCycles    = 3        // in one tick: more is load, and not a start or a long list
	smallHeap     = 16 << 20 // bytes alive, above which the heap is left to the runtime's rule
	litter        = 8 << 20  // bytes of garbage that are worth a collection in a calm tick
	calmPercent   = 100      // how far the heap grows between collections: the runtime's rule
	busyPercent   = 300      // at most 16 MB become 64 MB
)

// reading is what a tick finds: collections since the start, bytes that were
// alive at the last one, and bytes that are allocated now.
type reading struct{ cycles, live, heap uint64 }

// advice is what to do about it.
type advice int

const (
	carryOn advice = iota
	growMore
	growLess
	cleanUp
)

// tend adjusts the collector twice a second until ctx ends. It is not for a
// process whose operator has set GOGC.
func (c *collector) tend(ctx context.Context) {
	c.samples = []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(c.samples)
	c.cycles = c.samples[0].Value.Uint64() // those of the start are no load
	ticker := time.NewTicker(collectorTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(c.samples)
		switch c.turn(reading{c.samples[0].Value.Uint64(), c.samples[1].Value.Uint64(), c.samples[2].Value.Uint64()}) {
		case growMore:
			debug.SetGCPercent(busyPercent)
		case growLess:
			debug.SetGCPercent(calmPercent)
		case cleanUp:
			debug.FreeOSMemory()
			metrics.Read(c.samples[:1])
			c.cycles = c.samples[0].Value.Uint64() // its own do not count as load
		}
	}
}

// turn takes the reading of one tick and says what to do.
func (c *collector) turn(now reading) advice {
	since := now.cycles - c.cycles
	c.cycles = now.cycles
	switch {
	case c.busy && (now.live > smallHeap || since == 0):
		c.busy = false
		return growLess
	case !c.busy && now.live <= smallHeap && since >= manyCycles:
		c.busy = true
		return growMore
	case !c.busy && since == 0 && now.heap > now.live+litter:
		return cleanUp
	}
	return carryOn
}
