package ui

import "testing"

// TestLate: answers that come late move nothing that is there already.
func TestLate(t *testing.T) {
	t.Parallel()
	seeded(t).drives("late")
}
