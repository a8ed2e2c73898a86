//go:build unix

package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// told is what a reader of a run's stream has been told, over any number of streams.
type told struct {
	events []rig.Event
	text   map[int]string // by step, what the deltas of the latest attempt say
	deltas int
	last   string // the latest id
	ended  bool
}

// hear takes a frame; it is an error for one to come twice or to leave one out.
func (o *told) hear(f rig.Frame) error {
	if f.Comment {
		return nil
	}
	if o.text == nil {
		o.text = map[int]string{}
	}
	o.last = f.ID
	switch f.Event {
	case "delta", "reset":
		var delta struct {
			Step int
			Text string
		}
		if err := json.Unmarshal([]byte(f.Data), &delta); err != nil {
			return err
		}
		if o.deltas++; f.Event == "reset" {
			o.text[delta.Step] = ""
		}
		o.text[delta.Step] += delta.Text
		return nil
	}
	var e rig.Event
	if err := json.Unmarshal([]byte(f.Data), &e); err != nil {
		return err
	}
	if want := int64(len(o.events) + 1); e.Seq != want {
		return fmt.Errorf("event %d (%s) came where %d was due", e.Seq, e.Type, want)
	}
	o.events, o.ended = append(o.events, e), f.Ended()
	return nil
}

// hears reads on until enough says so, or the stream ends.
func (o *told) hears(t *testing.T, s *rig.Stream, enough func() bool) {
	t.Helper()
	for !enough() {
		f, err := s.Next()
		if err == io.EOF {
			return
		}
		if err == nil {
			err = o.hear(f)
		}
		if err != nil {
			t.Fatalf("after %s: %v", o.last, err)
		}
	}
}

// exact holds what a reader was told against the log.
func (o *told) exact(log []rig.Event) error {
	if len(o.events) != len(log) {
		return fmt.Errorf("%d events were told, and the log has %d", len(o.events), len(log))
	}
	for i, e := range log {
		is, _ := json.Marshal(e)
		was, _ := json.Marshal(o.events[i])
		if string(is) != string(was) {
			return fmt.Errorf("told was %s, and the log has %s", was, is)
		}
		step, _ := e.Data["step"].(float64)
		whole, _ := e.Data["text"].(string)
		if told := o.text[int(step)]; e.Type == "model.responded" && told != "" && told != whole {
			return fmt.Errorf("step %v: told was %q, and the reply is %q", step, told, whole)
		}
	}
	return nil
}

// TestAnywhere: three nodes are one server, whichever of them is asked.
func TestAnywhere(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	for _, tool := range []string{"book.once", "book.slow"} {
		f.members[0].c.Tool(f.World, tool, "once")
	}
	for name, story := range map[string]func(*testing.T, *fleet){
		"stream": streamed, "commands": commanded, "revocation": revoked, "webhook": delivered, "schedule": fired, "expiry": expired, "settings": changed,
		"robots": conversed, "MCP": served, "files": stored, "feed": followed, "idempotency": keyed, "sessions": signed, "agents": reset, "input": answered,
	} {
		t.Run(name, func(t *testing.T) {
			story(t, f)
		})
	}
}

// streamed: started on one node, read on a second, from the middle on a third, approved
// there, and read to the end on the first.
func streamed(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	f.Model.Paces(10 * time.Millisecond)
	defer f.Model.Paces(0)
	words := strings.TrimSpace(strings.Repeat("größer und ", 600))
	f.Model.Plays(func(asked rig.Conversation) rig.Turn {
		if asked.Step() == 0 {
			return rig.Turn{Text: words, Calls: []rig.ToolCall{{Name: "book.once", Arguments: `{"n":1}`}}}
		}
		return rig.Turn{Text: "Done, and " + words}
	})
	defer f.Model.Plays(rig.FromPrompt)
	release := f.Model.Hold()
	defer release()
	r := a.order("streamed", gated("book.once"))
	var whole, late told
	here, there := b.c.Stream(r.ID, ""), c.c.Stream(r.ID, "")
	release()
	waits := func(o *told) func() bool {
		return func() bool { return len(o.events) > 0 && o.events[len(o.events)-1].Type == "model.responded" }
	}
	// On a busy machine the reply may be over before so much was read: then its rest comes
	// in one piece. But it takes so long that some of it must have come before.
	hears := func(o *told, s *rig.Stream, more int) {
		o.hears(t, s, func() bool { return o.deltas > more || waits(o)() })
	}
	began := time.Now()
	hears(&whole, here, 20)
	hears(&late, there, 5)
	t.Logf("the 20th piece of a reply was read on another node after %v", time.Since(began))
	if whole.deltas < 2 || late.deltas == 0 {
		t.Errorf("while it was written, %d and %d pieces of the reply were read", whole.deltas, late.deltas)
	}
	there.Close()
	there = b.c.Stream(r.ID, late.last) // resumed in the middle, on another node
	hears(&late, there, 40)
	there.Close()
	f.Model.Paces(0)
	whole.hears(t, here, waits(&whole))
	c.c.Until(r.ID, "awaiting_approval")
	c.approve(r)
	whole.hears(t, here, func() bool { return whole.ended })
	late.hears(t, a.c.Stream(r.ID, late.last), func() bool { return late.ended })
	log := c.c.Events(r.ID)
	for name, o := range map[string]*told{"on one node": &whole, "over three": &late} {
		if err := o.exact(log); err != nil {
			t.Errorf("read %s: %v", name, err)
		}
	}
	if n := f.called("book.once", r.ID); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// commanded: what one node drives others cancel, pause, resume and tell something.
func commanded(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	release := f.Tools.Hold("book.slow")
	defer release()
	r := a.order(rig.Steps("commanded", `book.slow {}`, rig.Say("Fine.")), uses("book.slow"))
	gone := a.order(rig.Steps("cancelled", `book.slow {}`, rig.Say("Fine.")), uses("book.slow"))
	f.soon("both calls", rig.Patience, func() bool { return f.called("book.slow", r.ID)+f.called("book.slow", gone.ID) == 2 })
	began := time.Now()
	c.c.Post("/v1/runs/"+gone.ID+"/cancel", nil, nil)
	if got := b.c.Until(gone.ID, "cancelled"); got.StopReason == nil {
		t.Errorf("%+v", got)
	}
	t.Logf("cancelled from another node after %v", time.Since(began))
	b.c.Post("/v1/runs/"+r.ID+"/messages", `{"content":"Hurry up."}`, nil)
	c.c.Post("/v1/runs/"+r.ID+"/pause", nil, nil)
	release()
	a.c.Until(r.ID, "paused")
	b.c.Post("/v1/runs/"+r.ID+"/resume", nil, nil)
	c.c.Until(r.ID, "completed")
	heard := false
	for _, call := range f.Model.Calls() {
		for _, m := range call.Of("user") {
			heard = heard || m.Text() == "Hurry up."
		}
	}
	if !heard {
		t.Error("the message did not reach the model")
	}
}

// revoked: a key that one node revokes reads nothing more on another within a moment,
// and is refused there.
func revoked(t *testing.T, f *fleet) {
	a, b := f.members[0], f.members[1]
	var key struct{ ID, Secret string }
	a.c.Post("/v1/keys", `{"name":"reader","scopes":["runs:read"]}`, &key)
	r := a.order(rig.Steps("revoked", `book.once {}`, rig.Say("Secret.")), gated("book.once"))
	a.c.Until(r.ID, "awaiting_approval")
	s := b.Client(key.Secret).Stream(r.ID, "")
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	ended := s.Reading()
	a.c.Do("DELETE", "/v1/keys/"+key.ID, nil).Is(http.StatusOK)
	refused := f.soon("the key to be refused on another node", heard+slack, func() bool {
		return b.Client(key.Secret).Do("GET", "/v1/runs/"+r.ID, nil).Status == http.StatusUnauthorized
	})
	rig.Pause(3 * time.Second) // a stream believes its key for so long
	a.approve(r)
	for _, frame := range rig.Await(t, "the stream's end", ended) {
		if strings.Contains(frame.Data, "Secret.") || frame.Event == "approval.decided" {
			t.Errorf("after the revocation: %s", frame.Data)
		}
	}
	t.Logf("a revoked key was refused on another node after %v", refused)
}

// delivered: one webhook, whoever drives, told once.
func delivered(t *testing.T, f *fleet) {
	var mu sync.Mutex
	came, of := map[string]int{}, map[string]string{} // how often, and the body
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is cut off names no run, and is missed
		mu.Lock()
		defer mu.Unlock()
		came[r.Header.Get("webhook-id")]++
		of[r.Header.Get("webhook-id")] = string(body)
	}))
	defer receiver.Close()
	var hook struct{ ID string }
	f.members[0].c.Post("/v1/webhooks", map[string]any{"url": receiver.URL, "events": []string{"run.completed"}}, &hook)
	rig.Pause(heard) // so long may other nodes take to hear of it
	const runs = 12
	var ids []string
	for i := range runs {
		ids = append(ids, f.members[i%3].order(rig.Steps(fmt.Sprintf("delivered %d", i), rig.Say("Done.")), nil).ID)
	}
	ours := func(body string) bool { // and not of another story
		return slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(body, id) })
	}
	total := func() (n, twice int) {
		mu.Lock()
		defer mu.Unlock()
		for id, times := range came {
			if !ours(of[id]) {
				continue
			}
			if n += times; times > 1 {
				twice++
			}
		}
		return n, twice
	}
	took := f.soon("all deliveries", rig.Patience, func() bool { n, _ := total(); return n >= runs })
	rig.Pause(300 * time.Millisecond)
	n, twice := total()
	t.Logf("%d deliveries after %v", n, took)
	if n != runs || twice != 0 {
		t.Errorf("%d deliveries, %d of them again", n, twice)
	}
	f.members[1].c.Do("DELETE", "/v1/webhooks/"+hook.ID, nil).Is(http.StatusOK)
}

// fired: a schedule fires once each time, not once for each node.
func fired(t *testing.T, f *fleet) {
	f.members[0].c.Post("/v1/agents", `{"name":"ticker","model":"auto","instructions":"Tick.","tools":[]}`, nil)
	var made struct{ ID string }
	began := time.Now()
	f.members[1].c.Post("/v1/schedules", map[string]any{"agent": "ticker", "every": "1s", "overlap": "allow", "input": rig.Steps("tick", rig.Say("Tick."))}, &made)
	var page struct{ Data []rig.Run }
	f.soon("two firings", rig.Patience, func() bool {
		f.members[0].c.Get("/v1/agents/ticker/runs", &page)
		return len(page.Data) >= 2
	})
	rig.Pause(1500 * time.Millisecond) // in which each node has had its chance to fire
	f.members[2].c.Do("PATCH", "/v1/schedules/"+made.ID, `{"paused":true}`).Is(http.StatusOK)
	most := int(time.Since(began)/time.Second) + 1
	f.members[0].c.Get("/v1/agents/ticker/runs", &page)
	if n := len(page.Data); n > most {
		t.Errorf("%d runs in %v", n, time.Since(began))
	}
	rig.Pause(1200 * time.Millisecond)
	before := len(page.Data)
	if f.members[2].c.Get("/v1/agents/ticker/runs", &page); len(page.Data) != before {
		t.Errorf("%d runs were started while it was paused", len(page.Data)-before)
	}
}

// expired: an approval that nobody gives is decided by silence, on some node.
func expired(t *testing.T, f *fleet) {
	r := f.members[0].order(rig.Steps("expired", `book.once {}`, rig.Say("Not booked.")), map[string]any{
		"tools": []string{"book.once"}, "approval": map[string]any{"required_for": []string{"book.once"}, "timeout": 1, "on_timeout": "reject"},
	})
	f.members[1].c.Until(r.ID, "completed")
	if n := f.called("book.once", r.ID); n != 0 {
		t.Errorf("%d calls that nobody approved", n)
	}
}

// changed: what is set up on one node holds on the others.
func changed(t *testing.T, f *fleet) {
	a, b, c := f.members[0], f.members[1], f.members[2]
	a.c.Tool(f.World, "new.read", "safe")
	took := f.soon("a tool on another node", rig.Patience, func() bool {
		return b.c.Do("GET", "/v1/tools/new.read", nil).Status == http.StatusOK && c.c.Do("GET", "/v1/tools/new.read", nil).Status == http.StatusOK
	})
	t.Logf("a new tool is there on all nodes after %v", took)
	r := c.order(rig.Steps("changed", `new.read {}`, rig.Say("Read.")), uses("new.read"))
	b.c.Until(r.ID, "completed")
	var one, other rig.Run
	a.c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "same"}, &one, "Idempotency-Key", "k-1")
	c.c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "same"}, &other, "Idempotency-Key", "k-1")
	if one.ID != other.ID {
		t.Error("one Idempotency-Key made two runs on two nodes")
	}
}

// TestClass: a run that needs a browser is driven only by a node that works on such
// runs, wherever it was ordered.
func TestClass(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 0)
	a := f.join(map[string]string{"ERRAND_QUEUES": "run,webhook,timer"})
	if a.c.Do("GET", "/v1/tools/browser.navigate", nil).Status != http.StatusOK {
		t.Skip("there is no Chromium")
	}
	r := a.order(rig.Steps("browsing", rig.Say("Seen.")), uses("browser.navigate"))
	plain := a.order(rig.Steps("plain", rig.Say("Done.")), nil)
	a.c.Until(plain.ID, "completed")
	rig.Pause(1500 * time.Millisecond)
	if n := f.asked("browsing"); n != 0 {
		t.Errorf("a node without a browser has begun: %d calls", n)
	}
	f.join(map[string]string{"ERRAND_QUEUES": "browser"})
	a.c.Until(r.ID, "completed")
}
