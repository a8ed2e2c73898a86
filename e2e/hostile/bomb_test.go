package hostile

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// bomb is a gzipped run of one letter, in parts of 8 MB: one behind the other is
// one text to whoever unfolds it, and is made in a moment.
func bomb(t *testing.T, parts int) []byte {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := io.CopyN(w, endless{}, 8<<20); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(packed.Bytes(), parts)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

// peak is the most memory that a process has had, in bytes.
func peak(t *testing.T, s *rig.Server) int {
	t.Helper()
	status, err := os.ReadFile("/proc/" + strconv.Itoa(s.PID()) + "/status")
	if err != nil {
		t.Skip("there is no /proc here to read a process's memory from")
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// What is sent to the server compressed is refused, whatever it would unfold to;
// what tools and pages answer is unfolded as far as it is read.
func TestBombs(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	packed := bomb(t, 256)
	for _, coding := range []string{"gzip", "deflate", "br", "gzip, gzip"} {
		fault := c.Do(http.MethodPost, "/v1/runs", packed, "Content-Encoding", coding).Refused(http.StatusBadRequest, "invalid_request")
		if fault.Errors["Content-Encoding"] == "" {
			t.Errorf("%+v", fault)
		}
	}
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write(packed) // the server hangs up when it has enough
	}))
	defer site.Close()
	c.Post("/v1/tools", map[string]any{"name": "bomb", "description": "x", "url": site.URL, "effect": "safe"}, nil)
	before := peak(t, s)
	for _, call := range []string{`bomb {}`, `web.fetch {"url":"` + site.URL + `"}`} {
		name, _, _ := strings.Cut(call, " ")
		var r rig.Run
		c.Post("/v1/runs", map[string]any{"model": "auto", "tools": []string{name}, "prompt": rig.Steps("unfold", call)}, &r)
		if r.Status != "completed" {
			t.Errorf("%s: %+v %+v", name, r, r.Error)
		}
	}
	if grown := peak(t, s) - before; grown > 128<<20 {
		t.Errorf("the server needed %d MB more", grown>>20)
	}
	for _, call := range w.Model.Calls() {
		for _, told := range call.Of("tool") {
			if text := told.Text(); len(text) > 65<<10 || !strings.Contains(text, "xxx") || !strings.Contains(text, "[truncated") {
				t.Errorf("the model was told %d bytes: %.80s…", len(text), text)
			}
		}
	}
}
