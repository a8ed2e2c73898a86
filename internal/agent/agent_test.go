package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store/memory"
)

// morning is when everything here happens.
func morning() time.Time { return time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC) }

func chaser() agent.Definition {
	return agent.Definition{
		Name: "invoice-chaser", Model: "y0-agent", Instructions: "Chase.", Tools: []string{"email.send", "finance.read"},
		Approval: agent.Approval{RequiredFor: []string{"email.send"}, Timeout: 60, OnTimeout: run.RejectOnTimeout},
		MaxSteps: 8, OnUnknown: run.AskUnknown, Metadata: map[string]string{"team": "billing", "tier": "1"},
		Limits: agent.Limits{MaxTokens: 1000, MaxCost: 2_000_000, MaxToolCalls: 5}, Params: agent.Params{Effort: "low", MaxTokens: 50},
	}
}

// TestSpec folds a definition and an order; every field of both is in the spec.
func TestSpec(t *testing.T) {
	previous := run.NewID(morning(), 1, 2)
	definition := chaser()
	tools := []run.Tool{{Name: "email.send", Class: run.Once, Version: "v"}}
	got := definition.Spec(&run.AgentRef{ID: "agt_1", Name: "invoice-chaser", Version: 3}, agent.Order{
		Project: "p", Dialect: "native", Key: "key_1", Scopes: []string{"runs:write"}, Input: run.Message{Role: run.User, Text: "Go."},
		History: []run.Message{{Role: run.User, Text: "Before."}}, Previous: &previous, Fingerprint: "f", Tools: tools, Window: 8000,
		Metadata: map[string]string{"tier": "2"}, MaxSteps: 3, Output: json.RawMessage(`{"type":"object"}`), WallTime: 3600,
	})
	want := run.Spec{
		Project: "p", Dialect: "native", Agent: &run.AgentRef{ID: "agt_1", Name: "invoice-chaser", Version: 3}, Key: "key_1", Scopes: []string{"runs:write"},
		Model: "y0-agent", Window: 8000, Instructions: "Chase.", History: []run.Message{{Role: run.User, Text: "Before."}}, Input: run.Message{Role: run.User, Text: "Go."},
		Tools: tools, Gates: []string{"email.send"}, GateTimeout: 60,
		Limits: run.Limits{MaxSteps: 3, MaxTokens: 1000, MaxCost: 2_000_000, MaxToolCalls: 5, WallTime: 3600},
		Params: run.Params{Effort: "low", MaxTokens: 50}, Output: json.RawMessage(`{"type":"object"}`), Repairs: 2,
		OnUnknown: run.AskUnknown, Metadata: map[string]string{"team": "billing", "tier": "2"}, Previous: &previous, Fingerprint: "f",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(chaser(), definition); diff != "" {
		t.Errorf("the definition was changed:\n%s", diff)
	}
	definition.Limits.Timeout = 5
	plain := definition.Spec(nil, agent.Order{WallTime: 3600})
	if plain.Limits.WallTime != 5 || plain.Limits.MaxSteps != 8 || plain.Repairs != 0 {
		t.Errorf("the definition's own limits: %+v", plain)
	}
}

// TestFunctionVersion: the digest moves with everything that a model or a person
// is shown of the function.
func TestFunctionVersion(t *testing.T) {
	base := agent.Function{Name: "weather", Description: "d", Parameters: json.RawMessage(`{}`)}
	seen := map[string]bool{}
	for _, f := range []agent.Function{base, {Name: "weatherd", Parameters: base.Parameters}, {Name: "weather", Description: "d"}, {Name: "weather", Description: "e", Parameters: base.Parameters}} {
		seen[f.Tool().Version] = true
	}
	if tool := base.Tool(); len(seen) != 4 || !tool.Function || tool.Version != base.Tool().Version {
		t.Errorf("versions: %v, tool: %+v", seen, tool)
	}
}

// TestBook is the life of an agent as rows.
func TestBook(t *testing.T) {
	ctx := t.Context()
	kept := memory.New(memory.Config{Now: morning})
	defer kept.Close()
	book := agent.Book{Rows: kept}
	save := func(rows []run.RowWrite, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		return kept.Append(ctx, run.Commit{Rows: rows})
	}
	first, rows, err := agent.Create("p", agent.NewID(morning(), [5]byte{1}), "key_1", chaser(), morning())
	if err := save(rows, err); err != nil {
		t.Fatal(err)
	}
	var conflict *run.RowConflict
	_, rows, err = agent.Create("p", agent.NewID(morning(), [5]byte{2}), "key_1", chaser(), morning())
	if err := save(rows, err); !errors.As(err, &conflict) || !conflict.Name || conflict.Kind != agent.Kind {
		t.Fatalf("the same name: %v", err)
	}
	for _, id := range []string{first.ID, "invoice-chaser"} {
		if found, err := book.Find(ctx, "p", id); err != nil || !cmp.Equal(found, first) {
			t.Errorf("%s: %+v, %v", id, found, err)
		}
		if _, err := book.Find(ctx, "q", id); !problem.Is(err, problem.NotFound) {
			t.Errorf("another project: %v", err)
		}
	}
	changed := chaser()
	changed.Name = "chaser"
	second, rows, err := agent.Change("p", "key_2", first, changed, morning().Add(time.Hour))
	if err := save(rows, err); err != nil || second.Version != 2 || second.ID != first.ID || !second.CreatedAt.Equal(first.CreatedAt) {
		t.Fatalf("%+v, %v", second, err)
	}
	for _, id := range []string{first.ID, "chaser", first.ID} {
		if found, err := book.Find(ctx, "p", id); err != nil || !cmp.Equal(found, second) {
			t.Errorf("%s after the change: %+v, %v", id, found, err)
		}
	}
	if _, err := book.Find(ctx, "p", "invoice-chaser"); !problem.Is(err, problem.NotFound) {
		t.Errorf("the name that was given up: %v", err)
	}
	_, rows, err = agent.Change("p", "key_2", first, changed, morning())
	if err := save(rows, err); !errors.As(err, &conflict) || conflict.Name {
		t.Errorf("a change of an old version: %v", err)
	}
	if old, err := book.Version(ctx, "p", first.ID, 1); err != nil || !cmp.Equal(old, first) {
		t.Errorf("version 1: %+v, %v", old, err)
	}
	if err := save(agent.Delete("p", first), nil); !errors.As(err, &conflict) {
		t.Errorf("deleting what has been changed: %v", err)
	}
	if err := save(agent.Delete("p", second), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := book.Find(ctx, "p", first.ID); !problem.Is(err, problem.NotFound) {
		t.Errorf("deleted: %v", err)
	}
	versions, err := book.Versions(ctx, "p", first.ID, 0, 10)
	if err != nil || len(versions) != 2 || versions[0].Version != 2 {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	for id, want := range map[string]bool{first.ID: true, "agt_0": false} {
		if existed, err := book.Existed(ctx, "p", id); err != nil || existed != want {
			t.Errorf("%s existed: %t, %v", id, existed, err)
		}
	}
}

// TestVersionsApart: the versions of the agent before in the order of ids are not
// taken for this one's.
func TestVersionsApart(t *testing.T) {
	kept := memory.New(memory.Config{Now: morning})
	defer kept.Close()
	ids := []string{agent.NewID(morning(), [5]byte{1}), agent.NewID(morning(), [5]byte{2})}
	for i, id := range ids {
		d := chaser()
		d.Name = strings.Repeat("n", i+1)
		_, rows, err := agent.Create("p", id, "", d, morning())
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.Append(t.Context(), run.Commit{Rows: rows}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		if found, err := (&agent.Book{Rows: kept}).Versions(t.Context(), "p", id, 0, 10); err != nil || len(found) != 1 || found[0].ID != id {
			t.Errorf("%s: %+v, %v", id, found, err)
		}
	}
}

func TestCheckName(t *testing.T) {
	for _, name := range []string{"invoice-chaser", "Händler 7", "a", "runs of mine", "日本"} {
		if fault := agent.CheckName(name); fault != "" {
			t.Errorf("%q: %s", name, fault)
		}
	}
	for _, name := range []string{"", " a", "a ", "a/b", "a\nb", "agt_x", "run_x", ".", "..", "Runs", "batch", "express", "a\u200bb", strings.Repeat("n", 129)} {
		if agent.CheckName(name) == "" {
			t.Errorf("%q is taken", name)
		}
	}
}

// open is a catalog with one tool; it fails where a test says so.
type open struct{ err error }

func (o open) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	switch {
	case o.err != nil:
		return run.Tool{}, nil, o.err
	case name == "own":
		return run.Tool{Name: name}, &run.RowWrite{}, nil
	case name != "finance.read" && name != "finance.audit":
		return run.Tool{}, nil, problem.New(problem.NotFound, "no")
	}
	return run.Tool{Name: name}, nil, nil
}

func (o open) Matching(context.Context, string, string) ([]run.Tool, error) {
	return []run.Tool{{Name: "finance.read"}, {Name: "finance.audit", Scope: "audit:read"}}, o.err
}

func (open) Check(string) error { return nil }
func (open) Window(string) int  { return 0 }
func (open) Priced(string) bool { return true }

// TestCatalogFails: a store that fails is not taken for a wrong definition.
func TestCatalogFails(t *testing.T) {
	broken := errors.New("broken")
	c := agent.Catalog{Tools: open{broken}, Models: open{}, Schemas: &schema.Cache{}}
	d := chaser()
	if _, err := c.Check(t.Context(), "p", &d, agent.Faults{}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := c.InContext(t.Context(), "p", "finance"); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestContextScope: a tool of a context needs the context's scope, unless its
// operator has given it one.
func TestContextScope(t *testing.T) {
	c := agent.Catalog{Tools: open{}, Models: open{}, Schemas: &schema.Cache{}}
	got, err := c.InContext(t.Context(), "p", "finance")
	if err != nil || len(got) != 2 || got[0].Scope != "context:finance" || got[1].Scope != "audit:read" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestCeiling: the operator's word replaces the document's 16.
func TestCeiling(t *testing.T) {
	for _, test := range []struct{ operator, steps, standard, least int }{{0, 16, 8, 17}, {50, 50, 8, 51}, {5, 5, 5, 6}} {
		c := agent.Catalog{MaxSteps: test.operator}
		fine, wrong := agent.Faults{}, agent.Faults{}
		c.CheckSteps(test.steps, fine)
		c.CheckSteps(test.least, wrong)
		if len(fine) != 0 || len(wrong) != 1 || c.Steps(agent.DefaultSteps) != test.standard {
			t.Errorf("%+v: %v, %v, %d", test, fine, wrong, c.Steps(agent.DefaultSteps))
		}
	}
}
