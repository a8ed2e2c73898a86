package native

import (
	"context"
	"net/http"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// LogLevel is from what level on this server's log is written: debug, info, warn
// or error.
type LogLevel interface {
	Level() string
	// SetLevel holds until the server stops. An unknown word is an invalid_request.
	SetLevel(word string) error
}

type levelBody struct {
	Object string `json:"object"`
	Level  string `json:"level"`
}

func (a *API) levelRoutes() []wire.Route {
	return []wire.Route{
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

// putLevel leaves its line in the log itself, at a level that is always written:
// it belongs to this process, like the level.
func (a *API) putLevel(ctx context.Context, r *wire.Request, log LogLevel) (wire.Response, error) {
	var in struct {
		Level string `json:"level"`
	}
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	if err := log.SetLevel(in.Level); err != nil {
		return wire.Response{}, err
	}
	return a.getLevel(ctx, r, log)
}
