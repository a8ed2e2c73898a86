package project

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/run"
)

// An export tells of objects as they are stored, because that is all of them; what
// APIs show is less, and each shows something else.

// transient are kinds of rows that are about what goes on now, or that hold what
// others hold: nobody misses them.
func transient(kind string) bool {
	return slices.Contains([]string{"answer", "hold", "starved", "file", "file_usage"}, kind)
}

// leftOut is what the manifest says is not in an export.
func leftOut() []string {
	return []string{
		"secrets of any sort", "remembered answers of requests, which last a day", "room that budgets keep for model calls under way",
		"waiting jobs", "the text of documents in the search index, which can be added again",
	}
}

type rowLine struct {
	Object  string          `json:"object"` // row
	Kind    string          `json:"kind"`
	ID      string          `json:"id"`
	Name    string          `json:"name,omitempty"`
	Version int64           `json:"version"`
	Created time.Time       `json:"created_at"`
	Expires time.Time       `json:"expires_at,omitzero"`
	Data    json.RawMessage `json:"data"`
}

func showRow(row *run.Row) (rowLine, error) {
	line := rowLine{Object: "row", Kind: row.Kind, ID: row.ID, Name: row.Name, Version: row.Version, Created: row.Created, Expires: row.Expires}
	var data any
	if err := json.Unmarshal(row.Data, &data); err != nil {
		return line, fmt.Errorf("reading %s %s: %w", row.Kind, row.ID, err)
	}
	if row.Kind == "tool" { // an older version has stored the values of its headers as they are
		if fields, ok := data.(map[string]any); ok {
			fields["headers"] = namesOf(fields["headers"])
		}
	}
	var err error
	line.Data, err = json.Marshal(open(data))
	return line, err
}

func namesOf(headers any) []string {
	names := []string{}
	if all, ok := headers.(map[string]any); ok {
		for name := range all {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// secretField finds fields that hold a secret, mostly a sealed one; before is
// the secret that a webhook had before.
func secretField(name string) bool {
	switch strings.ToLower(name) {
	case "secret", "before", "sealed", "sealed_headers", "keyring", "password", "credentials", "authorization", "api_key", "apikey":
		return true
	}
	return false
}

// open is a value without the fields that hold secrets. A schema may describe a
// field of such a name: an object there is no secret.
func open(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, field := range v {
			if _, object := field.(map[string]any); secretField(name) && (!object || strings.EqualFold(name, "keyring")) {
				delete(v, name)
			} else {
				v[name] = open(field)
			}
		}
	case []any:
		for i := range v {
			v[i] = open(v[i])
		}
	}
	return value
}

type keyLine struct {
	Object  string    `json:"object"` // key
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Prefix  string    `json:"prefix"`
	Scopes  []string  `json:"scopes"`
	Agents  []string  `json:"agents,omitempty"`
	Created time.Time `json:"created_at"`
	Expires time.Time `json:"expires_at,omitzero"`
	Revoked time.Time `json:"revoked_at,omitzero"`
	Used    time.Time `json:"last_used_at,omitzero"`
}

func showKey(k *auth.Key) keyLine {
	return keyLine{"key", k.ID, k.Name, k.Prefix, k.Scopes, k.Agents, k.Created.UTC(), k.Expires, k.Revoked, k.Used}
}

type runLine struct {
	Object  string         `json:"object"` // run
	ID      string         `json:"id"`
	Dialect string         `json:"dialect"`
	Agent   string         `json:"agent,omitempty"`
	Model   string         `json:"model"`
	Title   string         `json:"title"`
	Status  run.Status     `json:"status"`
	Reason  run.StopReason `json:"stop_reason,omitempty"`
	Events  int64          `json:"events"`
	Usage   run.Usage      `json:"usage"`
	Created time.Time      `json:"created_at"`
	Updated time.Time      `json:"updated_at"`
	Ended   time.Time      `json:"ended_at,omitzero"`
}

func showRun(line *run.Summary) runLine {
	return runLine{
		"run", runID(line.ID), line.Dialect, line.Agent, line.Model, line.Title, line.Status, line.StopReason, line.Seq,
		line.Usage, line.CreatedAt, line.UpdatedAt, line.EndedAt,
	}
}

func runID(id run.ID) string { return "run_" + id.String() }

type eventLine struct {
	Object string          `json:"object"` // event
	Run    string          `json:"run"`
	Seq    int64           `json:"seq"`
	At     time.Time       `json:"at"`
	Type   run.Type        `json:"type"`
	Data   json.RawMessage `json:"data,omitempty"`
}

func showEvent(id run.ID, e run.Event) (eventLine, error) {
	line := eventLine{Object: "event", Run: runID(id), Seq: e.Seq, At: e.At, Type: e.Type}
	if e.Created != nil {
		e.Created.Spec = bare(e.Created.Spec)
	}
	var err error
	line.Data, err = run.Encode(e)
	return line, err
}

// bare is a spec without the sealed credentials of the tool servers that it names,
// also for those that it hands work to.
func bare(s run.Spec) run.Spec {
	s.Servers = slices.Clone(s.Servers)
	for i := range s.Servers {
		s.Servers[i].Config = nil
	}
	s.Handoffs = slices.Clone(s.Handoffs)
	for i := range s.Handoffs {
		s.Handoffs[i].Spec = bare(s.Handoffs[i].Spec)
	}
	return s
}

type auditLine struct {
	Object  string          `json:"object"` // audit.line
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Actor   string          `json:"actor,omitempty"`
	Name    string          `json:"actor_name,omitempty"`
	From    string          `json:"from,omitempty"`
	Request string          `json:"request_id,omitempty"`
	Action  string          `json:"action"`
	Target  string          `json:"target"`
	Data    json.RawMessage `json:"data,omitempty"`
	Hash    string          `json:"hash"`
}

func showAudit(a *run.Audit) auditLine {
	return auditLine{"audit.line", a.Seq, a.At, a.Actor, a.ActorName, a.From, a.Request, a.Action, a.Target, a.Data, hex.EncodeToString(a.Hash[:])}
}

type spendLine struct {
	Object string    `json:"object"` // spend
	Day    run.Day   `json:"day"`
	Agent  string    `json:"agent,omitempty"`
	Under  string    `json:"under,omitempty"`
	Key    string    `json:"key,omitempty"`
	Model  string    `json:"model,omitempty"`
	Runs   int       `json:"runs"`
	Calls  int       `json:"calls"`
	Usage  run.Usage `json:"usage"`
}

func showSpend(s *run.Spend) spendLine {
	return spendLine{"spend", s.Day, s.Agent, s.Under, s.Key, s.Model, s.Runs, s.Calls, s.Usage}
}
