package app

import (
	"cmp"
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"errand/internal/api/native"
	"errand/internal/problem"
	"errand/internal/tool/browser"
)

// system shows the server itself to the API.
type system struct{ a *assembly }

// Standing is how the server stands now. It costs next to nothing.
func (s system) Standing(context.Context) native.Standing {
	a := s.a
	stats := a.store.Stats()
	stands := native.Standing{
		Version: version(), Go: runtime.Version(), Began: a.began, MaxActive: a.mostActive(), Chromium: a.chromium(),
		Egress: slices.Clone(a.cfg.EgressAllow), Engines: slices.Clone(a.engines), Model: a.answering(),
		Store: native.StoreStanding{
			Kind: "sqlite", Path: a.cfg.Data, File: stats.FileBytes, WAL: stats.WALBytes, Inside: stats.FreeBytes,
			Groups: stats.Groups, Commits: stats.Commits, Largest: stats.Largest, Queued: stats.Queued, Failures: stats.Failures,
		},
	}
	if path, err := filepath.Abs(a.cfg.Data); err == nil {
		stands.Store.Path = path
	}
	if a.cfg.Postgres() {
		stands.Store.Kind = "postgres"
	}
	var disk syscall.Statfs_t
	if syscall.Statfs(a.cfg.Data, &disk) == nil {
		free := int64(disk.Bavail) * int64(disk.Bsize)
		stands.Store.Disk = &free
	}
	stands.Driven, stands.Waiting, stands.Streams = a.metrics.Load()
	return stands
}

// chromium is the browser that the browser tools use; empty = there are none.
func (a *assembly) chromium() string {
	if a.browser == nil {
		return ""
	}
	return cmp.Or(a.cfg.Chromium, browser.Find(a.path))
}

// Doctor looks at what the server uses and keeps, as errand doctor does, while it runs.
// One look at a time is enough.
func (s system) Doctor(ctx context.Context) ([]native.Finding, error) {
	a := s.a
	if !a.examining.CompareAndSwap(false, true) {
		return nil, problem.New(problem.Conflict, "The server is being looked at just now: take that answer, or try again in a moment.")
	}
	defer a.examining.Store(false)
	p := &process{env: a.env, now: a.now}
	checks := []check{{what: "settings", how: cmp.Or(a.cfg.File, "no file; environment and defaults")}}
	checks = append(checks, checkSurroundings(p, &a.cfg)...)
	checks = append(checks, checkTools(ctx, p, a.cfg)...)
	checks = append(checks, checkStorage(ctx, p, a.cfg, false)...)
	checks = append(checks, checkModels(ctx, p, a.cfg)...)
	found := make([]native.Finding, len(checks))
	for i := range checks {
		c := &checks[i]
		found[i] = native.Finding{Check: c.what, Level: c.level(), Found: c.how}
		if c.err != nil {
			found[i].Found = publicText(c.err)
		}
		found[i].Found = a.redactor.Redact(found[i].Found)
	}
	return found, nil
}
