package store

import (
	"math"
	"time"
)

// A key that may make so many requests a minute may make them all at once, and gets them
// back evenly. What it has left is one number: the time until it has all of them again.

// Draw takes requests from what a key has left that will have all of them again after
// that time, and returns how many it could take, up to want, and the time as it is then.
func Draw(full time.Duration, limit, want int) (granted int, then time.Duration) {
	each := float64(time.Minute) / float64(limit)
	full = max(full, 0)
	left := math.Floor(float64(limit) - float64(full)/each)
	granted = min(want, max(int(left), 0))
	return granted, full + time.Duration(float64(granted)*each) // rounded down: no request gets lost by it
}
