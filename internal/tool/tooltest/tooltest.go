// Package tooltest is what every tool must satisfy. A new tool is done when Run
// passes for it, beside its own tests.
//
// It promises that a tool which passes has a legal name, a class, a schema of
// type object that holds for its own examples, a version, output within bounds,
// errors that a model may read, and calls that end soon after they are cancelled.
//
// To add a demand on all tools, edit Run.
package tooltest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/tool"
)

// promptly is how soon a cancelled call must return: the engine waits 500 ms.
const promptly = 400 * time.Millisecond

// Case is a tool with arguments to try it with.
type Case struct {
	Tool  tool.Tool
	Works []string // arguments that succeed
	Fails []string // arguments that fit the schema and fail
	Bad   []string // arguments that do not fit the schema; the call must fail too
	Slow  string   // arguments of a call that lasts until it is cancelled; empty = none
}

// Call makes a call of the tool with the arguments, as the engine would.
func Call(t tool.Tool, arguments string) run.ToolCall {
	return run.ToolCall{
		Run: run.NewID(time.Unix(1_760_000_000, 0), 1, 42), Project: "default", Action: "act_01",
		Tool: t.Describe(), Arguments: json.RawMessage(arguments), Attempt: 1,
	}
}

// Run holds the tool to everything that tools promise.
func Run(t *testing.T, c Case) {
	t.Helper()
	described := c.Tool.Describe()
	t.Run("description", func(t *testing.T) { description(t, c.Tool, described) })
	var schemas schema.Cache
	for _, arguments := range c.Works {
		if err := schemas.Validate(described.Parameters, []byte(arguments)); err != nil {
			t.Errorf("arguments %s that work do not fit the schema: %v", arguments, err)
		}
		result, err := c.Tool.Call(t.Context(), Call(c.Tool, arguments))
		if err != nil {
			t.Errorf("Call(%s) failed: %v", arguments, err)
			continue
		}
		if len(result.Output) > tool.MaxOutput || !utf8.ValidString(result.Output) || result.Output == "" {
			t.Errorf("Call(%s) gave %d bytes of output, valid UTF-8 %v; want 1 to %d", arguments, len(result.Output), utf8.ValidString(result.Output), tool.MaxOutput)
		}
	}
	for _, arguments := range c.Fails {
		if err := schemas.Validate(described.Parameters, []byte(arguments)); err != nil {
			t.Errorf("arguments %s that fail in the call do not fit the schema: %v", arguments, err)
		}
		_, err := c.Tool.Call(t.Context(), Call(c.Tool, arguments))
		public(t, arguments, err)
	}
	for _, arguments := range c.Bad {
		if err := schemas.Validate(described.Parameters, []byte(arguments)); err == nil {
			t.Errorf("arguments %s fit the schema", arguments)
		}
		_, err := c.Tool.Call(t.Context(), Call(c.Tool, arguments)) // schemas are checked elsewhere; a tool must stand without
		public(t, arguments, err)
	}
	if c.Slow != "" {
		t.Run("cancel", func(t *testing.T) { cancels(t, c) })
	}
}

func description(t *testing.T, made tool.Tool, d run.Tool) {
	if !tool.ValidName(d.Name) {
		t.Errorf("name %q is not legal", d.Name)
	}
	if d.Description == "" || d.Version == "" {
		t.Errorf("description %q and version %q must be set", d.Description, d.Version)
	}
	if d.Class != run.Safe && d.Class != run.Keyed && d.Class != run.Once {
		t.Errorf("class %q is not safe, keyed or once", d.Class)
	}
	var top struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(d.Parameters, &top); err != nil || top.Type != "object" {
		t.Errorf("parameters %s are not a schema of type object: %v", d.Parameters, err)
	}
	var schemas schema.Cache
	if err := schemas.Check(d.Parameters); err != nil {
		t.Errorf("parameters: %v", err)
	}
	if again := made.Describe(); again.Version != d.Version {
		t.Errorf("version changed from %s to %s between two looks", d.Version, again.Version)
	}
}

// public checks that a failure is a problem with words for the model.
func public(t *testing.T, arguments string, err error) {
	t.Helper()
	var found *problem.Error
	switch {
	case err == nil:
		t.Errorf("Call(%s) succeeded; want a failure", arguments)
	case !errors.As(err, &found):
		t.Errorf("Call(%s): %v is no problem with a public detail", arguments, err)
	case found.Detail == "" || found.Code == problem.Internal || len(found.Detail) > tool.MaxOutput:
		t.Errorf("Call(%s): code %s and detail %q do not help a model", arguments, found.Code, found.Detail)
	}
}

// cancels cancels a call that would last. A machine that is busy at the moment may let it
// return late, and gets more tries; a tool that does not listen is late in each.
func cancels(t *testing.T, c Case) {
	took := promptly
	for try := 0; took >= promptly && try < 5; try++ {
		took = cancelled(t, c)
	}
	if took >= promptly {
		t.Errorf("the call returned %s after its cancellation, want %s at most", took, promptly)
	}
}

// cancelled is how long a call takes to return that is cancelled in the middle.
func cancelled(t *testing.T, c Case) time.Duration {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := c.Tool.Call(ctx, Call(c.Tool, c.Slow))
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatalf("the slow call ended by itself: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	began := time.Now()
	cancel()
	select {
	case err := <-done:
		public(t, c.Slow, err)
	case <-time.After(time.Minute):
		t.Fatal("the call goes on after its cancellation")
	}
	return time.Since(began)
}
