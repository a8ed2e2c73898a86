package native

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// LogLevel is from what level on this server's log is written: debug, info, warn
// or error.
type LogLevel interface {
	Level() string
	// CheckLevel reports an unknown word as an invalid_request.
	CheckLevel(word string) error
	// SetLevel holds until the server stops.
	SetLevel(word string) error
}

// levelChange is what the audit log says of a change.
type levelChange struct {
	Was string `json:"was"`
	Is  string `json:"is"`
}

type levelBody struct {
	Object string `json:"object"`
	Level  string `json:"level"`
}

func (a *API) levelRoutes() []wire.Route {
	return []wire.Route{
		{Method: "GET", Path: "/v1/system", Scope: "admin", Query: []string{"doctor"}, Handle: with(a.system, a.getSystem)},
		{Method: "GET", Path: "/v1/log-level", Scope: "admin", Handle: with(a.logLevel, a.getLevel)},
		{Method: "PUT", Path: "/v1/log-level", Scope: "admin", Handle: with(a.logLevel, a.putLevel)},
	}
}

func (a *API) logLevel() (LogLevel, error) {
	if a.cfg.Log == nil {
		return nil, problem.New(problem.NotAvailable, "The level of this server's log is fixed.")
	}
	return a.cfg.Log, nil
}

func (a *API) getLevel(_ context.Context, _ *wire.Request, log LogLevel) (wire.Response, error) {
	return wire.Response{Status: http.StatusOK, Body: levelBody{"log_level", log.Level()}}, nil
}

// putLevel leaves a line in the audit log, written first: who turns the log down to
// hide what comes next is known, or it is not turned down. Another is in the log
// itself, at a level that is always written.
func (a *API) putLevel(ctx context.Context, r *wire.Request, log LogLevel) (wire.Response, error) {
	var in struct {
		Level string `json:"level"`
	}
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	was := log.Level()
	if err := log.CheckLevel(in.Level); err != nil {
		return wire.Response{}, err
	}
	data, err := json.Marshal(levelChange{Was: was, Is: in.Level})
	if err != nil {
		return wire.Response{}, fmt.Errorf("writing down a change of the log's level: %w", err)
	}
	if err := a.cfg.Rows.Append(ctx, run.Commit{Audit: []run.Audit{{Action: "log_level.changed", Target: "log", Data: data}}}); err != nil {
		return wire.Response{}, fmt.Errorf("writing down a change of the log's level: %w", err)
	}
	if err := log.SetLevel(in.Level); err != nil {
		return wire.Response{}, err
	}
	return a.getLevel(ctx, r, log)
}
