package ui

import (
	"testing"
	"time"
)

// TestSpeed: a first paint within 100 ms on loopback, no page that loads more than
// 150 KB, font and libraries counted, and a page that stays at hand while fifty runs
// stream. It does not run beside others, whose load it would measure.
func TestSpeed(t *testing.T) {
	s := seeded(t)
	s.Model.Paces(15 * time.Millisecond)
	t.Log(s.drives("speed"))
}
