package native_test

import (
	"strings"
	"testing"

	"errand/internal/model/script"
	"errand/internal/run"
)

// frameText is a frame of a stream as a reader sees it.
type frameText struct{ id, event, data string }

func frames(t *testing.T, body []byte) []frameText {
	t.Helper()
	var all []frameText
	for _, block := range strings.Split(strings.TrimSpace(string(body)), "\n\n") {
		var f frameText
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimRight(line, "\n"), ": ")
			switch name {
			case "id":
				f.id = value
			case "event":
				f.event = value
			case "data":
				f.data = value
			}
		}
		if f != (frameText{}) {
			all = append(all, f)
		}
	}
	return all
}

func eventsOf(all []frameText) string {
	var events []string
	for _, f := range all {
		if f.event != "delta" && f.event != "run.driven" { // how many there are is a matter of time
			events = append(events, f.event)
		}
	}
	return strings.Join(events, " ")
}

// TestStream: a POST stream begins with the run's id and ends where it rests; a
// GET stream goes on from there.
func TestStream(t *testing.T) {
	w := newWorld(t, chaser())
	w.want(200, "POST", "/v1/agents", invoiceChaser)
	body := `{"prompt":"Chase.","stream":true}`
	posted := w.want(200, "POST", "/v1/agents/invoice-chaser/run", body, "Idempotency-Key", "s1")
	if kind := posted.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		t.Fatalf("Content-Type: %s", kind)
	}
	first := frames(t, posted.Body)
	const upToRest = "run.created model.responded tool.started tool.finished model.responded"
	if got := eventsOf(first); got != upToRest {
		t.Fatalf("got %s, want %s", got, upToRest)
	}
	_, rest, _ := strings.Cut(first[0].data, `"data":{"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if _, err := run.ParseID(id); err != nil || !strings.HasPrefix(first[0].data, `{"seq":1,"type":"run.created","at":"`) {
		t.Fatalf("the first frame has no id: %s", first[0].data)
	}
	last := first[len(first)-1].id

	w.want(204, "GET", "/v1/runs/"+id+"/stream?until=rest&after="+last, "")
	whole := frames(t, w.want(200, "GET", "/v1/runs/"+id+"/stream?until=rest", "").Body)
	if got := eventsOf(whole); got != upToRest {
		t.Errorf("got %s, want %s", got, upToRest)
	}
	w.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_02"]}`)
	more := frames(t, w.want(200, "GET", "/v1/runs/"+id+"/stream", "", "Last-Event-ID", last).Body)
	if got := eventsOf(more); got != "approval.decided tool.started tool.finished model.responded run.finished" {
		t.Errorf("after the approval: %s", got)
	}
	w.want(204, "GET", "/v1/runs/"+id+"/stream", "", "Last-Event-ID", more[len(more)-1].id)
	w.want(204, "GET", "/v1/runs/"+id+"/stream?after="+more[len(more)-1].id, "")
	if got := eventsOf(frames(t, w.want(200, "GET", "/v1/runs/"+id+"/stream", "").Body)); !strings.HasSuffix(got, "run.finished") {
		t.Errorf("a first reader of an ended run got %s", got)
	}
	ended := frames(t, w.want(200, "GET", "/v1/runs/"+id+"/stream?until=rest", "").Body)
	if got := eventsOf(ended); !strings.HasSuffix(got, "run.finished") {
		t.Errorf("a rest in the past ended the stream: %s", got)
	}
	repeated := w.want(200, "POST", "/v1/agents/invoice-chaser/run", body, "Idempotency-Key", "s1")
	if got := eventsOf(frames(t, repeated.Body)); got != upToRest || repeated.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("repeated: %s", got)
	}
	for _, query := range []string{"?after=x", "?after=99", "?until=noon", "?from=1"} {
		w.want(400, "GET", "/v1/runs/"+id+"/stream"+query, "").has("error.code", "invalid_request")
	}
	w.want(404, "GET", "/v1/runs/run_019eb6ce41d200004f1c9a02e6b7d3a8/stream", "")
}

// TestStreamErrors: what is wrong before the first frame has a real status.
func TestStreamErrors(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(400, "POST", "/v1/runs", `{"model":"nope","prompt":"x","stream":true}`)
	w.want(404, "POST", "/v1/agents/nobody/run", `{"prompt":"x","stream":true}`)
}

// TestOpenAndGated: a turn with an open and a gated call rests when the open one
// has ended, not before.
func TestOpenAndGated(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"a"}`).And("time.now", `{}`), script.Say("Done.")))
	posted := w.want(200, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","tools":["email.send","time.now"],"approval":{"required_for":["email.send"]},"stream":true}`)
	if got := eventsOf(frames(t, posted.Body)); got != "run.created model.responded tool.started tool.finished" {
		t.Errorf("got %s", got)
	}
}
