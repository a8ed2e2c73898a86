package app

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"errand/internal/api/native"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/config"
	"errand/internal/model/anthropic"
	"errand/internal/model/offline"
	"errand/internal/model/openai"
	"errand/internal/model/router"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/tool"
	"errand/internal/tool/clock"
	"errand/internal/tool/compute"
	"errand/internal/tool/email"
	toolhttp "errand/internal/tool/http"
	"errand/internal/tool/plan"
	"errand/internal/tool/sql"
)

// endpoints are those of the settings, by name, and those that the environment
// configures; nil when the offline model is to answer whatever there is. The first
// one's default is what the aliases mean.
func (a *assembly) endpoints(p *process, o options) []router.Endpoint {
	if o.offline {
		return nil
	}
	env := config.Environment(p.env)
	found := map[string]router.Endpoint{}
	var others []router.Endpoint
	for _, e := range router.Discover(func(name string) string { return env[name] }) {
		found[e.Name] = e
		if _, named := a.cfg.Endpoints[e.Name]; !named {
			others = append(others, e)
		}
	}
	all := []router.Endpoint{}
	for _, name := range slices.Sorted(maps.Keys(a.cfg.Endpoints)) {
		e := a.cfg.Endpoints[name]
		made := router.Endpoint{
			Name: name, BaseURL: e.URL, Key: e.Key.Reveal(), Default: e.Model, Kind: e.Kind,
			AtOnce: e.MaxConcurrent, PerMinute: e.RequestsPerMinute,
		}
		if e.URL == "" { // settings of a provider whose key, and perhaps address, the environment has
			seen, here := found[name]
			if !here && made.Key == "" && router.Known(name) {
				continue // it is not used: its limits may wait until it is
			}
			made.BaseURL, made.Key = seen.BaseURL, cmp.Or(made.Key, seen.Key)
		}
		all = append(all, made)
	}
	return append(all, others...)
}

func endpointKeys(endpoints []router.Endpoint) []string {
	var keys []string
	for _, e := range endpoints {
		keys = append(keys, e.Key)
	}
	return keys
}

func (a *assembly) newRouter(endpoints []router.Endpoint, pace time.Duration) (*router.Router, error) {
	facts := map[string]router.Facts{}
	for model, price := range a.cfg.Prices {
		facts[model] = factsOf(&price)
	}
	fallbacks := map[string][]string{}
	for model, others := range a.cfg.Fallbacks {
		if endpoints != nil { // nil: only the offline model answers, which needs none
			fallbacks[model] = others
		}
	}
	return router.New(router.Config{
		Endpoints: endpoints,
		Connect: func(e router.Endpoint) (router.Model, error) {
			if e.Kind == "anthropic" {
				return anthropic.New(anthropic.Config{Name: e.Name, BaseURL: e.BaseURL, Key: e.Key, Headers: e.Headers, Now: a.now})
			}
			return openai.New(openai.Config{Name: e.Name, BaseURL: e.BaseURL, Key: e.Key, Kind: e.Kind, Headers: e.Headers, Now: a.now})
		},
		Offline: offline.New(offline.Config{Schemas: a.schemas, Pace: pace}),
		Default: a.cfg.Model, Aliases: a.cfg.Aliases, Facts: facts, Fallbacks: fallbacks, Now: a.now,
	})
}

// lookWait is how long a model server on this machine gets to answer: it is
// there within milliseconds, or not at all.
const lookWait = 500 * time.Millisecond

// looks reports whether a model server on this machine is worth looking for.
func (a *assembly) looks() bool { return a.found == 0 && a.cfg.Model != offline.Name }

// lookForOllama adds the model server on this machine if nothing else is
// configured. Beside a configured endpoint it is not looked for: a plain model
// name would mean one thing before it was found and another after.
func (a *assembly) lookForOllama(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	if err := a.models.Probe(ctx, router.Ollama()); err != nil {
		a.logger.Debug("no Ollama on this machine", "error", err)
		return
	}
	a.logger.Info("found Ollama on this machine", "model", a.answering())
}

// answering is the model that answers where nobody names one.
func (a *assembly) answering() string {
	name, err := a.models.Resolve("default")
	if err != nil {
		return "none: " + problem.From(err).Detail
	}
	return name
}

// newTools makes the tools that are configured. Rows has those that projects
// register; nil = none.
func (a *assembly) newTools(rows tool.Rows) (*tool.Set, error) {
	guard, agent := a.guard, userAgent()
	builtin := []tool.Tool{clock.New(a.now), compute.New(a.self)}
	found, err := a.webTools(guard, agent)
	if err != nil {
		return nil, err
	}
	builtin = append(builtin, found...)
	for _, planning := range plan.All() {
		builtin = append(builtin, planning)
	}
	if a.cfg.SMTPURL != "" {
		sender, err := email.New(email.Config{URL: a.cfg.SMTPURL.Reveal(), From: a.cfg.SMTPFrom, Now: a.now})
		if err != nil {
			return nil, err
		}
		builtin = append(builtin, sender)
	}
	queries, err := sql.All(a.queries())
	if err != nil {
		return nil, err
	}
	for _, query := range queries {
		builtin = append(builtin, query)
	}
	defined, err := a.definitions()
	if err != nil {
		return nil, err
	}
	cfg := tool.Config{Builtin: builtin, Defined: defined, HTTP: toolhttp.New(guard, agent), Rows: rows}
	if rows != nil { // the data directory is there
		box, err := seal.Load(a.cfg.Data)
		if err != nil {
			return nil, err
		}
		cfg.Sealer = box
	}
	if a.servers != nil {
		cfg.Remote = a.servers
	}
	return tool.NewSet(cfg)
}

// userAgent is who this server says it is.
func userAgent() string { return "errand/" + strings.Trim(version(), "()") }

func (a *assembly) queries() map[string]sql.Query {
	queries := map[string]sql.Query{}
	for name, q := range a.cfg.SQL {
		parameters := map[string]sql.Param{}
		for param, p := range q.Parameters {
			parameters[param] = sql.Param{Type: p.Type, Description: p.Description, Enum: p.Enum, Default: p.Default, Required: p.Required}
		}
		queries[name] = sql.Query{
			DSN: q.DSN.Reveal(), Statement: q.Statement, Parameters: parameters, MaxRows: q.MaxRows,
			Description: q.Description, TimeoutS: q.TimeoutS, Scope: q.Scope,
		}
	}
	return queries
}

// definitions are the operator's HTTP tools. A field that they do not have is
// refused as it is over HTTP.
func (a *assembly) definitions() ([]tool.Definition, error) {
	var all []tool.Definition
	for _, document := range a.cfg.Tools {
		_, stored, err := toolShelf{}.Compile(nil, document.JSON)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", document.Origin, err)
		}
		var d tool.Definition
		if err := json.Unmarshal(stored, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", document.Origin, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// named lets agents find their rows by name in the store's own words.
type named struct{ recorded }

// Named returns the row with this name.
func (n named) Named(ctx context.Context, kind, project, name string) (run.Row, error) {
	return n.RowByName(ctx, kind, project, name)
}

// guest knows one more key: that of this process, which talks to itself. It is
// random, never stored, and gone with the process or when it has left.
type guest struct {
	wire.Keys
	secret string // empty = no such key
	name   string
	left   atomic.Bool
}

// Authenticate returns who holds the secret.
func (g *guest) Authenticate(ctx context.Context, secret string) (auth.Caller, error) {
	if g.secret != "" && !g.left.Load() && subtle.ConstantTimeCompare([]byte(secret), []byte(g.secret)) == 1 {
		return auth.Caller{Project: auth.DefaultProject, KeyID: "key_local", KeyName: g.name, Scopes: []string{"admin"}}, nil
	}
	return g.Keys.Authenticate(ctx, secret)
}

// toolShelf shows the set's tools to the API.
type toolShelf struct{ set *tool.Set }

// List returns all tools that the project can use, by name.
func (t toolShelf) List(ctx context.Context, project string) ([]native.Tool, error) {
	entries, err := t.set.List(ctx, project)
	if err != nil {
		return nil, err
	}
	shown := make([]native.Tool, len(entries))
	for i := range entries {
		if shown[i], err = showTool(&entries[i]); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// Get returns one tool by name, or by the id of a registered one.
func (t toolShelf) Get(ctx context.Context, project, name string) (native.Tool, error) {
	entry, err := t.set.Get(ctx, project, name)
	if err != nil {
		return native.Tool{}, err
	}
	return showTool(&entry)
}

// Call makes one call.
func (t toolShelf) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	return t.set.Call(ctx, call)
}

func showTool(e *tool.Entry) (native.Tool, error) {
	shown := native.Tool{Tool: e.Tool, Origin: string(e.Origin), ID: e.ID, Created: e.Created, RowVersion: e.RowVersion}
	if e.Definition == nil {
		return shown, nil
	}
	definition, err := json.Marshal(e.Definition)
	shown.Definition = definition
	return shown, err
}

// Compile checks a definition, which may change a stored one, and returns the tool
// that it makes and its stored form.
func (t toolShelf) Compile(before, fields json.RawMessage) (native.Tool, json.RawMessage, error) {
	d, err := t.changed(before, fields)
	if err != nil {
		return native.Tool{}, nil, err
	}
	d = d.WithDefaults()
	if err := d.Validate(); err != nil {
		return native.Tool{}, nil, err
	}
	if t.set != nil {
		if err := t.set.Free(d.Name); err != nil {
			return native.Tool{}, nil, err
		}
	}
	stored, err := t.conceal(d)
	if err != nil {
		return native.Tool{}, nil, err
	}
	public := d.Public()
	shown, err := showTool(&tool.Entry{Tool: d.Describe(), Origin: tool.Registered, Definition: &public})
	return shown, stored, err
}

// changed is a stored definition with these fields in place of its own, or a new one.
func (t toolShelf) changed(before, fields json.RawMessage) (d tool.Definition, err error) {
	if before == nil {
		return d, strictJSON(fields, &d)
	}
	var named struct{ Headers json.RawMessage }
	anew := json.Unmarshal(fields, &named) == nil && named.Headers != nil
	known, err := t.set.Reveal(before)
	if err != nil && !(anew && problem.Is(err, problem.ToolFailed)) {
		return d, err
	}
	text, err := native.Overlay(known, fields)
	if err != nil {
		return d, err
	}
	if err := strictJSON(text, &d); err != nil || anew {
		return d, err
	}
	return d, d.MayKeep(&known)
}

// conceal returns the stored form; those of the operator's files are stored nowhere.
func (t toolShelf) conceal(d tool.Definition) (json.RawMessage, error) {
	if t.set == nil {
		return json.Marshal(d)
	}
	return t.set.Conceal(d)
}

// strictJSON decodes a definition of a file and names the field that does not
// belong there; bodies of requests have been decoded strictly before.
func strictJSON(text json.RawMessage, into any) error {
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return problem.Invalid(cmp.Or(wrong.Field, "definition"), "must be a %s, not a %s", wrong.Type, wrong.Value)
	}
	return problem.New(problem.InvalidRequest, "%s", strings.TrimPrefix(err.Error(), "json: "))
}
