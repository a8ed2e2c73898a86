package rig

import (
	"fmt"
	"time"
)

// Run is a run as a client sees it: the fields that the tests look at.
type Run struct {
	ID         string    `json:"id"`
	Agent      *string   `json:"agent"`
	Status     string    `json:"status"`
	StopReason *string   `json:"stop_reason"`
	Prompt     string    `json:"prompt"`
	StepsUsed  int       `json:"steps_used"`
	CreatedAt  time.Time `json:"created_at"`
	Pending    []Action  `json:"pending_actions"`
	Result     *struct {
		Summary string `json:"summary"`
	} `json:"result"`
	Error *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// Action is an action that waits for a person.
type Action struct {
	Run       string         `json:"run"` // in the inbox
	ID        string         `json:"id"`
	Tool      string         `json:"tool"`
	Preview   string         `json:"preview"`
	Arguments map[string]any `json:"arguments"`
	Digest    string         `json:"digest"`
	Reason    string         `json:"reason"`
}

// Event is one entry of a run's log.
type Event struct {
	Seq  int64          `json:"seq"`
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
}

// Summary is the result's text, or "".
func (r Run) Summary() string {
	if r.Result == nil {
		return ""
	}
	return r.Result.Summary
}

// Over reports whether the status is terminal.
func (r Run) Over() bool {
	return r.Status == "completed" || r.Status == "failed" || r.Status == "cancelled"
}

// Actions are the ids of what waits.
func (r Run) Actions() []string {
	var ids []string
	for _, a := range r.Pending {
		ids = append(ids, a.ID)
	}
	return ids
}

// Run reads a run.
func (c *Client) Run(id string) Run {
	c.T.Helper()
	var r Run
	c.Get("/v1/runs/"+id, &r)
	return r
}

// Events reads a run's whole log.
func (c *Client) Events(id string) []Event {
	c.T.Helper()
	var page struct {
		Data    []Event `json:"data"`
		HasMore bool    `json:"has_more"`
	}
	c.Get("/v1/runs/"+id+"/events?limit=1000", &page)
	if page.HasMore {
		c.T.Fatalf("%s has more than 1000 events", id)
	}
	return page.Data
}

// Until waits for a run to have this status, and fails the test when it ends with
// another one.
func (c *Client) Until(id, status string) Run {
	c.T.Helper()
	deadline := time.Now().Add(Patience)
	for {
		r := c.Run(id)
		switch {
		case r.Status == status:
			return r
		case r.Over() || time.Now().After(deadline):
			c.T.Fatalf("%s is %s and not %s: %+v %+v", id, r.Status, status, r, r.Error)
		}
		Pause(10 * time.Millisecond)
	}
}

// Tool registers a tool of the world's owner, by the name of its effect class.
func (c *Client) Tool(w *World, name, effect string) {
	c.T.Helper()
	c.Post("/v1/tools", map[string]any{
		"name": name, "description": "Books something.", "effect": effect, "url": w.Tools.URL + "/" + name,
		"parameters": map[string]any{"type": "object"},
	}, nil)
}

// Steps writes a prompt that the model's endpoint performs: a first line of its
// own, and a line per turn. See Model.
func Steps(title string, turns ...string) string {
	prompt := title
	for _, turn := range turns {
		prompt += "\n" + turn
	}
	return prompt
}

// Say is a turn that answers.
func Say(format string, args ...any) string { return "= " + fmt.Sprintf(format, args...) }
