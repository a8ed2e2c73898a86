package ui

import "testing"

// TestZoom: every page at 200 % and without motion.
func TestZoom(t *testing.T) {
	t.Parallel()
	seeded(t).drives("zoom")
}
