package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

// stored are the frames of events, by seq and type. Their ids begin with the seq;
// in the middle of a reply they have the reader's place in it, too.
func stored(frames []rig.Frame) []string {
	var list []string
	for _, f := range frames {
		if f.Event != "delta" && f.Event != "reset" {
			seq, _, _ := strings.Cut(f.ID, ".")
			list = append(list, seq+" "+f.Event)
		}
	}
	return list
}

// drafts puts the deltas' texts together as a reader does, by step; a reset drops
// what was shown of one.
func drafts(t *testing.T, frames []rig.Frame) map[int]string {
	t.Helper()
	texts := map[int]string{}
	for _, f := range frames {
		var data struct {
			Step int
			Text string
		}
		if f.Event != "delta" && f.Event != "reset" {
			continue
		}
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
			t.Fatalf("%v in %+v", err, f)
		}
		if f.Event == "reset" {
			texts[data.Step] = ""
		}
		texts[data.Step] += data.Text
	}
	return texts
}

const speech = "Grüße: fünf Wörter, dann Schluß."

// TestStreamResumesAtEveryFrame reads a run live, and then goes on from each of
// its frames, before and after a restart.
func TestStreamResumesAtEveryFrame(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Paces(5 * time.Millisecond)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	release := w.Model.Hold()
	r := background(c, "speak", []string{"book.once"}, `book.once {"n":1}`, rig.Say(speech))
	live := c.Stream(r.ID, "")
	live.Is(http.StatusOK)
	for name, want := range map[string]string{"Cache-Control": "no-cache", "X-Accel-Buffering": "no"} {
		if got := live.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	release()
	all := live.Rest()
	texts := drafts(t, all)
	if texts[2] != speech || !all[len(all)-1].Ended() || all[0].Event != "run.created" {
		t.Fatalf("%v, %+v", texts, all)
	}
	resumes(t, c, r.ID, all)
	s.Kill()
	c = w.Start().Client()
	resumes(t, c, r.ID, all)
	// A first reader of an ended run gets its log.
	if diff := cmp.Diff(stored(all), stored(c.Stream(r.ID, "").Rest())); diff != "" {
		t.Errorf("the log as a stream (-live +later):\n%s", diff)
	}
}

// resumes checks that a reader who has seen the frames up to one gets the rest of
// the events, each once, and can complete each text.
func resumes(t *testing.T, c *rig.Client, id string, all []rig.Frame) {
	t.Helper()
	for i, last := range all {
		s := c.Stream(id, last.ID)
		if i == len(all)-1 {
			s.Is(http.StatusNoContent)
			continue
		}
		s.Good()
		rest := s.Rest()
		if diff := cmp.Diff(stored(all[i+1:]), stored(rest)); diff != "" {
			t.Errorf("after frame %d, %s (-want +got):\n%s", i, last.ID, diff)
		}
		whole := drafts(t, append(append([]rig.Frame{}, all[:i+1]...), rest...))
		if last.Event == "delta" && !strings.HasPrefix(last.ID, "1.") && whole[2] != speech && whole[2] != "" {
			t.Errorf("after frame %d, %s the text is %q", i, last.ID, whole[2])
		}
	}
	if got := c.Follow(http.MethodGet, fmt.Sprintf("/v1/runs/%s/stream?after=%s", id, all[0].ID), nil).Rest(); len(stored(got)) != len(stored(all))-1 {
		t.Errorf("?after= gives %v", stored(got))
	}
}

// TestStreamOverARestart follows a run whose server is killed in the middle of a
// reply: the reader comes back with the last id and has the whole story.
func TestStreamOverARestart(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Paces(30 * time.Millisecond)
	s := w.Start()
	c := s.Client()
	text := strings.TrimSpace(strings.Repeat("word by word ", 70))
	r := background(c, "speak", nil, rig.Say("%s", text))
	live := c.Stream(r.ID, "")
	var seen []rig.Frame
	for len(drafts(t, seen)[1]) < 40 {
		f, err := live.Next()
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, f)
	}
	s.Kill()
	w.Model.Paces(0)
	if _, err := readOn(live); err == nil {
		t.Error("the stream of a killed server ended as if it were over")
	}
	c = w.Start().Client()
	rest := c.Stream(r.ID, seen[len(seen)-1].ID).Rest()
	whole := append(seen, rest...)
	if got := drafts(t, whole)[1]; got != text {
		t.Errorf("the reader has %q", got)
	}
	resets := 0
	for _, f := range rest {
		if f.Event == "reset" {
			resets++
		}
	}
	if resets != 1 {
		t.Errorf("%d resets after the restart, want 1: another attempt was made", resets)
	}
	if diff := cmp.Diff(stored(c.Stream(r.ID, "").Rest()), stored(whole)); diff != "" {
		t.Errorf("events (-log +reader):\n%s", diff)
	}
}

// readOn reads what is left; a killed server breaks the connection, which is an
// error, while an end is none.
func readOn(s *rig.Stream) (frames int, err error) {
	for {
		if _, err = s.Next(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return frames, err
		}
		frames++
	}
}

func TestPostStreamClosesAtRest(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	task := map[string]any{
		"model": "auto", "tools": []string{"book.once"}, "stream": true,
		"approval": map[string]any{"required_for": []string{"book.once"}},
		"prompt":   rig.Steps("gate", `book.once {"n":1}`, rig.Say("Booked.")),
	}
	s := c.Follow(http.MethodPost, "/v1/runs", task, "Accept", "application/json") // the body decides
	first := s.Rest()
	last := first[len(first)-1]
	if first[0].Event != "run.created" || last.Event != "model.responded" {
		t.Fatalf("%v", stored(first))
	}
	var list struct{ Data []rig.Run }
	c.Get("/v1/runs", &list)
	r := c.Run(list.Data[0].ID)
	if r.Status != "awaiting_approval" {
		t.Fatalf("%+v", r)
	}
	if rest := c.Follow(http.MethodGet, "/v1/runs/"+r.ID+"/stream?until=rest", nil, "Last-Event-ID", last.ID); rest.Status == http.StatusOK && len(rest.Rest()) != 0 {
		t.Error("until=rest shows something although the run rests")
	}
	// A reader who waits sees the decision, and the stream ends with the run.
	waiting := c.Stream(r.ID, last.ID)
	heard := waiting.Reading()
	c.Post("/v1/runs/"+r.ID+"/approve", approving(r.Actions()), nil)
	rest := rig.Await(t, "the end", heard)
	if len(rest) < 3 || rest[0].Event != "approval.decided" || !rest[len(rest)-1].Ended() {
		t.Errorf("%v", stored(rest))
	}
	// Without a gate it ends with the run.
	delete(task, "approval")
	if whole := c.Follow(http.MethodPost, "/v1/runs", task).Rest(); !whole[len(whole)-1].Ended() {
		t.Errorf("%v", stored(whole))
	}
	// An error before the first frame has a real status.
	task["model"] = "no/such"
	c.Do(http.MethodPost, "/v1/runs", task).Refused(http.StatusBadRequest, "invalid_request")
}

// TestHeartbeats waits at a run that waits: a comment comes every 10 s. A busy machine
// may tell of the last frame late, or of the comment.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	r := gated(t, c, "waiting")
	s := c.Stream(r.ID, "")
	var silence time.Time
	for {
		f, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if !f.Comment {
			silence = time.Now()
			continue
		}
		if silence.IsZero() {
			t.Fatal("the stream begins with a heartbeat")
		}
		if after := time.Since(silence); after < 5*time.Second || after > 25*time.Second {
			t.Errorf("a heartbeat after %v of silence", after)
		}
		return
	}
}

func TestStreamOfNothing(t *testing.T) {
	t.Parallel()
	c := rig.New(t).Start().Client()
	none := "/v1/runs/run_" + strings.Repeat("0", 32) + "/stream"
	c.Do(http.MethodGet, none, nil).Refused(http.StatusNotFound, "not_found")
	var r rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "hello"}, &r)
	for _, after := range []string{"x", "-1", "1.2", "1.1.1.1.1"} {
		if fault := c.Do(http.MethodGet, "/v1/runs/"+r.ID+"/stream?after="+after, nil).Refused(http.StatusBadRequest, "invalid_request"); fault.Errors["after"] == "" {
			t.Errorf("after=%s: %+v", after, fault)
		}
	}
}
