// Package audit is the log of who did what: it says what belongs into it, reads it,
// and finds out whether it is still what was written.
//
// What it promises: each act of a caller on what the server keeps (keys, agents,
// tools, webhooks …) leaves a line, and the line is in the commit of the act, so that
// neither is there without the other; lines never hold secrets; a line that was
// changed, taken out or put elsewhere is found and named.
//
// A tour: audit.go (who asks, and the lines that a commit leaves), verify.go (the
// chain of hashes), log.go (reading). Where lines are kept is a store's business; what
// people ask of runs makes its lines in run.Audits.
//
// To have another kind of object audited, edit nouns.
package audit

import (
	"context"
	"encoding/json"
	"time"

	"errand/internal/run"
)

// Who is the caller that an act goes back to.
type Who struct {
	Actor   string // id of the key
	Name    string // the key's
	Project string // the key's
	From    string // the address that the request came from
	Request string // the request's id
}

type whoKey struct{}

// With returns a context that says who asks. It travels in the context, and not as an
// argument like the caller does, because nobody between the edge and the commit
// decides anything by it: a part that forgot to hand it on would leave an act without
// its line.
func With(ctx context.Context, who Who) context.Context {
	return context.WithValue(ctx, whoKey{}, who)
}

// noun is what lines call a kind of row.
type noun struct {
	name  string
	named bool // the row's name is for people, and belongs into the line
}

// nouns are the kinds of rows whose changes are acts. Keys are not among them: what
// happens to one is told apart by package auth, which makes the lines.
func nouns(kind string) (noun, bool) {
	switch kind {
	case "agent", "tool", "webhook", "budget", "robot", "file":
		return noun{kind, kind != "file"}, true
	case "mcp_server":
		return noun{"server", true}, true
	case "mcp_pin":
		return noun{"server_tools", false}, true
	case "decide_link":
		return noun{"link", false}, true
	case "schedule", "project", "setting":
		return noun{kind, false}, true
	}
	return noun{}, false
}

// Witness completes a commit's lines and adds those for rows that a caller has
// changed. What the server changes by itself leaves only the lines that it makes.
func Witness(ctx context.Context, c *run.Commit, now time.Time) {
	who, asked := ctx.Value(whoKey{}).(Who)
	if !asked && len(c.Audit) == 0 {
		return
	}
	lines := make([]run.Audit, 0, len(c.Audit)+len(c.Rows)) // of its own: a commit may be tried again
	for i := range c.Audit {
		lines = append(lines, completed(c.Audit[i], who, now))
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		if noun, acts := nouns(row.Kind); asked && acts && !row.Check && !told(lines, row.ID) {
			lines = append(lines, completed(lineOf(row, noun), who, now))
		}
	}
	c.Audit = lines
}

// completed fills in what only the edge knows. A line that names another actor than
// the caller is about that one's act, and stays as it is. A request without a key (a
// link's) still has an address.
func completed(line run.Audit, who Who, now time.Time) run.Audit {
	if line.At.IsZero() {
		line.At = now.UTC().Truncate(time.Millisecond)
	}
	if line.Actor != "" && who.Actor != "" && line.Actor != who.Actor {
		return line
	}
	if who.Actor != "" {
		line.Actor = who.Actor
	}
	fill(&line.ActorName, who.Name)
	fill(&line.From, who.From)
	fill(&line.Request, who.Request)
	fill(&line.Project, who.Project)
	return line
}

func fill(field *string, value string) {
	if *field == "" {
		*field = value
	}
}

func told(lines []run.Audit, target string) bool {
	for i := range lines {
		if lines[i].Target == target {
			return true
		}
	}
	return false
}

func lineOf(row *run.RowWrite, noun noun) run.Audit {
	did := ".changed"
	switch {
	case row.Delete:
		did = ".deleted"
	case row.Expect == run.MustNotExist:
		did = ".created"
	}
	line := run.Audit{Project: row.Project, Action: noun.name + did, Target: row.ID}
	if noun.named && row.Name != "" {
		line.Data, _ = json.Marshal(struct { // a string is always encoded
			Name string `json:"name"`
		}{row.Name})
	}
	return line
}
