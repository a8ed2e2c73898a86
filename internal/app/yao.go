package app

import "errand/internal/api/yao"

// newYao makes the robots API.
func (a *assembly) newYao() (*yao.API, error) {
	return yao.New(yao.Config{
		Engine: a.engine, Rows: a.store, Robots: a.robots, Desk: a.desk, Roster: a.robots, Lines: a.store, Keys: a.keys,
		Clocks: robotClocks{a.schedules}, Secrets: a.robots, Grants: a.keys,
		ServerURL: a.cfg.PublicURL, BasePath: a.cfg.BasePath, Version: version(), MaxPrompt: a.cfg.Limits.PromptRunes, Now: a.now,
	})
}
