package project

import (
	"context"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// Gate keeps others out of projects that are being erased: requests that were let in
// before, jobs that were under way. It stands before the store. Make one with NewGate;
// a nil one is always open.
type Gate struct {
	mu   sync.RWMutex
	shut map[string]bool
}

// NewGate returns a gate that is open.
func NewGate() *Gate { return &Gate{shut: map[string]bool{}} }

// Shut lets nobody in any more but who has a Pass.
func (g *Gate) Shut(project string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut[project] = true
}

// Open lets everybody in again: a new project has the name.
func (g *Gate) Open(project string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.shut, project)
}

// Closed reports whether a project is shut.
func (g *Gate) Closed(project string) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.shut[project]
}

type passKey struct{}

// Pass is a context for what erases projects.
func Pass(ctx context.Context) context.Context { return context.WithValue(ctx, passKey{}, true) }

// Check fails for a commit that brings something into a project that is shut.
func (g *Gate) Check(ctx context.Context, c *run.Commit) error {
	if g == nil {
		return nil
	}
	g.mu.RLock()
	idle := len(g.shut) == 0
	g.mu.RUnlock()
	if idle || ctx.Value(passKey{}) != nil {
		return nil
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Project != "" && g.Closed(row.Project) {
			return erasing(row.Project)
		}
	}
	return g.CheckRuns(c)
}

// CheckRuns fails for a run that would begin in a project that is shut. One that
// another run hands its work to may: both are about to end.
func (g *Gate) CheckRuns(c *run.Commit) error {
	if g != nil && len(c.Runs) == 1 && c.Runs[0].Expected == 0 && g.Closed(c.Runs[0].Summary.Project) {
		return erasing(c.Runs[0].Summary.Project)
	}
	return nil
}

// Written opens the gate of a project that a commit has made anew: the one of this
// name before it is gone.
func (g *Gate) Written(c *run.Commit) {
	for i := range c.Rows {
		if row := &c.Rows[i]; g != nil && row.Kind == projectKind && row.Expect == run.MustNotExist {
			g.mu.Lock()
			delete(g.shut, row.ID)
			g.mu.Unlock()
		}
	}
}

// projectKind is the kind of rows that projects are.
const projectKind = "project"

func erasing(project string) error {
	return problem.New(problem.Conflict, "The project %s is being erased: nothing can begin in it.", project)
}
