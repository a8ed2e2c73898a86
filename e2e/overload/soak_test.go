package overload

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// soakVariable is how long the long test runs, in minutes; a fraction will do.
const soakVariable = "ERRAND_SOAK_MINUTES"

// sample is the server at one moment.
type sample struct{ heap, resident, goroutines, descriptors, wal float64 }

// TestSoak lets everything happen at once for a long time: runs that wait and that
// stream, gates approved and rejected, cancelled runs, broken streams, lists and
// requests that are refused. What the server needs for it must not grow.
func TestSoak(t *testing.T) {
	minutes, err := strconv.ParseFloat(os.Getenv(soakVariable), 64)
	if err != nil && os.Getenv(soakVariable) != "" {
		t.Fatalf("%s: %v", soakVariable, err)
	}
	if minutes == 0 {
		t.Skipf("takes its time: set %s", soakVariable)
	}
	lasts := time.Duration(minutes * float64(time.Minute))
	w := rig.New(t)
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	w.Model.Plays(func(c rig.Conversation) rig.Turn { // the rig's own script keeps every conversation
		if c.Step() > 0 || !strings.HasPrefix(c.Prompt(), "act") {
			return rig.Turn{Text: "One word after the other, so that there is something to be streamed."}
		}
		return rig.Turn{Calls: []rig.ToolCall{{Name: "book.keyed", Arguments: `{"n":9007199254740993}`}}}
	})
	s := w.Start()
	s.Client().Tool(w, "book.keyed", "keyed")
	h := &household{t: t, s: s, until: time.Now().Add(lasts), done: map[string]int{}}
	var working sync.WaitGroup
	for _, chore := range []func(*rig.Client){h.wait, h.wait, h.stream, h.hangUp, h.approve, h.reject, h.cancel, h.look, h.mistake} {
		working.Go(func() { h.repeat(chore) })
	}
	var samples []sample
	every := max(lasts/240, 250*time.Millisecond)
	for time.Now().Before(h.until) {
		rig.Pause(every)
		samples = append(samples, measure(t, w, s))
	}
	working.Wait()
	t.Logf("%v in %v", h.done, lasts)
	flat(t, samples)
	for chore, n := range h.done {
		if n < 5 {
			t.Errorf("%s was done %d times", chore, n)
		}
	}
}

func measure(t *testing.T, w *rig.World, s *rig.Server) sample {
	t.Helper()
	now := figures(t, s)
	wal, err := os.Stat(filepath.Join(w.Data(), "errand.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	return sample{
		heap: now["go_memstats_heap_inuse_bytes"], resident: now["process_resident_memory_bytes"], goroutines: now["go_goroutines"],
		descriptors: now["process_open_fds"], wal: float64(wal.Size()),
	}
}

// flat holds the last quarter of the time to the second: by then caches and pools
// are full. Each may vary by what its work needs.
func flat(t *testing.T, samples []sample) {
	t.Helper()
	if len(samples) < 16 {
		t.Fatalf("%d samples say nothing: let it run for longer", len(samples))
	}
	for _, figure := range []struct {
		name  string
		of    func(sample) float64
		slack float64
	}{
		{"heap, MB", func(s sample) float64 { return s.heap / (1 << 20) }, 16},
		{"resident, MB", func(s sample) float64 { return s.resident / (1 << 20) }, 32},
		{"goroutines", func(s sample) float64 { return s.goroutines }, 30},
		{"descriptors", func(s sample) float64 { return s.descriptors }, 20},
		{"write-ahead log, MB", func(s sample) float64 { return s.wal / (1 << 20) }, 64}, // from where it is truncated
	} {
		var all []float64
		for _, s := range samples {
			all = append(all, figure.of(s))
		}
		early, late := median(all[len(all)/4:len(all)/2]), median(all[len(all)*3/4:])
		t.Logf("%-20s %8.1f -> %8.1f, at most %.1f", figure.name, early, late, slices.Max(all))
		if late > early*1.2+figure.slack {
			t.Errorf("%s has grown from %.1f to %.1f", figure.name, early, late)
		}
	}
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// household are the clients of the long test.
type household struct {
	t     *testing.T
	s     *rig.Server
	until time.Time

	mu   sync.Mutex
	done map[string]int
}

func (h *household) repeat(chore func(*rig.Client)) {
	c := h.s.Client()
	for time.Now().Before(h.until) && !h.t.Failed() {
		chore(c)
		rig.Pause(20 * time.Millisecond)
	}
}

func (h *household) count(what string, fits bool, said any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done[what]++
	if !fits {
		h.t.Errorf("%s: %+v", what, said)
	}
}

// make asks for a run. Client.Post may not be used: it may fail only in the test's
// own goroutine.
func (h *household) make(c *rig.Client, more string) (r rig.Run, fits bool) {
	got, err := c.Try(http.MethodPost, "/v1/runs", `{"model":"auto",`+more+`}`)
	fits = err == nil && got.Status == http.StatusCreated
	if fits {
		got.Into(&r)
	} else {
		h.t.Errorf("%v %d %s", err, got.Status, got.Body)
	}
	return r, fits
}

const (
	acting = `"prompt":"act","tools":["book.keyed"]`
	gated  = acting + `,"approval":{"required_for":["book.keyed"]}`
)

func (h *household) wait(c *rig.Client) {
	if r, ok := h.make(c, acting); ok {
		h.count("run", r.Status == "completed", r)
	}
}

func (h *household) stream(c *rig.Client) {
	s, err := c.TryFollow(http.MethodPost, "/v1/runs", `{"model":"auto","prompt":"talk","stream":true}`)
	if err != nil {
		h.count("stream", false, err)
		return
	}
	defer s.Close()
	ended := false
	for {
		frame, err := s.Next()
		if err != nil {
			h.count("stream", errors.Is(err, io.EOF) && ended, err)
			return
		}
		ended = frame.Ended()
	}
}

// hangUp leaves a stream in the middle.
func (h *household) hangUp(c *rig.Client) {
	s, err := c.TryFollow(http.MethodPost, "/v1/runs", `{"model":"auto","prompt":"talk","stream":true}`)
	if err == nil {
		_, err = s.Next()
		s.Close()
	}
	h.count("broken stream", err == nil, err)
}

func (h *household) approve(c *rig.Client) { h.decide(c, "approve", `{"action_ids":["act_01"]}`) }
func (h *household) reject(c *rig.Client) {
	h.decide(c, "reject", `{"action_ids":["act_01"],"reject":true}`)
}

func (h *household) decide(c *rig.Client, what, body string) {
	r, ok := h.make(c, gated)
	if !ok {
		return
	}
	got, err := c.Try(http.MethodPost, "/v1/runs/"+r.ID+"/approve", body)
	h.count(what, err == nil && got.Status == http.StatusOK && r.Status == "awaiting_approval", r)
}

func (h *household) cancel(c *rig.Client) {
	r, ok := h.make(c, gated)
	if !ok {
		return
	}
	got, err := c.Try(http.MethodPost, "/v1/runs/"+r.ID+"/cancel", nil)
	h.count("cancel", err == nil && got.Status == http.StatusOK, string(got.Body))
}

func (h *household) look(c *rig.Client) {
	for _, path := range []string{"/v1/runs", "/v1/approvals", "/v1/tools", "/v1/runs?status=failed"} {
		got, err := c.Try(http.MethodGet, path, nil)
		h.count("list", err == nil && got.Status == http.StatusOK, string(got.Body))
	}
}

// mistake makes mistakes.
func (h *household) mistake(c *rig.Client) {
	for body, want := range map[string]int{"{": 400, `{"a":1,"a":2}`: 400, strings.Repeat("x", 2<<20): 413} {
		got, err := c.Try(http.MethodPost, "/v1/runs", body)
		h.count("mistake", err == nil && got.Status == want, string(got.Body))
	}
}
