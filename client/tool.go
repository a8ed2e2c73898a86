package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Tool is what a project's agents can call.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Effect      string          `json:"effect"` // safe, keyed, once
	Origin      string          `json:"origin"` // builtin, operator, registered
	URL         string          `json:"url"`
	Scope       string          `json:"scope"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (t *Tool) UnmarshalJSON(text []byte) error {
	type plain Tool
	if err := json.Unmarshal(text, (*plain)(t)); err != nil {
		return err
	}
	t.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Tools are the tools of the key's project.
type Tools struct{ c *Client }

// Create registers a tool. The definition is a JSON object with the fields of
// POST /v1/tools: any value that encodes as one.
func (t *Tools) Create(ctx context.Context, definition any) (tool Tool, err error) {
	err = t.c.do(ctx, call{method: http.MethodPost, path: "/v1/tools", body: definition, into: &tool})
	return tool, err
}

// Update changes the fields that changes names.
func (t *Tools) Update(ctx context.Context, name string, changes any) (tool Tool, err error) {
	err = t.c.do(ctx, call{method: http.MethodPatch, path: toolPath(name), body: changes, into: &tool})
	return tool, err
}

// Get returns a tool by name.
func (t *Tools) Get(ctx context.Context, name string) (tool Tool, err error) {
	err = t.c.do(ctx, call{method: http.MethodGet, path: toolPath(name), into: &tool})
	return tool, err
}

// List returns one page of the tools that runs can call.
func (t *Tools) List(ctx context.Context, after string, limit int) (Page[Tool], error) {
	return list[Tool](ctx, t.c, call{path: "/v1/tools"}, after, limit)
}

// Delete removes a registered tool.
func (t *Tools) Delete(ctx context.Context, name string) error {
	return t.c.do(ctx, call{method: http.MethodDelete, path: toolPath(name)})
}

// Try makes one call of a tool, outside any run, and returns the server's answer.
func (t *Tools) Try(ctx context.Context, name string, arguments json.RawMessage) (answer json.RawMessage, err error) {
	body := map[string]json.RawMessage{"arguments": arguments}
	err = t.c.do(ctx, call{method: http.MethodPost, path: toolPath(name) + "/try", body: body, into: &answer})
	return answer, err
}

func toolPath(name string) string { return "/v1/tools/" + url.PathEscape(name) }

// Key is an API key. Secret is there only in the answer that made it.
type Key struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"`
	Secret    string     `json:"secret"`
	Scopes    []string   `json:"scopes"`
	Project   string     `json:"project"`
	Agents    []string   `json:"agents"`              // ids of those that it is for; nil = all, if Robots is nil, too
	Robots    []string   `json:"robots"`              // likewise
	Voice     string     `json:"voice"`               // id of the key whose voice it has where several must agree
	PerMinute *int       `json:"requests_per_minute"` // nil = as many as the server lets any key
	AtOnce    *int       `json:"runs_at_once"`        // nil = any number
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used_at"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (k *Key) UnmarshalJSON(text []byte) error {
	type plain Key
	if err := json.Unmarshal(text, (*plain)(k)); err != nil {
		return err
	}
	k.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// NewKey asks for a key.
type NewKey struct {
	Name      string     `json:"name"`
	Scopes    []string   `json:"scopes,omitempty"`
	Project   string     `json:"project,omitempty"`
	Agents    []string   `json:"agents,omitempty"` // ids or names
	Robots    []string   `json:"robots,omitempty"` // likewise
	PerMinute int        `json:"requests_per_minute,omitempty"`
	AtOnce    int        `json:"runs_at_once,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// Keys are the API keys of the key's project.
type Keys struct{ c *Client }

// Create makes a key; the answer is the only one with its secret.
func (k *Keys) Create(ctx context.Context, wanted NewKey) (key Key, err error) {
	err = k.c.do(ctx, call{method: http.MethodPost, path: "/v1/keys", body: wanted, into: &key})
	return key, err
}

// List returns one page of keys, without their secrets.
func (k *Keys) List(ctx context.Context, after string, limit int) (Page[Key], error) {
	return list[Key](ctx, k.c, call{path: "/v1/keys"}, after, limit)
}

// Revoke ends a key at once.
func (k *Keys) Revoke(ctx context.Context, id string) error {
	return k.c.do(ctx, call{method: http.MethodDelete, path: "/v1/keys/" + url.PathEscape(id)})
}

// Rotate gives a key another secret, which only this answer has. The one before works
// for as long as overlap says.
func (k *Keys) Rotate(ctx context.Context, id string, overlap time.Duration) (key Key, err error) {
	body := map[string]any{"overlap_s": int(overlap / time.Second)}
	err = k.c.do(ctx, call{method: http.MethodPost, path: "/v1/keys/" + url.PathEscape(id) + "/rotate", body: body, into: &key})
	return key, err
}
