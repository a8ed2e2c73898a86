package native_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/model/script"
	"errand/internal/run"
)

// TestSearchingRuns by words, cost and age, alone and together with what indexes know.
func TestSearchingRuns(t *testing.T) {
	w := newWorld(t, script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		line := script.Say("Done.")
		line.Reply.Usage = run.Usage{Cost: run.Micros(len(req.Messages[len(req.Messages)-1].Text) * 1000)}
		return line, nil
	}))
	w.want(200, "POST", "/v1/agents", `{"name":"night-auditor","model":"default","instructions":"x","tools":[]}`)
	var ids []string
	for _, prompt := range []string{"Pay Harbour", "Chase HARBOUR paper", "Refund the florist of the lobby"} {
		ids = append(ids, w.want(201, "POST", "/v1/runs", fmt.Sprintf(`{"model":"default","prompt":%q}`, prompt)).text("id"))
	}
	ids = append(ids, w.want(200, "POST", "/v1/agents/night-auditor/run", `{"prompt":"Look"}`).text("id"))
	for query, want := range map[string]string{
		"q=harbour": "1 0", "q=paper%20chase": "1", "q=night-aud": "3", "q=AUDITOR%20look": "3", "q=nobody": "", "order=oldest": "0 1 2 3",
		"q=" + ids[2]: "2", "q=run_" + strings.ToUpper(ids[1][4:]): "1", "q=" + ids[0][:11]: "3 2 1 0", "cost_min=0.02": "2", "cost_max=0.011": "3 0",
		"cost_min=0.011&cost_max=0.02": "1 0", "q=harbour&order=oldest&limit=1": "0", "q=harbour&status=failed": "", "q=look&agent=night-auditor": "3", "": "3 2 1 0",
	} {
		got := w.want(200, "GET", "/v1/runs?"+query, "")
		var body struct{ Data []struct{ ID string } }
		got.Into(&body)
		var found []string
		for _, line := range body.Data {
			for i, id := range ids {
				if line.ID == id {
					found = append(found, fmt.Sprint(i))
				}
			}
		}
		if strings.Join(found, " ") != want {
			t.Errorf("%s: got %v, want %s", query, found, want)
		}
		if searched := got.get("searched") != nil; searched != (query != "") {
			t.Errorf("%s: %s", query, got.Body)
		}
	}
	w.want(200, "GET", "/v1/runs?q=harbour", "").has("searched.complete", true).has("searched.until", "<nil>").has("has_more", false)
	first := w.want(200, "GET", "/v1/runs?q=harbour&limit=1", "").has("searched.complete", false).has("has_more", true)
	w.want(200, "GET", "/v1/runs?q=harbour&limit=1&starting_after="+first.text("next_cursor"), "").has("data.0.id", ids[0]).has("has_more", false)
	w.want(200, "GET", "/v1/agents/night-auditor/runs?q=look", "").has("data.0.id", ids[3])
	bound := w.key(`{"name":"bound","agents":["night-auditor"]}`)
	bound.want(200, "GET", "/v1/runs?q=o", "").count("data", 1)
	for query, field := range map[string]string{
		"cost_min=much": "cost_min", "cost_max=-1": "cost_max", "cost_min=NaN": "cost_min", "order=random": "order", "include=all": "include",
		"q=" + strings.Repeat("a%20", 11): "q", "q=" + strings.Repeat("a", 201): "q",
	} {
		w.want(400, "GET", "/v1/runs?"+query, "").has("error.param", field)
	}
}

// bounded is a store in which every search has to stop after one line.
type bounded struct{ lines []run.Summary }

func (b bounded) Search(_ context.Context, q run.RunSearch) (run.RunFound, error) {
	for i := range b.lines {
		if id := b.lines[i].ID; q.Before.IsZero() || id.String() < q.Before.String() {
			return run.RunFound{Looked: 50_000, Reached: id}, nil
		}
	}
	return run.RunFound{}, nil
}

// TestASearchSaysHowFarItCame: a page without a line leads on to the next one.
func TestASearchSaysHowFarItCame(t *testing.T) {
	store, made := bounded{}, time.Date(2026, 6, 11, 12, 0, 0, 0, time.UTC)
	for i := range 3 {
		store.lines = append(store.lines, run.Summary{ID: run.NewID(made.Add(-time.Duration(i)*time.Hour), 0, 7)})
	}
	w := newWorldWith(t, script.Steps(), func(cfg *native.Config) { cfg.Search = store })
	path := ""
	for i := range store.lines {
		got := w.want(200, "GET", "/v1/runs?q=x"+path, "").count("data", 0).has("has_more", true).has("searched.complete", false).has("searched.runs", 50_000)
		if until := got.text("searched.until"); !strings.HasPrefix(until, made.Add(-time.Duration(i)*time.Hour).Format("2006-01-02T15:04:05")) {
			t.Errorf("page %d came to %s", i, until)
		}
		path = "&starting_after=" + got.text("next_cursor")
	}
	w.want(200, "GET", "/v1/runs?q=x"+path, "").has("has_more", false).has("searched.complete", true)
	none := newWorldWith(t, script.Steps(), func(cfg *native.Config) { cfg.Search = nil })
	none.want(501, "GET", "/v1/runs?q=x", "").has("error.code", "not_available")
	none.want(200, "GET", "/v1/runs", "")
}

// TestTraceOfARun: as it waits, and when it is over.
func TestTraceOfARun(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"a"}`).And("time.now", `{}`), script.Say("Done.")))
	id := w.want(201, "POST", "/v1/runs", `{"model":"default","prompt":"Mail","tools":["email.send","time.now"],"approval":{"required_for":["email.send"]}}`).text("id")
	untilStatus(t, w, id, "awaiting_approval")
	waiting := w.want(200, "GET", "/v1/runs/"+id+"/trace", "").has("end", "<nil>")
	kinds := func(r reply) string {
		var body struct {
			Spans []struct {
				Kind, ID string
				End      *string
			}
		}
		r.Into(&body)
		var all []string
		for _, s := range body.Spans {
			all = append(all, s.ID+map[bool]string{true: "…"}[s.End == nil])
		}
		return strings.Join(all, " ")
	}
	if got := kinds(waiting); !strings.HasPrefix(got, "step/1… model/1/1 ") || !strings.Contains(got, "wait/approval/act_01/1…") || !strings.Contains(got, "tool/act_02/1") {
		t.Errorf("%s", got)
	}
	w.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_01"]}`)
	untilStatus(t, w, id, "completed")
	done := w.want(200, "GET", "/v1/runs/"+id+"/trace", "").has("status", "completed")
	if got := kinds(done); strings.Contains(got, "…") || !strings.Contains(got, "model/2/1") {
		t.Errorf("%s", got)
	}
	list := w.want(200, "GET", "/v1/runs?include=strip", "").has("data.0.strip.cut", false).has("data.0.strip.spans.0.kind", "model").count("data.0.strip.spans", 5)
	if strings.Contains(string(list.Body), "step/1") {
		t.Errorf("%s", list.Body)
	}
	if plain := w.want(200, "GET", "/v1/runs", ""); plain.get("data.0.strip") != nil {
		t.Errorf("%s", plain.Body)
	}
	w.want(404, "GET", "/v1/runs/run_019eb6ce41d200004f1c9a02e6b7d3a8/trace", "")
}
