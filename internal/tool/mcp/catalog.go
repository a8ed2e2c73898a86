package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/internal/schema"
	"errand/internal/tool"
)

// What a server may show. More of it would fill a model's window, and the row
// that its pins are in.
const (
	maxTools       = 512
	maxPages       = 64
	maxDescription = 8 << 10
	maxSchema      = 64 << 10
	maxListed      = 2 << 20 // bytes of all definitions together
)

// definition is what a model reads of a tool, and what the server says of its
// effects: exactly that is pinned.
type definition struct {
	Name        string          `json:"name"` // the server's own, as it is sent back
	Description string          `json:"description,omitempty"`
	Schema      json.RawMessage `json:"schema"`
	Hints       Hints           `json:"hints"`
}

// Hints are a server's annotations of a tool.
type Hints struct {
	ReadOnly    bool   `json:"read_only,omitempty"`
	Idempotent  bool   `json:"idempotent,omitempty"`
	Destructive *bool  `json:"destructive,omitempty"`
	OpenWorld   *bool  `json:"open_world,omitempty"`
	Title       string `json:"title,omitempty"`
}

// same reports whether nothing has changed.
func (d *definition) same(other *definition) bool { return d.digest() == other.digest() }

func (d *definition) digest() string {
	text, err := json.Marshal(d)
	if err != nil { // never: Schema was made by Marshal
		text = fmt.Appendf(nil, "%#v", d)
	}
	return tool.Digest(text)
}

// listing is a server's list, made fit to be read.
type listing struct {
	tools []definition
	left  []string // tools that were left out, each with the reason
	at    time.Time
}

// lists asks a server for all of its tools.
func lists(ctx context.Context, session *sdk.ClientSession, schemas *schema.Cache) (*listing, error) {
	made := &listing{}
	seen, size := map[string]bool{}, 0
	params := &sdk.ListToolsParams{}
	for page := 0; ; page++ {
		result, err := session.ListTools(ctx, params)
		if err != nil {
			return nil, err
		}
		for _, t := range result.Tools {
			if len(made.tools)+len(made.left) >= maxTools {
				made.left = append(made.left, fmt.Sprintf("the tools after the first %d were left out", maxTools))
				return made, nil
			}
			d, err := define(t, schemas)
			if err == nil && seen[t.Name] {
				err = errors.New("it is listed twice")
			}
			if size += len(d.Description) + len(d.Schema); err == nil && size > maxListed {
				err = fmt.Errorf("the server describes its tools in more than %d bytes", maxListed)
			}
			if err != nil {
				made.left = append(made.left, fmt.Sprintf("the tool %q was left out: %v", tool.Cut(clean(t.Name), maxName), err))
				continue
			}
			seen[t.Name] = true
			made.tools = append(made.tools, d)
		}
		if result.NextCursor == "" {
			return made, nil
		}
		if page == maxPages || result.NextCursor == params.Cursor {
			made.left = append(made.left, "the list did not end, so the rest of it was left out")
			return made, nil
		}
		params = &sdk.ListToolsParams{Cursor: result.NextCursor}
	}
}

// define makes a definition of a tool, or says why it can't be used.
func define(t *sdk.Tool, schemas *schema.Cache) (definition, error) {
	d := definition{Name: t.Name, Description: strings.TrimSpace(clean(t.Description))}
	if t.Name == "" || len(t.Name) > 256 {
		return d, errors.New("its name must have 1 to 256 characters")
	}
	if len(d.Description) > maxDescription {
		d.Description = tool.Cut(d.Description, maxDescription) + " [the rest of the description was left out]"
	}
	if a := t.Annotations; a != nil {
		d.Hints = Hints{ReadOnly: a.ReadOnlyHint, Idempotent: a.IdempotentHint, Destructive: a.DestructiveHint, OpenWorld: a.OpenWorldHint, Title: tool.Cut(clean(a.Title), maxName)}
	}
	parsed, err := cleanSchema(t.InputSchema, false)
	if err != nil {
		return d, err
	}
	object, ok := parsed.(map[string]any)
	if !ok || object["type"] != "object" {
		return d, errors.New("its schema is not one of type object")
	}
	if d.Schema, err = json.Marshal(object); err != nil {
		return d, fmt.Errorf("its schema is no JSON: %w", err)
	}
	if len(d.Schema) > maxSchema {
		return d, fmt.Errorf("its schema has more than %d bytes", maxSchema)
	}
	return d, schemas.Check(d.Schema)
}
