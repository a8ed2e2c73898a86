package wire

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"errand/internal/run"
)

// A key that asks for what it may not do leaves a line in the audit log, as a run that
// does so at a step. Whoever has a key could fill the log with such lines: so one key
// has one line a minute for each scope, and what it tries beyond that is only counted
// in the metrics.
const deniedEvery = time.Minute

// mostDenied bounds the memory for them. When it is full, all is forgotten, and a few
// lines come more often than they have to.
const mostDenied = 1024

// denials knows what has been written down lately. The zero value is ready.
type denials struct {
	mu   sync.Mutex
	last map[[2]string]time.Time
}

// news reports whether this denial has to be written down.
func (d *denials) news(key, scope string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := [2]string{key, scope}
	if last, known := d.last[at]; known && now.Sub(last) < deniedEvery {
		return false
	}
	if d.last == nil || len(d.last) >= mostDenied {
		d.last = map[[2]string]time.Time{}
	}
	d.last[at] = now
	return true
}

// deniedData is what the line says: the route that was asked for as the table has it,
// because the path itself may hold a secret.
type deniedData struct {
	Scope   string   `json:"scope,omitempty"`
	Granted []string `json:"granted"`
	Agents  []string `json:"agents,omitempty"` // the only ones that the key is for
	Route   string   `json:"route"`
}

// denied writes down that the caller was sent away for want of a scope, or because its
// key is for other agents where scope is empty. That the line can't be written changes
// nothing for the caller: it is denied all the same.
func (r *Request) denied(ctx context.Context, scope string) {
	now := r.server.cfg.Now()
	if !r.server.denials.news(r.Caller.KeyID, scope, now) {
		return
	}
	data, err := json.Marshal(deniedData{Scope: scope, Granted: r.Caller.Scopes, Agents: r.Caller.Agents, Route: r.Route.Method + " " + r.Route.Path})
	if err == nil {
		who := r.who()
		err = r.server.cfg.Rows.Append(context.WithoutCancel(ctx), run.Commit{Audit: []run.Audit{{
			At: now.UTC().Truncate(time.Millisecond), Project: who.Project, Actor: who.Actor, ActorName: who.Name, From: who.From, Request: who.Request,
			Action: "scope.denied", Target: who.Actor, Data: data,
		}}})
	}
	if err != nil {
		r.server.cfg.Logger.LogAttrs(ctx, slog.LevelError, "a denial could not be written to the audit log",
			slog.String("request_id", r.ID), slog.Any("error", err))
	}
}
