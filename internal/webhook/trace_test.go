package webhook_test

import (
	"testing"
	"time"

	"errand/internal/run"
)

// TestTraces: what is about one run is found, all of it, and nothing of another one.
func TestTraces(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.register("https://a.test/h", "*")
		w.register("https://b.test/h", "run.completed")
		gone, stays := w.run("https://own.test/x"), w.run("https://own.test/x")
		for _, s := range []*story{gone, stays} {
			s.asks()
			s.log(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_01"}, Approve: true}})
			s.completes()
		}
		time.Sleep(time.Minute)
		count := func(kind string) int {
			rows, err := w.store.Rows(t.Context(), run.RowQuery{Kind: kind, Project: project})
			if err != nil {
				t.Fatal(err)
			}
			return len(rows)
		}
		deliveries := count("webhook_delivery")
		traces, err := w.hub.Traces(t.Context(), project, gone.id)
		if err != nil || deliveries == 0 || len(traces) != 1+deliveries/2 {
			t.Fatalf("%d traces of one of two runs with %d deliveries, error %v", len(traces), deliveries, err)
		}
		var c run.Commit
		for _, row := range traces {
			c.Rows = append(c.Rows, run.RowWrite{Row: row, Expect: run.AnyVersion, Delete: true})
		}
		w.commit(c)
		if n := count("webhook_delivery"); n != deliveries/2 || count("webhook_marker") != 1 {
			t.Errorf("%d deliveries and %d markers are left, want those of the other run", n, count("webhook_marker"))
		}
		if rest, err := w.hub.Traces(t.Context(), project, stays.id); err != nil || len(rest) != 1+deliveries/2 {
			t.Errorf("the other run has %d traces (%v)", len(rest), err)
		}
	})
}
