package wire_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
)

// withRaw adds a route that counts what it reads of its body, half of it, and one
// that sends a file.
func withRaw(t *testing.T) (*world, *int) {
	w := newWorld(t)
	calls := 0
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	family := w.cfg.Families[0]
	w.cfg.Routes = append(w.cfg.Routes,
		wire.Route{Method: "POST", Path: "/v1/raw", Family: family, Raw: true, Body: 100_000, Query: []string{"all"}, Handle: func(_ context.Context, r *wire.Request) (wire.Response, error) {
			calls++
			from := r.Reader()
			if r.Query().String("all") == "" {
				from = io.LimitReader(from, 10)
			}
			n, err := io.Copy(io.Discard, from)
			return wire.OK(map[string]any{"n": n, "call": calls}), err
		}},
		wire.Route{Method: "GET", Path: "/v1/file", Family: family, Handle: func(context.Context, *wire.Request) (wire.Response, error) {
			file, err := os.Open(path)
			return wire.Response{File: &wire.File{ReadSeekCloser: file, Modified: time.Unix(1000, 0)}, Header: http.Header{"Content-Type": {"text/plain"}}}, err
		}},
	)
	w.restart()
	return w, &calls
}

func (w *world) raw(server *httptest.Server, path, body string, header ...string) (int, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, server.URL+path, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		w.t.Fatal(err)
	}
	request.ContentLength = int64(len(body))
	request.Header.Set("Authorization", "Bearer "+secret)
	request.Header.Set("Content-Type", "application/octet-stream")
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Content-Length" {
			request.ContentLength = -1 // in chunks
			continue
		}
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := server.Client().Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestRawBodies(t *testing.T) {
	w, _ := withRaw(t)
	w.cfg.Now = time.Now // deadlines are the connection's
	w.restart()
	server := httptest.NewServer(w.server)
	defer server.Close()
	full := strings.Repeat("x", 100_000)
	for name, c := range map[string]struct {
		path, body, chunked string
		status              int
		says                string
	}{
		"whole":          {"/v1/raw?all=1", full, "", 200, `"n":100000`},
		"half":           {"/v1/raw", full, "", 200, `"n":10`},
		"empty":          {"/v1/raw?all=1", "", "", 200, `"n":0`},
		"announced":      {"/v1/raw?all=1", full + "x", "", 413, "too_large"},
		"not announced":  {"/v1/raw?all=1", full + "x", "chunked", 413, "too_large"},
		"half, chunked":  {"/v1/raw", full, "chunked", 200, `"n":10`},
		"whole, chunked": {"/v1/raw?all=1", full, "chunked", 200, `"n":100000`},
	} {
		var header []string
		if c.chunked != "" {
			header = []string{"Content-Length", ""}
		}
		if status, said := w.raw(server, c.path, c.body, header...); status != c.status || !strings.Contains(said, c.says) {
			t.Errorf("%s: %d %s", name, status, said)
		}
	}
}

func TestRawBodiesAreRepeatedByKeyAndLength(t *testing.T) {
	w, calls := withRaw(t)
	w.cfg.Now = time.Now
	w.restart()
	server := httptest.NewServer(w.server)
	defer server.Close()
	_, first := w.raw(server, "/v1/raw?all=1", "abc", "Idempotency-Key", "k")
	_, again := w.raw(server, "/v1/raw?all=1", "abc", "Idempotency-Key", "k")
	if first != again || *calls != 1 {
		t.Errorf("%s, then %s after %d calls", first, again, *calls)
	}
	if status, said := w.raw(server, "/v1/raw?all=1", "abcd", "Idempotency-Key", "k"); status != 409 || !strings.Contains(said, "idempotency_mismatch") {
		t.Errorf("another length: %d %s", status, said)
	}
}

func TestFileAnswers(t *testing.T) {
	w, _ := withRaw(t)
	for wanted, want := range map[string]struct {
		status int
		body   string
	}{"": {200, "0123456789"}, "bytes=2-4": {206, "234"}, "bytes=20-": {416, ""}} {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/file", nil)
		request.Header.Set("Authorization", "Bearer "+secret)
		if wanted != "" {
			request.Header.Set("Range", wanted)
		}
		recorder := httptest.NewRecorder()
		w.server.ServeHTTP(recorder, request)
		if got := recorder.Body.String(); recorder.Code != want.status || want.body != "" && got != want.body {
			t.Errorf("%q: %d %q", wanted, recorder.Code, got)
		}
		if recorder.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: it may be guessed: %v", wanted, recorder.Header())
		}
	}
}
