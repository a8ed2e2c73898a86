package engine

import "errand/internal/run"

// Drives reports whether a driver of this engine has the run.
func (e *Engine) Drives(id run.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.drivers[id] != nil
}
