package wire_test

import (
	"bufio"
	"context"
	"io"
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

// silentStream serves a stream in which nothing happens, and asks for it with the key of
// the tests, whose store hangs while it is away; the returned function is when its body
// ended, and the body.
func silentStream(t *testing.T, w *world, broken bool, away *atomic.Bool) (read func() (string, time.Duration)) {
	t.Helper()
	w.cfg.Now = time.Now
	w.book = auth.NewBook(w.store, time.Now)
	w.cfg.Keys = absent{w.book, away, 10 * time.Second}
	if _, err := w.book.EnsureAdmin(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	stream := &wire.Stream{Watch: silent, Emit: func(*wire.Frames, engine.Update) (bool, error) { return false, nil }}
	if broken {
		stream.Broken = func(f *wire.Frames, e *problem.Error) error { return f.JSON("", "", e.Code) }
	}
	w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "GET", Path: "/v1/silence", Family: w.cfg.Families[0],
		Handle: func(context.Context, *wire.Request) (wire.Response, error) { return wire.Response{Stream: stream}, nil }})
	began := time.Now()
	conn := connect(t, w)
	if _, err := io.WriteString(conn, "GET /v1/silence HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer "+secret+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", response, err)
	}
	return func() (string, time.Duration) {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Error(err)
		}
		return string(body), time.Since(began)
	}
}

// A stream in which nothing happens ends at the heartbeat after its key was revoked, and
// says why where its format can.
func TestARevokedKeyEndsAStreamAtRest(t *testing.T) {
	for _, broken := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			read := silentStream(t, w, broken, &atomic.Bool{})
			time.AfterFunc(25*time.Second, func() {
				if _, err := w.book.Revoke(t.Context(), "default", "key_admin"); err != nil {
					t.Error(err)
				}
			})
			body, after := read()
			if strings.Count(body, ": ping") != 3 || after < 25*time.Second || after > 36*time.Second || strings.Contains(body, "unauthenticated") != broken {
				t.Errorf("ended after %s: %q", after, body)
			}
			if strings.Contains(w.log.String(), "level=ERROR") {
				t.Errorf("that a key has ended is told as an error of this server: %s", w.log.String())
			}
		})
	}
}

// While its key lives, a stream at rest goes on, whatever becomes of other keys.
func TestAnotherKeyEndsNoStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		read := silentStream(t, w, false, &atomic.Bool{})
		time.AfterFunc(5*time.Second, func() {
			admin, err := w.book.Authenticate(t.Context(), secret)
			if err != nil {
				t.Error(err)
				return
			}
			other, err := w.book.Create(t.Context(), admin, auth.Draft{Name: "other", Scopes: []string{"runs:read"}}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := w.book.Revoke(t.Context(), "default", other.ID); err != nil {
				t.Error(err)
			}
		})
		time.AfterFunc(65*time.Second, func() {
			if _, err := w.book.Revoke(t.Context(), "default", "key_admin"); err != nil {
				t.Error(err)
			}
		})
		if body, after := read(); strings.Count(body, ": ping") < 6 || after < 65*time.Second {
			t.Errorf("ended after %s: %q", after, body)
		}
	})
}

// A store that hangs keeps no heartbeat waiting: whoever reads would take the stream for
// dead just when it is to go on.
func TestHeartbeatsWhileTheStoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var away atomic.Bool
		read := silentStream(t, w, false, &away)
		time.AfterFunc(5*time.Second, func() { away.Store(true) })
		time.AfterFunc(65*time.Second, func() {
			away.Store(false)
			if _, err := w.book.Revoke(t.Context(), "default", "key_admin"); err != nil {
				t.Error(err)
			}
		})
		if body, after := read(); strings.Count(body, ": ping") < 6 || after < 65*time.Second || after > 80*time.Second {
			t.Errorf("ended after %s: %q", after, body)
		}
	})
}
