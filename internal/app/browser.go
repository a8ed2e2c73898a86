package app

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"errand/internal/file"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
	"errand/internal/tool/browser"
	"errand/internal/tool/web"
	"errand/internal/tool/web/search"
)

// screenshotTime is how long screenshots are kept: a week is enough to see what
// went wrong, and a browser makes one with every action.
const screenshotTime = 7 * 24 * time.Hour

// browserTools are the tools browser.*, present where a Chromium is found or one
// is named. Nothing is started before the first action.
func (a *assembly) browserTools(searcher *web.Searcher) []tool.Tool {
	chromium := cmp.Or(a.cfg.Chromium, browser.Find(a.path))
	if chromium == "" {
		return nil
	}
	cfg := browser.Config{
		Chromium: chromium, Dir: filepath.Join(a.cfg.Data, "browser"), Guard: a.guard, Now: a.now,
	}
	if slices.ContainsFunc(searcher.Engines(), func(name string) bool { return name != search.IndexName }) {
		cfg.Search = searcher // this server's own index is no search of the web
	}
	if a.files != nil {
		shelf := browserFiles{files: a.files, logger: a.logger, base: a.address()}
		cfg.Files, cfg.Keeper, cfg.EachStep = shelf, shelf, true
	}
	a.browser = browser.New(cfg)
	return a.browser.Tools()
}

// ended lets go of what was kept open for a run.
func (a *assembly) ended(id run.ID) {
	if a.browser != nil {
		a.browser.Release(id)
	}
}

// browserFiles are the files that a browser uploads and the screenshots that it
// takes.
type browserFiles struct {
	files  *file.Store
	logger *slog.Logger
	base   string // of addresses; empty = they are paths on this server
}

// Open opens a file for a page.
func (b browserFiles) Open(ctx context.Context, project, id string) (string, io.ReadCloser, error) {
	info, content, err := b.files.Open(ctx, project, id)
	if err != nil {
		return "", nil, err
	}
	return info.Name, content, nil
}

// Keep stores a screenshot. Where the project has no room left for one, there is
// none: what the browser does is worth more than the picture of it.
func (b browserFiles) Keep(ctx context.Context, project string, id run.ID, png []byte) (name, url string, err error) {
	kept, err := b.files.Put(ctx, file.Info{
		Project: project, Name: "screenshot.png", Type: "image/png", Purpose: file.Screenshot,
		Metadata: map[string]string{"run": "run_" + id.String()}, Keep: screenshotTime,
	}, bytes.NewReader(png))
	if problem.Is(err, problem.QuotaExceeded) {
		b.logger.Warn("no room for a screenshot", "run", id.String(), "project", project)
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("keeping a screenshot: %w", err)
	}
	return kept.ID, b.base + "/v1/files/" + kept.ID + "/content", nil
}
