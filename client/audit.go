package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// AuditLine is a line of the log of who did what.
type AuditLine struct {
	Seq       int64           `json:"seq"`
	At        time.Time       `json:"at"`
	Project   string          `json:"project"`
	Action    string          `json:"action"` // key.created, approval.decided …
	Target    string          `json:"target"` // key_…, run_…
	Actor     *AuditActor     `json:"actor"`  // nil = the server itself
	From      string          `json:"from"`   // the address that the request came from
	RequestID string          `json:"request_id"`
	Data      json.RawMessage `json:"data"`
	Hash      string          `json:"hash"`
}

// AuditActor is the key that did something.
type AuditActor struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// AuditQuery selects lines. The zero value is all of the key's project.
type AuditQuery struct {
	Action  string
	Actor   string // id or name of a key
	Target  string
	Since   time.Time
	Project string // another one, or * for all; needs the scope admin
}

// AuditVerdict says whether the log is what was written.
type AuditVerdict struct {
	Valid bool   `json:"valid"`
	Lines int64  `json:"lines"` // that are right, from the first on
	Head  string `json:"head"`  // the last of them: note it elsewhere, and give it to the next verification
	Wrong *struct {
		Seq     int64  `json:"seq"`
		Message string `json:"message"`
	} `json:"wrong"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (v *AuditVerdict) UnmarshalJSON(text []byte) error {
	type plain AuditVerdict
	if err := json.Unmarshal(text, (*plain)(v)); err != nil {
		return err
	}
	v.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Audit is the log of who did what.
type Audit struct{ c *Client }

// List returns one page of lines, oldest first.
func (a *Audit) List(ctx context.Context, asked AuditQuery, after string, limit int) (Page[AuditLine], error) {
	query := url.Values{}
	set(query, "action", asked.Action)
	set(query, "actor", asked.Actor)
	set(query, "target", asked.Target)
	set(query, "project", asked.Project)
	if !asked.Since.IsZero() {
		query.Set("since", asked.Since.UTC().Format(time.RFC3339))
	}
	return list[AuditLine](ctx, a.c, call{path: "/v1/audit", query: query}, after, limit)
}

// Verify looks through the whole log. Head is that of an earlier verdict, which must
// still be in it; empty = none.
func (a *Audit) Verify(ctx context.Context, head string) (verdict AuditVerdict, err error) {
	query := url.Values{}
	set(query, "head", head)
	err = a.c.do(ctx, call{method: http.MethodGet, path: "/v1/audit/verify", query: query, into: &verdict})
	return verdict, err
}
