package overload

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// limited lets a shell set limits before it becomes the server.
func limited(t *testing.T, commands string) {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("/bin/sh is not installed")
	}
	script := filepath.Join(t.TempDir(), "errand")
	text := "#!/bin/sh\n" + commands + "\nexec '" + rig.Binary() + "' \"$@\"\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ERRAND_BINARY", script)
}

// heardOut is for how long the server hears somebody out whom it turns away, and a bit
// less. Who is slower with his question than that may get no answer.
const heardOut = 200 * time.Millisecond

// knock connects and asks for the probe, and stays connected. When this side was too slow
// to be heard it comes again.
func knock(address string) (conn net.Conn, answer *http.Response, err error) {
	for range 20 {
		begun := time.Now()
		var asked time.Time
		if conn, asked, answer, err = knockOnce(address); err == nil || asked.Sub(begun) < heardOut {
			break
		}
		if conn != nil {
			conn.Close()
		}
	}
	return conn, answer, err
}

func knockOnce(address string) (net.Conn, time.Time, *http.Response, error) {
	conn, err := net.DialTimeout("tcp", address, rig.Patience)
	if err != nil {
		return nil, time.Now(), nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(rig.Patience)); err != nil {
		return conn, time.Now(), nil, err
	}
	_, err = fmt.Fprint(conn, "GET /readyz HTTP/1.1\r\nHost: errand\r\n\r\n")
	asked := time.Now()
	if err != nil {
		return conn, asked, nil, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	return conn, asked, answer, err
}

// With 64 descriptors the server serves as many connections as leave it enough for
// its own work, tells everyone else so, and goes on when they have gone.
func TestFewDescriptors(t *testing.T) {
	limited(t, "ulimit -n 64")
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	order := map[string]any{"model": "auto", "tools": []string{"book.once"}, "prompt": rig.Steps("work", "book.once {}")}
	address := strings.TrimPrefix(s.URL, "http://")
	var (
		mu       sync.Mutex
		held     []net.Conn
		admitted int
		refused  []time.Duration
		knocking sync.WaitGroup
	)
	for range 200 {
		knocking.Go(func() {
			begun := time.Now()
			conn, answer, err := knock(address)
			took := time.Since(begun)
			mu.Lock()
			defer mu.Unlock()
			if conn != nil {
				held = append(held, conn)
			}
			switch {
			case err != nil:
				t.Errorf("a connection without an answer: %v", err)
			case answer.StatusCode == http.StatusOK:
				admitted++
			case answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "":
				refused = append(refused, took)
			default:
				t.Errorf("answered %d %v", answer.StatusCode, answer.Header)
			}
		})
	}
	knocking.Wait()
	t.Logf("%d connections, %d refused (p99 %v), %v descriptors", admitted, len(refused), p99(refused), descriptors(t, s))
	if admitted < 16 || len(refused) < 100 {
		t.Errorf("%d admitted, %d refused", admitted, len(refused))
	}
	// Who was there before can work: its run calls its model and its tool.
	for range 8 {
		var r rig.Run
		if c.Post("/v1/runs", order, &r); r.Status != "completed" {
			t.Errorf("in the crowd: %+v %+v", r, r.Error)
		}
	}
	for _, conn := range held {
		conn.Close()
	}
	w.Eventually("a new connection to be let in", func() bool {
		conn, answer, err := knock(address)
		if conn != nil {
			conn.Close()
		}
		return err == nil && answer.StatusCode == http.StatusOK
	})
	if calls := w.Tools.Ledger(); len(calls) != 8 {
		t.Errorf("%d calls", len(calls))
	}
}

// More runs than there are descriptors for their calls: each ends, or says why it
// could not.
func TestFewDescriptorsForCalls(t *testing.T) {
	limited(t, "ulimit -n 64")
	w := rig.New(t)
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	w.Model.Paces(20 * time.Millisecond)
	s := w.Start()
	l := newLoad(s)
	l.client.Transport.(*http.Transport).MaxConnsPerHost = 16
	const runs = 100
	var asking sync.WaitGroup
	for range runs {
		asking.Go(func() { l.ask(`{"model":"auto","prompt":"x","background":true}`) })
	}
	asking.Wait()
	if len(l.accepted) != runs {
		t.Fatalf("%d accepted: %.3v", len(l.accepted), l.strange)
	}
	c := s.Client()
	outcome := map[string]int{}
	for _, id := range l.accepted {
		w.Eventually("a run to end", func() bool { return c.Run(id).Over() })
		r := c.Run(id)
		outcome[r.Status]++
		if r.Status != "completed" && (r.Error == nil || r.Error.Code == "" || r.Error.Code == "internal") {
			t.Errorf("%+v %+v", r, r.Error)
		}
	}
	t.Logf("%v", outcome)
	if outcome["completed"] < runs/2 {
		t.Errorf("%v", outcome)
	}
	l.client.CloseIdleConnections()
	var r rig.Run
	if c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "after"}, &r); r.Status != "completed" {
		t.Errorf("afterwards: %+v %+v", r, r.Error)
	}
}

func descriptors(t *testing.T, s *rig.Server) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		t.Skip("there is no /proc here to count descriptors in")
	}
	return len(open)
}

// With a memory limit the server works on under load, and keeps to it.
func TestLittleMemory(t *testing.T) {
	w := rig.New(t)
	w.Env["GOMEMLIMIT"] = "128MiB"
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	s := w.Start()
	const limit = 128 << 20
	l, done := newLoad(s), make(chan struct{})
	body := `{"model":"auto","prompt":"` + strings.Repeat("many words. ", 8000) + `"}`
	go func() {
		defer close(done)
		for begun := time.Now(); len(l.accepted) < 50 && time.Since(begun) < rig.Patience; {
			l.steady(32, 4*time.Second, body) // once, but for a very slow machine
		}
	}()
	most := 0.0
	for working := true; working; {
		select {
		case <-done:
			working = false
		case <-time.After(200 * time.Millisecond):
			now := figures(t, s)
			most = max(most, now["go_memstats_sys_bytes"]-now["go_memstats_heap_released_bytes"])
		}
	}
	t.Logf("%d runs with a prompt of 96 KB, p99 %v, at most %.0f MB of %d", len(l.accepted), p99(l.acks), most/(1<<20), limit>>20)
	if len(l.accepted) < 50 || len(l.strange)+len(l.refusals) > 0 {
		t.Errorf("%d runs, %d refused, %.3v", len(l.accepted), len(l.refusals), l.strange)
	}
	if most > limit*1.1 {
		t.Errorf("it took %.0f MB", most/(1<<20))
	}
}
