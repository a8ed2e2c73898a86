package tool

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"errand/internal/problem"
	"errand/internal/run"
)

// shelf is a store of rows in memory.
type shelf struct {
	rows  []run.Row
	reads int
}

func (s *shelf) find(match func(run.Row) bool) (run.Row, error) {
	s.reads++
	for _, row := range s.rows {
		if match(row) {
			return row, nil
		}
	}
	return run.Row{}, problem.New(problem.NotFound, "no such row")
}

func (s *shelf) Row(_ context.Context, kind, project, id string) (run.Row, error) {
	return s.find(func(r run.Row) bool { return r.Kind == kind && r.Project == project && r.ID == id })
}

func (s *shelf) RowByName(_ context.Context, kind, project, name string) (run.Row, error) {
	return s.find(func(r run.Row) bool { return r.Kind == kind && r.Project == project && r.Name == name })
}

func (s *shelf) Rows(_ context.Context, q run.RowQuery) ([]run.Row, error) {
	var found []run.Row
	for _, r := range s.rows {
		if r.Kind == q.Kind && r.Project == q.Project && r.ID > q.After && len(found) < q.Limit {
			found = append(found, r)
		}
	}
	return found, nil
}

func (s *shelf) put(t *testing.T, project, id string, d Definition) {
	t.Helper()
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range s.rows {
		if row.Project == project && row.ID == id {
			s.rows[i].Data, s.rows[i].Version = data, row.Version+1
			return
		}
	}
	s.rows = append(s.rows, run.Row{Kind: RowKind, Project: project, ID: id, Name: d.Name, Version: 1, Data: data})
}

// echo is a Caller that keeps what it was asked to call.
type echo struct{ called []Definition }

func (e *echo) Call(_ context.Context, d Definition, _ run.ToolCall) (run.ToolResult, error) {
	e.called = append(e.called, d)
	return run.ToolResult{Output: d.URL}, nil
}

// fixed is a built-in tool.
type fixed string

func (f fixed) Describe() run.Tool {
	return run.Tool{Name: string(f), Class: run.Safe, Version: "1"}
}

func (f fixed) Call(context.Context, run.ToolCall) (run.ToolResult, error) {
	return run.ToolResult{Output: "built in"}, nil
}

func definition(name string) Definition {
	return Definition{Name: name, URL: "https://example.com/" + name}.WithDefaults()
}

func newSet(t *testing.T, rows *shelf) (*Set, *echo) {
	t.Helper()
	caller := &echo{}
	s, err := NewSet(Config{Builtin: []Tool{fixed("time.now")}, Defined: []Definition{definition("ops.page")}, HTTP: caller, Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	return s, caller
}

func TestPresentToolsComeFirst(t *testing.T) {
	rows := &shelf{}
	for i, name := range []string{"time.now", "ops.page", "mine"} {
		rows.put(t, "p", "tool_"+string(rune('a'+i)), definition(name))
	}
	s, _ := newSet(t, rows)
	for _, name := range []string{"time.now", "ops.page"} {
		if _, check, err := s.Current(t.Context(), "p", name); err != nil || check != nil {
			t.Errorf("%s: check %v, error %v; want the present tool, which needs no check", name, check, err)
		}
		if err := s.Free(name); !problem.Is(err, problem.Conflict) {
			t.Errorf("Free(%s) = %v, want conflict", name, err)
		}
	}
	if err := s.Free("mine"); err != nil {
		t.Errorf("Free(mine) = %v; names within a project are the store's", err)
	}
	_, check, err := s.Current(t.Context(), "p", "mine")
	want := &run.RowWrite{Row: run.Row{Kind: "tool", Project: "p", ID: "tool_c", Name: "mine"}, Expect: 1, Check: true}
	if diff := cmp.Diff(want, check); err != nil || diff != "" {
		t.Errorf("check of a registered tool: %v\n%s", err, diff)
	}
	if _, _, err := s.Current(t.Context(), "other", "mine"); !problem.Is(err, problem.NotFound) {
		t.Errorf("another project's tool: %v, want not_found", err)
	}
	entries, err := s.List(t.Context(), "p")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, e := range entries {
		listed = append(listed, e.Tool.Name+" "+string(e.Origin))
	}
	if diff := cmp.Diff([]string{"mine registered", "ops.page operator", "time.now builtin"}, listed); diff != "" {
		t.Error(diff)
	}
}

func TestLookupNamesTheIndex(t *testing.T) {
	s, _ := newSet(t, &shelf{})
	tools, err := s.Lookup(t.Context(), "p", []string{"ops.page", "time.now"})
	if err != nil || len(tools) != 2 || tools[0].Name != "ops.page" {
		t.Fatalf("got %v, %v", tools, err)
	}
	_, err = s.Lookup(t.Context(), "p", []string{"time.now", "email.send", "ops.page", "x y"})
	told := problem.From(err)
	if told.Code != problem.InvalidRequest || len(told.Fields) != 2 || told.Fields["tools[1]"] == "" || told.Fields["tools[3]"] == "" {
		t.Errorf("got %v with fields %v, want tools[1] and tools[3]", err, told.Fields)
	}
}

func TestWhatWasApprovedIsWhatRuns(t *testing.T) {
	rows := &shelf{}
	rows.put(t, "p", "tool_a", definition("mine"))
	s, caller := newSet(t, rows)
	approved, _, err := s.Current(t.Context(), "p", "mine")
	if err != nil {
		t.Fatal(err)
	}
	changed := definition("mine")
	changed.URL = "https://elsewhere.example/"
	rows.put(t, "p", "tool_a", changed)

	// The definition that was current when the call was committed is the one that runs.
	call := run.ToolCall{Project: "p", Action: "act_01", Tool: approved}
	if result, err := s.Call(t.Context(), call); err != nil || result.Output != "https://example.com/mine" {
		t.Errorf("got %v, %v, want a call of the approved definition", result, err)
	}
	now, check, err := s.Current(t.Context(), "p", "mine")
	if err != nil || now.Version == approved.Version || check.Expect != 2 {
		t.Fatalf("after a change: version %s, check %+v, %v", now.Version, check, err)
	}
	if _, err := s.Call(t.Context(), call); !problem.Is(err, problem.ToolChanged) || len(caller.called) != 1 {
		t.Errorf("a call by a definition that is gone: %v after %d calls, want a definite failure and no call", err, len(caller.called))
	}
	rows.rows = nil
	fresh, _ := newSet(t, rows)
	if _, err := fresh.Call(t.Context(), call); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("a call of a deleted tool: %v, want a definite failure", err)
	}
	builtin := run.ToolCall{Tool: run.Tool{Name: "time.now", Version: "0"}}
	if _, err := s.Call(t.Context(), builtin); !problem.Is(err, problem.ToolChanged) {
		t.Errorf("a built-in tool of another version: %v, want a definite failure", err)
	}
}

func TestNamesOnceOnly(t *testing.T) {
	for name, cfg := range map[string]Config{
		"two built-in": {Builtin: []Tool{fixed("a"), fixed("a")}},
		"one of each":  {Builtin: []Tool{fixed("a")}, Defined: []Definition{definition("a")}},
		"two defined":  {Defined: []Definition{definition("a"), definition("a")}},
		"invalid":      {Defined: []Definition{{Name: "a"}}},
	} {
		if _, err := NewSet(cfg); err == nil || !strings.Contains(err.Error(), "a") {
			t.Errorf("%s: got %v, want an error that names the tool", name, err)
		}
	}
}

func TestGetAndSecrets(t *testing.T) {
	rows := &shelf{}
	d := definition("mine")
	d.Headers = map[string]string{"Authorization": "Bearer s3cret-token", "X-Env": "1"}
	rows.put(t, "p", "tool_a", d)
	s, _ := newSet(t, rows)
	for _, key := range []string{"mine", "tool_a"} {
		e, err := s.Get(t.Context(), "p", key)
		if err != nil || e.Tool.Name != "mine" || e.RowVersion != 1 || e.Definition.Headers["Authorization"] != Masked {
			t.Errorf("Get(%s) = %+v, %v", key, e, err)
		}
		shown, _ := json.Marshal(e)
		if strings.Contains(string(shown), "s3cret") {
			t.Errorf("Get(%s) shows a header's value: %s", key, shown)
		}
	}
	if _, err := s.Get(t.Context(), "p", "tool_z"); !problem.Is(err, problem.NotFound) {
		t.Errorf("got %v, want not_found", err)
	}
	if diff := cmp.Diff([]string{"Bearer s3cret-token", "s3cret-token"}, s.Secrets()); diff != "" {
		t.Error(diff)
	}
	if e, err := s.Get(t.Context(), "p", "time.now"); err != nil || e.Origin != Builtin {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestListReadsAllPages(t *testing.T) {
	rows := &shelf{}
	for i := range listPage + 3 {
		name := "t" + strings.Repeat("x", i%40) + "." + string(rune('a'+i%26)) + json.Number(strings.Repeat("1", 1+i/100)).String()
		rows.rows = append(rows.rows, run.Row{Kind: RowKind, Project: "p", ID: "tool_" + string(rune(0x100+i)), Name: name, Version: 1, Data: []byte(`{"url":"https://example.com"}`)})
	}
	s, _ := newSet(t, rows)
	if entries, err := s.List(t.Context(), "p"); err != nil || len(entries) != listPage+3+2 {
		t.Errorf("%d entries, %v; want %d", len(entries), err, listPage+5)
	}
}

func TestBound(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		total int64
		cut   bool
	}{
		"short":             {"hello", 0, false},
		"exactly full":      {strings.Repeat("x", MaxOutput), 0, false},
		"one too many":      {strings.Repeat("x", MaxOutput+1), 0, true},
		"many wide":         {strings.Repeat("ä", MaxOutput), 0, true},
		"of a longer one":   {"begin", 1000, true},
		"of unknown":        {"begin", -1, true},
		"invalid":           {"a\xffb", 0, false},
		"grows when mended": {strings.Repeat("\xffa", MaxOutput/2), 0, true},
	} {
		got := Bound(c.text, c.total)
		if len(got) > MaxOutput || !utf8.ValidString(got) || strings.Contains(got, "[truncated") != c.cut {
			t.Errorf("%s: %d bytes, valid %v, ends in %.80q; want cut = %v", name, len(got), utf8.ValidString(got), got[max(0, len(got)-80):], c.cut)
		}
	}
}
