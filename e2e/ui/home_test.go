package ui

import "testing"

// TestHome: figures, charts, what needs a person and what happened last, as they change.
func TestHome(t *testing.T) {
	t.Parallel()
	seeded(t).drives("home")
}
