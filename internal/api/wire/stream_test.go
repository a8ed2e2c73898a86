package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
)

func TestStream(t *testing.T) {
	w := newWorld(t)
	got := w.ask("POST", "/v1/runs", `{"name":"a","loud":true}`)
	frames := strings.Split(strings.TrimSuffix(got.body, "\n\n"), "\n\n")
	if got.status != 200 || len(frames) != 2 || !strings.HasPrefix(frames[0], "id: 1\nevent: run.created\ndata: {\"id\":\"") || !strings.HasPrefix(frames[1], "id: 1\nevent: run.finished\ndata: ") {
		t.Errorf("got %d %q", got.status, got.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff",
	} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q", name, got.header.Get(name))
		}
	}
}

func TestStreamEnds(t *testing.T) {
	w := newWorld(t)
	if got := w.ask("POST", "/v1/runs", `{"name":"gone","loud":true}`); got.status != 404 || got.field("error", "code") != "not_found" {
		t.Errorf("an early error: got %d %s", got.status, got.body)
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"nothing","loud":true}`); got.status != 204 || got.body != "" {
		t.Errorf("nothing to tell: got %d %s", got.status, got.body)
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"breaks","loud":true}`); got.status != 200 || strings.Count(got.body, "event: ") != 1 {
		t.Errorf("a late error: got %d %s", got.status, got.body)
	}
	if !strings.Contains(w.log.String(), "the log is gone") {
		t.Error("the late error is not in the log")
	}
	draining := make(chan struct{})
	close(draining)
	w.cfg.Draining = draining
	w.restart()
	if got := w.ask("POST", "/v1/runs", `{"name":"nothing","loud":true}`); got.status != 200 || got.header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		t.Errorf("draining: got %d %v", got.status, got.header)
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"drains","loud":true}`); strings.Count(got.body, "event: ") != 1 {
		t.Errorf("draining: got %s", got.body)
	}
}

// line is a network inside a synctest bubble: net/http over pipes, with time
// that only passes when everyone waits.
type line struct{ conns chan net.Conn }

func (l *line) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, io.EOF
	}
	return conn, nil
}
func (l *line) Close() error   { return nil }
func (l *line) Addr() net.Addr { return &net.UnixAddr{Name: "test"} }

// onLine serves a table of one stream and returns the client's end of a
// connection over which it has been asked for.
func onLine(t *testing.T, watch func(context.Context) iter.Seq2[engine.Update, error], emit func(*wire.Frames, engine.Update) (bool, error)) net.Conn {
	t.Helper()
	w := newWorld(t)
	w.cfg.Now = time.Now
	w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "GET", Path: "/stream", Family: w.cfg.Families[0], Open: true,
		Handle: func(context.Context, *wire.Request) (wire.Response, error) {
			return wire.Response{Stream: &wire.Stream{Watch: watch, Emit: emit}}, nil
		}})
	conn := connect(t, w)
	if _, err := io.WriteString(conn, "GET /stream HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// connect serves the world's table over one connection and returns the client's
// end of it.
func connect(t *testing.T, w *world) net.Conn {
	t.Helper()
	w.restart()
	server := wire.NewHTTPServer(w.server, nil)
	listener := &line{conns: make(chan net.Conn, 1)}
	ours, theirs := net.Pipe()
	listener.conns <- theirs
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	t.Cleanup(func() {
		ours.Close()
		close(listener.conns)
		<-served
		server.Close()
		synctest.Wait()
	})
	return ours
}

// silent is a watch that says nothing until its reader goes.
func silent(ctx context.Context) iter.Seq2[engine.Update, error] {
	return func(func(engine.Update, error) bool) { <-ctx.Done() }
}

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		conn := onLine(t, silent, nil)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != 200 || time.Since(began) != 250*time.Millisecond {
			t.Fatalf("after %s: %v, %v", time.Since(began), response, err)
		}
		lines := bufio.NewScanner(response.Body)
		var beats []time.Duration
		for len(beats) < 3 && lines.Scan() {
			if lines.Text() == ": ping" {
				beats = append(beats, time.Since(began).Round(time.Second))
			}
		}
		if fmt.Sprint(beats) != "[0s 10s 20s]" {
			t.Errorf("heartbeats at %v", beats)
		}
	})
}

func TestReaderThatStopsReadingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan time.Duration, 1)
		began := time.Now()
		watch := func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) {
				defer func() { ended <- time.Since(began) }()
				for yield(engine.Update{}, nil) {
					if ctx.Err() != nil {
						return
					}
				}
			}
		}
		onLine(t, watch, func(f *wire.Frames, _ engine.Update) (bool, error) {
			f.Frame("", "x", []byte(strings.Repeat("x", 8<<10)))
			return false, nil
		})
		if after := <-ended; after < 10*time.Second || after > 12*time.Second {
			t.Errorf("dropped after %s", after)
		}
	})
}

func TestReaderThatLeavesEndsItsStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		conn := onLine(t, func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return func(func(engine.Update, error) bool) { <-ctx.Done(); close(ended) }
		}, nil)
		synctest.Wait()
		conn.Close()
		<-ended
	})
}

func TestConnectionServesOnAfterAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := func(context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) { yield(engine.Update{}, nil) }
		}
		conn := onLine(t, once, func(f *wire.Frames, _ engine.Update) (bool, error) {
			return true, f.JSON("", "", map[string]string{"a": "b"})
		})
		in := bufio.NewReader(conn)
		for _, want := range []string{"data: {\"a\":\"b\"}\n\n", `{"id":"","key":"","path":"/open"}`} {
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(response.Body); string(body) != want || err != nil {
				t.Errorf("got %q, %v", body, err)
			}
			time.Sleep(time.Minute) // longer than the stream's write deadline
			if _, err := io.WriteString(conn, "GET /open HTTP/1.1\r\nHost: test\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestSlowBodyIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.Now = time.Now
		conn := connect(t, w)
		began := time.Now()
		fmt.Fprintf(conn, "POST /v1/things HTTP/1.1\r\nHost: test\r\nx-api-key: %s\r\nContent-Length: 100\r\n\r\n{", secret)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		if took := time.Since(began); response.StatusCode != 400 || !strings.Contains(string(body), "did not arrive within") || took != 36*time.Second {
			t.Errorf("after %s: %d %s", took, response.StatusCode, body)
		}
	})
}

// The deadline of a body must not end the answer that comes after it.
func TestLongAnswerAfterABody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.cfg.Now = time.Now
		w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "POST", Path: "/long", Family: w.cfg.Families[0],
			Handle: func(ctx context.Context, _ *wire.Request) (wire.Response, error) {
				select {
				case <-time.After(10 * time.Minute):
				case <-ctx.Done():
				}
				return wire.OK(ctx.Err() == nil), nil
			}})
		conn := connect(t, w)
		fmt.Fprintf(conn, "POST /long HTTP/1.1\r\nHost: test\r\nx-api-key: %s\r\nContent-Length: 2\r\n\r\n{}", secret)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(response.Body); string(body) != "true" || err != nil {
			t.Errorf("got %q, %v", body, err)
		}
	})
}

func TestEmitErrorBeforeTheFirstFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		once := func(context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) { yield(engine.Update{}, nil) }
		}
		conn := onLine(t, once, func(*wire.Frames, engine.Update) (bool, error) { return false, errors.New("not encodable") })
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil || response.StatusCode != 500 {
			t.Errorf("got %v, %v", response, err)
		}
	})
}

// absent are keys that nobody can be told about for a while, which takes patience to
// find out.
type absent struct {
	wire.Keys
	away     *atomic.Bool
	patience time.Duration
}

func (k absent) Authenticate(ctx context.Context, secret string) (auth.Caller, error) {
	if k.away.Load() {
		select {
		case <-time.After(k.patience):
		case <-ctx.Done():
		}
		return auth.Caller{}, problem.New(problem.Overloaded, "The store does not answer.")
	}
	return k.Keys.Authenticate(ctx, secret)
}

// A stream shows nothing while nobody can say whether its key still opens it, and goes on
// when somebody can.
func TestStreamWhileKeysAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		w.cfg.Now, w.cfg.Keys = time.Now, absent{w.book, &away, 0}
		began := time.Now()
		watch := func(context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) {
				if yield(engine.Update{}, nil) {
					away.Store(true)
					time.AfterFunc(time.Minute-time.Millisecond, func() { away.Store(false) }) // just before somebody asks
					time.Sleep(4 * time.Second)                                                // so long a key is not believed
					yield(engine.Update{}, nil)
				}
			}
		}
		emit := func(f *wire.Frames, _ engine.Update) (bool, error) {
			return false, f.JSON("", "tick", time.Since(began).Round(time.Second).Seconds())
		}
		w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "GET", Path: "/v1/stream", Family: w.cfg.Families[0],
			Handle: func(context.Context, *wire.Request) (wire.Response, error) {
				return wire.Response{Stream: &wire.Stream{Watch: watch, Emit: emit}}, nil
			}})
		conn := connect(t, w)
		if _, err := io.WriteString(conn, "GET /v1/stream HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer "+secret+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		if got := string(body); err != nil || strings.Count(got, "event: tick") != 2 || !strings.Contains(got, "data: 0\n") || !strings.Contains(got, "data: 60\n") {
			t.Errorf("error %v, the stream:\n%s", err, got)
		}
	})
}
