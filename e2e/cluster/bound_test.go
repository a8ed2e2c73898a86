//go:build unix

package cluster

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"errand/e2e/rig"
)

// issued makes a key, and returns a client with it for each node.
func (f *fleet) issued(draft map[string]any) []*rig.Client {
	f.T.Helper()
	var made struct{ Secret string }
	f.members[0].c.Post("/v1/keys", draft, &made)
	var all []*rig.Client
	for _, m := range f.members {
		all = append(all, m.Client(made.Secret))
	}
	return all
}

// TestBoundsOverNodes: what a key may do it may do on all nodes together: so many
// requests a minute, and so many runs at work, also while a node dies that has some.
func TestBoundsOverNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	rig.Pause(steady)
	t.Run("requests", func(t *testing.T) { countedTogether(t, f) })
	t.Run("runs", func(t *testing.T) { workTogether(t, f) })
}

// countedTogether: of a key's requests, asked one after the other on three nodes, as many
// are let in as the key may make, and each answer says how many are left.
func countedTogether(t *testing.T, f *fleet) {
	const limit = 30
	clients := f.issued(map[string]any{"name": "few", "requests_per_minute": limit})
	began, let := time.Now(), 0
	for n := range limit + 15 {
		answer := clients[n%3].Do(http.MethodGet, "/v1/runs", nil)
		back := int(time.Since(began) / (time.Minute / limit)) // a slow machine has had some back
		left, err := strconv.Atoi(answer.Header.Get("RateLimit-Remaining"))
		if want := limit - 1 - let; err != nil || left < max(want, 0) || left > max(want, 0)+back {
			t.Errorf("request %d: %d are left, %v; want %d", n+1, left, err, want)
		}
		switch answer.Status {
		case http.StatusOK:
			let++
		case http.StatusTooManyRequests:
			if answer.Header.Get("Retry-After") == "" {
				t.Errorf("request %d does not say when: %v", n+1, answer.Header)
			}
		default:
			t.Fatalf("request %d: %d %s", n+1, answer.Status, answer.Body)
		}
	}
	if most := limit + 1 + int(time.Since(began)/(time.Minute/limit)); let < limit || let > most {
		t.Errorf("%d requests were let in, want %d to %d", let, limit, most)
	}
}

// workTogether: twelve runs of a key for two come to three nodes. Two are at the model
// when the node dies that drives one of them: another gets its place, and all get through.
func workTogether(t *testing.T, f *fleet) {
	clients := f.issued(map[string]any{"name": "two", "runs_at_once": 2})
	f.Model.Paces(20 * time.Millisecond)
	answers := f.Model.Hold()
	var runs []rig.Run
	for n := range 12 {
		var r rig.Run
		clients[n%3].Post("/v1/runs", map[string]any{
			"model": "auto", "background": true, "prompt": rig.Steps(fmt.Sprint("laned ", n), `time.now {}`, rig.Say("It is late, is it not?")), "tools": []string{"time.now"},
		}, &r)
		runs = append(runs, r)
	}
	calls := func(count int) func() bool { return func() bool { return len(f.Model.Calls()) == count } }
	f.soon("two runs at work", rig.Patience, calls(2))
	rig.Pause(2 * time.Second) // each node has looked for places
	if n := len(f.Model.Calls()); n != 2 {
		t.Errorf("%d runs are at work", n)
	}
	f.members[0].Kill()
	f.soon("a run in the place of the dead one's", rig.Patience, calls(3))
	answers()
	for _, r := range runs {
		f.members[1].c.Until(r.ID, "completed")
	}
	if top := f.Model.Busiest(); top != 2 {
		t.Errorf("%d runs were at work at once, want 2", top)
	}
}
