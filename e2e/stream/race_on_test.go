//go:build race

package stream

import "time"

// With the race detector the program is several times as slow and larger: what is
// held then is that nothing grows out of all proportion.
const (
	silent     = 250              // readers that never read
	idleCost   = 100e3            // bytes that an idle stream may take
	silentCost = 350e3            // bytes that a reader may cost who does not read
	slowest    = 30 * time.Second // that a reader who reads may be behind the model at worst
	givenUp    = time.Minute      // in which a reader is dropped who does not read
)
