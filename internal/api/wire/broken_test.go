package wire_test

import (
	"bufio"
	"context"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
)

// A stream that breaks after a heartbeat has taken its status line says so in a
// frame of its dialect; before that, it is an HTTP error with the answer's headers.
func TestBrokenStream(t *testing.T) {
	for name, wait := range map[string]time.Duration{"early": 0, "late": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				response, body := breaking(t, wait)
				switch {
				case response.Header.Get("X-Chat-Id") != "c1":
					t.Errorf("headers %v", response.Header)
				case wait == 0 && response.StatusCode != 502:
					t.Errorf("got %s %s", response.Status, body)
				case wait > 0 && (response.StatusCode != 200 || !strings.HasSuffix(body, "data: \"The model is down.\"\n\n")):
					t.Errorf("got %s %q", response.Status, body)
				}
			})
		})
	}
}

// breaking reads a stream that breaks after a while.
func breaking(t *testing.T, wait time.Duration) (*http.Response, string) {
	t.Helper()
	w := newWorld(t)
	w.cfg.Now = time.Now
	stream := &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) {
				select {
				case <-time.After(wait):
				case <-ctx.Done():
				}
				yield(engine.Update{}, problem.New(problem.ModelUnavailable, "The model is down."))
			}
		},
		Emit:   func(*wire.Frames, engine.Update) (bool, error) { return false, nil },
		Broken: func(f *wire.Frames, e *problem.Error) error { return f.JSON("", "", e.Detail) },
	}
	w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "GET", Path: "/stream", Family: w.cfg.Families[0], Open: true,
		Handle: func(context.Context, *wire.Request) (wire.Response, error) {
			return wire.Response{Header: http.Header{"X-Chat-Id": {"c1"}}, Stream: stream}, nil
		}})
	conn := connect(t, w)
	if _, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
