package fault

import (
	"slices"
	"testing"
	"time"

	"errand/e2e/rig"
)

// settleTime bounds how long all runs may take to come to rest after the last
// restart.
const settleTime = rig.Patience

// line is a run in a list.
type line struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Status string `json:"status"`
}

// listed reads all pages of a list of runs.
func listed(c *rig.Client, filter string) []line {
	var all []line
	for cursor := ""; ; {
		var page struct {
			Data       []line
			HasMore    bool   `json:"has_more"`
			NextCursor string `json:"next_cursor"`
		}
		c.Get("/v1/runs?limit=100"+filter+cursor, &page)
		all = append(all, page.Data...)
		if !page.HasMore {
			return all
		}
		cursor = "&starting_after=" + page.NextCursor
	}
}

// check holds every run, acknowledged or not, against the promises.
func check(t *testing.T, h *house, c *rig.Client) {
	t.Helper()
	deadline := time.Now().Add(settleTime)
	for {
		moving := listed(c, "&status=queued,running,paused")
		if len(moving) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d runs neither end nor wait: %+v", len(moving), moving[:min(len(moving), 5)])
		}
		rig.Pause(50 * time.Millisecond)
	}
	all := listed(c, "")
	byTitle, byID := map[string]int{}, map[string]bool{}
	for _, r := range all {
		byTitle[r.Title]++
		byID[r.ID] = true
	}
	for id, title := range h.runs {
		if !byID[id] {
			t.Errorf("%s (%s) was acknowledged and is gone", id, title)
		}
	}
	for title, n := range byTitle {
		if n != 1 {
			t.Errorf("%q was asked for under one Idempotency-Key, and there are %d runs", title, n)
		}
	}
	calls := map[string][]rig.Call{}
	for _, call := range h.w.Tools.Ledger() {
		calls[call.Run] = append(calls[call.Run], call)
	}
	unknown, completed := 0, 0
	for _, r := range all {
		v := &verdict{T: t, h: h, run: c.Run(r.ID), events: c.Events(r.ID), calls: calls[r.ID]}
		v.standing()
		v.words()
		v.effects()
		delete(calls, r.ID)
		unknown += v.unknown
		if v.run.Status == "completed" {
			completed++
		}
	}
	for id, made := range calls {
		for _, call := range made { // reading may begin before the run is on disk; acting may not
			if call.Tool != "book.safe" || h.runs[id] != "" {
				t.Errorf("a call for a run that does not exist: %+v", call)
			}
		}
	}
	for place, kind := range h.shown {
		t.Errorf("a reader was shown %s as event %d of %s, which is not in the log", kind, place.seq, place.run)
	}
	t.Logf("%d runs: %d completed, %d actions with an unknown outcome", len(all), completed, unknown)
}

// verdict is one run under examination.
type verdict struct {
	*testing.T
	h       *house
	run     rig.Run
	events  []rig.Event
	calls   []rig.Call
	unknown int // actions that became pending with reason outcome_unknown
}

// standing: the run has ended well, or waits for a stated reason.
func (v *verdict) standing() {
	switch {
	case v.run.Status == "completed":
	case v.run.Status == "awaiting_approval" && len(v.run.Pending) > 0:
		for _, a := range v.run.Pending {
			if a.Reason != "gate" && a.Reason != "outcome_unknown" {
				v.Errorf("%s: %s waits for %q", v.run.ID, a.ID, a.Reason)
			}
		}
	default:
		v.Errorf("%s is %s: %+v %+v", v.run.ID, v.run.Status, v.run, v.run.Error)
	}
	for i, e := range v.events {
		if e.Seq != int64(i+1) {
			v.Errorf("%s: event %d has seq %d", v.run.ID, i+1, e.Seq)
		}
		place := shown{v.run.ID, e.Seq}
		if was, ever := v.h.shown[place]; ever && was != e.Type {
			v.Errorf("%s: event %d is %s, and a reader was shown %s", v.run.ID, e.Seq, e.Type, was)
		}
		delete(v.h.shown, place)
		if (e.Type == "run.finished") != (v.run.Over() && i == len(v.events)-1) {
			v.Errorf("%s is %s, and event %d of %d is %s", v.run.ID, v.run.Status, i+1, len(v.events), e.Type)
		}
	}
}

// actionsOf lists the action ids that an event names.
func actionsOf(e rig.Event) []string {
	var ids []string
	if id, ok := e.Data["action_id"].(string); ok {
		ids = append(ids, id)
	}
	list, _ := e.Data["action_ids"].([]any)
	for _, id := range list {
		if id, ok := id.(string); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// approves reports which way a decision went.
func approves(e rig.Event) bool { return e.Data["decision"] == "approved" }

// decidedAt returns the events that decide an action this way.
func (v *verdict) decidedAt(action string, approve bool) []rig.Event {
	var found []rig.Event
	for _, e := range v.events {
		if e.Type != "approval.decided" || !slices.Contains(actionsOf(e), action) {
			continue
		}
		if approves(e) == approve {
			found = append(found, e)
		}
	}
	return found
}

// of returns the events of a type about an action.
func (v *verdict) of(kind, action string) []rig.Event {
	var found []rig.Event
	for _, e := range v.events {
		if e.Type == kind && slices.Contains(actionsOf(e), action) {
			found = append(found, e)
		}
	}
	return found
}

// words: every acknowledged decision is in the log, none is there that nobody has
// made, and after the last approval of an action it was begun.
func (v *verdict) words() {
	for _, said := range v.h.decisions {
		if said.run != v.run.ID {
			continue
		}
		decided := v.decidedAt(said.action, said.approve)
		if len(decided) == 0 {
			v.Errorf("%+v was acknowledged and is lost", said)
			continue
		}
		started := v.of("tool.started", said.action)
		if said.approve && (len(started) == 0 || started[len(started)-1].Seq < decided[len(decided)-1].Seq) {
			v.Errorf("%+v was acknowledged and never begun: decided at %d, started %+v", said, decided[len(decided)-1].Seq, started)
		}
	}
	for _, e := range v.events {
		if e.Type != "approval.decided" {
			continue
		}
		for _, action := range actionsOf(e) {
			if !slices.ContainsFunc(v.h.tried, func(w word) bool {
				return w.run == v.run.ID && w.action == action && w.approve == approves(e)
			}) {
				v.Errorf("%s: nobody has said %+v", v.run.ID, e)
			}
		}
	}
}

// effects: each call was intended before it was made, a once call is made as often
// as a person has allowed, a keyed one repeats with its key and its body.
func (v *verdict) effects() {
	byAction := map[string][]rig.Call{}
	for _, call := range v.calls {
		byAction[call.Action] = append(byAction[call.Action], call)
	}
	for action, calls := range byAction {
		started, first := len(v.of("tool.started", action)), calls[0]
		if first.Tool != "book.safe" && len(calls) > started {
			v.Errorf("%s %s %s: %d calls, and only %d were begun", v.run.ID, action, first.Tool, len(calls), started)
		}
		for _, call := range calls {
			if call.Key != v.run.ID+"/"+action || call.Body != first.Body || call.Tool != first.Tool {
				v.Errorf("a repetition differs: %+v, at first %+v", call, first)
			}
		}
		allowed := len(v.decidedAt(action, true))
		switch first.Tool {
		case "book.once":
			allowed++
			fallthrough
		case "pay.once":
			if len(calls) > allowed {
				v.Errorf("%s %s %s: %d calls, and %d were allowed: %+v", v.run.ID, action, first.Tool, len(calls), allowed, v.events)
			}
		}
	}
	for _, e := range v.events {
		if e.Type == "tool.finished" && e.Data["outcome"] == "unknown" {
			v.unknown++
		}
		if e.Type == "tool.finished" && e.Data["outcome"] == "ok" && len(byAction[actionsOf(e)[0]]) == 0 {
			v.Errorf("%s: %+v succeeded, and nobody was called", v.run.ID, e)
		}
	}
}
