// Package stream puts the streams of the real program under duress: readers that
// leave and come back, that never read, that only wait, and that hang up at every
// place.
//
// It promises that what a reader saw is held against the run's log, and text
// against what the model's endpoint has said, byte for byte; and that what the
// server holds in memory, goroutines and descriptors is its own account of it, in
// /metrics. What it may be is less without the race detector (race_off_test.go).
// ERRAND_SOAK=1 reconnects ten times as often; ERRAND_SEED sets the seed of what is
// random.
//
// To change what the model says and how it is cut into pieces, edit author_test.go;
// what a reader does, reader_test.go.
package stream

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
