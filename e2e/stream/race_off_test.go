//go:build !race

package stream

import "time"

// The figures that the product is held to.
const (
	silent     = 1000             // readers that never read
	idleCost   = 60e3             // bytes that an idle stream may take
	silentCost = 100e3            // bytes that a reader may cost who does not read
	slowest    = 2 * time.Second  // that a reader who reads may be behind the model at worst
	givenUp    = 15 * time.Second // in which a reader is dropped who does not read
)
