package wire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// TestFlow: an answer that is written as it goes comes whole, or visibly does not.
func TestFlow(t *testing.T) {
	w := newWorld(t)
	w.now = time.Now() // deadlines of real connections are in real time
	flow := func(lines int, fails error) wire.Handler {
		return func(context.Context, *wire.Request) (wire.Response, error) {
			return wire.Response{Header: http.Header{"Content-Type": {"application/x-ndjson"}}, Flow: func(_ context.Context, to io.Writer) error {
				for range lines {
					if _, err := io.WriteString(to, "{}\n"); err != nil {
						return err
					}
				}
				return fails
			}}, nil
		}
	}
	for path, handle := range map[string]wire.Handler{
		"/v1/whole": flow(1000, nil), "/v1/refused": flow(0, problem.New(problem.StorageFull, "The disk is full.")),
		"/v1/broken": flow(10, errors.New("the store failed")),
	} {
		w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "GET", Path: path, Family: w.cfg.Families[0], Handle: handle})
	}
	w.restart()
	server := httptest.NewServer(w.server)
	defer server.Close()
	get := func(method, path string) (*http.Response, string, error) {
		request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+secret)
		answer, err := server.Client().Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer, string(text), err
	}
	if answer, text, err := get("GET", "/v1/whole"); err != nil || text != strings.Repeat("{}\n", 1000) || answer.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("a whole one: %d bytes, %v, error %v", len(text), answer.Header, err)
	}
	if answer, text, err := get("HEAD", "/v1/whole"); err != nil || text != "" || answer.StatusCode != http.StatusOK {
		t.Errorf("its head: %q, %d, error %v", text, answer.StatusCode, err)
	}
	if answer, text, err := get("GET", "/v1/refused"); err != nil || answer.StatusCode != http.StatusInsufficientStorage || !strings.Contains(text, "storage_full") || !strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		t.Errorf("one that fails before its first byte: %d %s, %v, error %v", answer.StatusCode, text, answer.Header, err)
	}
	if _, text, err := get("GET", "/v1/broken"); err == nil {
		t.Errorf("one that fails later looks whole: %q", text)
	}
	if !strings.Contains(w.log.String(), "the store failed") {
		t.Errorf("the log does not say why: %s", w.log.String())
	}
	server.CloseClientConnections()
}
