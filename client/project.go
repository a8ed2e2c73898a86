package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Project owns everything: what one has, another does not see.
type Project struct {
	Name      string    `json:"name"`
	Status    string    `json:"status"` // active, erasing
	CreatedAt time.Time `json:"created_at"`
	// RetentionDays is for how many days after their end its runs are kept: nil = as
	// the server says, 0 = for ever.
	RetentionDays *int `json:"retention_days"`
	// KeptDays is what that comes to now; nil = for ever.
	KeptDays *int     `json:"kept_days"`
	Erasure  *Erasure `json:"erasure"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// Erasure says how far the removal of a project has come.
type Erasure struct {
	StartedAt time.Time      `json:"started_at"`
	By        AuditActor     `json:"by"`
	Step      string         `json:"step"`    // what goes now
	Removed   map[string]int `json:"removed"` // so far, by what it was
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (p *Project) UnmarshalJSON(text []byte) error {
	type plain Project
	if err := json.Unmarshal(text, (*plain)(p)); err != nil {
		return err
	}
	p.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Projects are those of the server. They are for its admin.
type Projects struct{ c *Client }

func projectPath(name string) string { return "/v1/projects/" + url.PathEscape(name) }

// Create makes a project.
func (p *Projects) Create(ctx context.Context, name string) (made Project, err error) {
	err = p.c.do(ctx, call{method: http.MethodPost, path: "/v1/projects", body: map[string]string{"name": name}, into: &made})
	return made, err
}

// List returns one page of projects, by name.
func (p *Projects) List(ctx context.Context, after string, limit int) (Page[Project], error) {
	return list[Project](ctx, p.c, call{path: "/v1/projects"}, after, limit)
}

// Get returns one. A project that was erased is a not_found error.
func (p *Projects) Get(ctx context.Context, name string) (found Project, err error) {
	err = p.c.do(ctx, call{method: http.MethodGet, path: projectPath(name), into: &found})
	return found, err
}

// Retain says for how many days after their end the runs of a project are kept: nil =
// as the server says, 0 = for ever. Those that are too old then go at once.
func (p *Projects) Retain(ctx context.Context, name string, days *int) (changed Project, err error) {
	body := map[string]*int{"retention_days": days}
	err = p.c.do(ctx, call{method: http.MethodPatch, path: projectPath(name), body: body, into: &changed})
	return changed, err
}

// Export returns all that a project has, one JSON object a line, for the caller to
// close. The last line is an export.end: what ends without one is not whole.
func (p *Projects) Export(ctx context.Context, name string) (io.ReadCloser, error) {
	answer, err := p.c.send(ctx, call{method: http.MethodGet, path: projectPath(name) + "/export"}, nil)
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// Erase begins to remove a project with all that it has. Its keys open nothing any
// more when it returns; the rest goes in the background.
func (p *Projects) Erase(ctx context.Context, name string) (erasing Project, err error) {
	body := map[string]string{"confirm": name}
	err = p.c.do(ctx, call{method: http.MethodDelete, path: projectPath(name), body: body, into: &erasing})
	return erasing, err
}
