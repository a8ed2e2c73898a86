package ui

import "testing"

// TestSettings: keys from their making to their end, what models cost, what may be
// spent, who did what, how the server is.
func TestSettings(t *testing.T) {
	t.Parallel()
	seeded(t).drives("settings")
}
