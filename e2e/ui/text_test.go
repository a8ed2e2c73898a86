package ui

import "testing"

// TestText: Markdown without teeth, hidden characters, exact numbers, figures.
func TestText(t *testing.T) {
	t.Parallel()
	newStage(t).drives("text")
}
