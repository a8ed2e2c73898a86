package webagent_test

import (
	"testing"

	"errand/internal/api/webagent"
	"errand/internal/model/script"
	"errand/internal/run"
)

// TestTraces: a run's number is found by the run, and only that goes.
func TestTraces(t *testing.T) {
	w := newWorld(t, script.Func(done))
	for range 2 {
		w.want(200, "POST", "/api/runs", `{"prompt":"Go there."}`)
	}
	lines, err := w.store.Runs(t.Context(), run.RunQuery{Project: "default"})
	if err != nil || len(lines) != 2 {
		t.Fatalf("%d runs, error %v", len(lines), err)
	}
	s, err := w.engine.Get(t.Context(), "default", lines[0].ID) // the newest: number 2
	if err != nil {
		t.Fatal(err)
	}
	traces := webagent.Traces(&s)
	if len(traces) != 1 {
		t.Fatalf("its traces are %+v", traces)
	}
	gone := run.RowWrite{Row: traces[0], Expect: run.AnyVersion, Delete: true}
	if err := w.store.Append(t.Context(), run.Commit{Rows: []run.RowWrite{gone}}); err != nil {
		t.Fatal(err)
	}
	w.want(404, "GET", "/api/runs/2", "")
	w.want(200, "GET", "/api/runs/1", "")
	w.want(200, "GET", "/api/tasks/2", "") // its task can be run again
	s.Spec.Dialect = "native"
	if traces := webagent.Traces(&s); traces != nil {
		t.Errorf("a run of another API has %+v", traces)
	}
}
