package ui

import (
	"os"
	"testing"
	"time"
)

// TestShots makes the pictures of the documentation, of every page with a week of work
// behind it: make shots.
func TestShots(t *testing.T) {
	dir := os.Getenv("ERRAND_PICTURES")
	if dir == "" {
		t.Skip("it makes the pictures of docs/images: make shots")
	}
	s := newStage(t)
	s.Model.Plays(script(plays()))
	s.seedTools()
	s.seedAgents()
	s.small = 0
	s.Server.Terminate()
	s.history()
	s.start()
	s.Model.Paces(40 * time.Millisecond)
	s.Tools.Paces(400 * time.Millisecond)
	s.seedUnknown()
	s.seedRuns()
	s.seedRobots()
	s.seedRest()
	t.Log(s.drives("shots", dir))
}
