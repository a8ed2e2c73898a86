package ui

import "testing"

// TestAgents: a person makes an agent, is told what is wrong as it is typed, tries it
// before it is saved, changes it, compares and restores versions, and loses nothing to
// somebody else's change.
func TestAgents(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	s.drives("agents")
}
