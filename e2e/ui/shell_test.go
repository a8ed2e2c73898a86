package ui

import "testing"

// TestShell: finding and doing, keys, theme, coming and going.
func TestShell(t *testing.T) {
	t.Parallel()
	seeded(t).drives("shell")
}
