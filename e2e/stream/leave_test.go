package stream

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// TestLeavingAtEveryEvent starts runs with a stream, and reads others', and hangs
// up behind each of their frames, behind the status line, and before any answer.
// Every run goes on to its end, with its call made once, and nothing of the
// streams is left in the server.
func TestLeavingAtEveryEvent(t *testing.T) {
	w := rig.New(t)
	w.Model.Paces(10 * time.Millisecond)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	task := func(title string, stream bool) map[string]any {
		return map[string]any{
			"model": "auto", "tools": []string{"book.once"}, "stream": stream, "background": !stream,
			"prompt": rig.Steps(title, `book.once {"n":1}`, rig.Say("one two three four five")),
		}
	}
	frames := len(c.Follow(http.MethodPost, "/v1/runs", task("whole", true)).Rest())
	round := func(name string) {
		var leaving sync.WaitGroup
		for part := range 4 {
			leaving.Go(func() {
				for stay := part - 1; stay <= frames; stay += 4 {
					leaveTheStart(c, task(fmt.Sprintf("%s start %d", name, stay), true), stay)
					var r rig.Run
					c.Post("/v1/runs", task(fmt.Sprintf("%s watch %d", name, stay), false), &r)
					leaveTheWatch(c, r.ID, stay)
				}
			})
		}
		leaving.Wait()
		settled(t, w, c)
	}
	// What the server keeps open to the model and to the tools is no leak.
	alone := func() map[string]float64 {
		w.Model.CloseClientConnections()
		w.Tools.CloseClientConnections()
		return figures(t, s.URL)
	}
	round("warm-up")
	alone()
	pause(500 * time.Millisecond)
	before, after := alone(), map[string]float64(nil)
	const rounds = 5 // a place that leaks does so twice in each, once by a start and once by a watch
	for n := range rounds {
		round(fmt.Sprint(n))
	}
	w.Eventually("nothing to be left", func() bool {
		after = alone()
		return after["errand_streams"] == 0 && after["go_goroutines"] < before["go_goroutines"]+2*rounds && after["process_open_fds"] < before["process_open_fds"]+2*rounds
	})
	runs := 1 + (1+rounds)*2*(frames+2)
	if n := len(w.Tools.Ledger()); n != runs {
		t.Errorf("%d calls of the tool by %d runs", n, runs)
	}
	t.Logf("%d runs, left at %d places; goroutines %v before, %v after; descriptors %v before, %v after",
		runs, frames+2, before["go_goroutines"], after["go_goroutines"], before["process_open_fds"], after["process_open_fds"])
}

// leaveTheStart starts a run with a stream and hangs up after so many frames; -1
// is before any answer.
func leaveTheStart(c *rig.Client, task map[string]any, stay int) {
	if stay < 0 {
		leaveAtOnce(c, "POST /v1/runs", fmt.Sprintf(`{"model":"auto","tools":["book.once"],"stream":true,"prompt":%q}`, task["prompt"]))
		return
	}
	s := c.Follow(http.MethodPost, "/v1/runs", task)
	read(c, s, stay)
}

func leaveTheWatch(c *rig.Client, run string, stay int) {
	if stay < 0 {
		leaveAtOnce(c, "GET /v1/runs/"+run+"/stream", "")
		return
	}
	read(c, c.Stream(run, ""), stay)
}

// read reads so many frames and hangs up.
func read(c *rig.Client, s *rig.Stream, frames int) {
	defer s.Close()
	if s.Status != http.StatusOK {
		c.T.Errorf("status %d: %s", s.Status, s.Body)
	}
	for range frames {
		f, err := s.Next()
		if err != nil {
			c.T.Errorf("the stream broke: %v", err)
		}
		if err != nil || f.Ended() {
			return
		}
	}
}

// leaveAtOnce sends a request and hangs up without waiting for its answer.
func leaveAtOnce(c *rig.Client, route, body string) {
	address := strings.TrimPrefix(c.URL, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		c.T.Error(err)
		return
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		route, address, c.Key, len(body), body); err != nil {
		c.T.Error(err)
	}
}

// settled waits until every run has completed.
func settled(t *testing.T, w *rig.World, c *rig.Client) {
	t.Helper()
	w.Eventually("every run's end", func() bool {
		var list struct{ Data []rig.Run }
		c.Get("/v1/runs?limit=100&status=queued,running", &list)
		return len(list.Data) == 0
	})
	var list struct{ Data []rig.Run }
	if c.Get("/v1/runs?limit=100&status=failed,cancelled,awaiting_approval", &list); len(list.Data) > 0 {
		t.Errorf("%d runs did not complete: %+v", len(list.Data), list.Data[0])
	}
}
