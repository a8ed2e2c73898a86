package ui

import "testing"

// TestApprovals: a person decides by keyboard on what is exactly so, and sees what
// others have decided.
func TestApprovals(t *testing.T) {
	t.Parallel()
	seeded(t).drives("approvals")
}
