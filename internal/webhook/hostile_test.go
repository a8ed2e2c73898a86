package webhook_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/webhook"
)

// TestHostileReceivers are called over the network: none of them holds the server,
// and none leads it anywhere.
func TestHostileReceivers(t *testing.T) {
	var inside atomic.Int32
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside.Add(1) }))
	defer inner.Close()
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/endless":
			w.WriteHeader(http.StatusOK)
			line := bytes.Repeat([]byte("x"), 1<<16)
			for r.Context().Err() == nil {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		case "/headers":
			for range 40 {
				w.Header().Add("X-Long", strings.Repeat("x", 10_000))
			}
		case "/redirect":
			http.Redirect(w, r, inner.URL, http.StatusTemporaryRedirect)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		}
	}))
	defer outer.Close()
	w := newWorld(t)
	w.close()
	w.real, w.holes = true, "127.0.0.0/8"
	w.open()
	for path, want := range map[string]struct {
		status, says string
		code         int
	}{
		"/endless":  {webhook.Succeeded, "", 200},
		"/headers":  {webhook.Pending, "could not be reached", 0},
		"/redirect": {webhook.Pending, "redirects are not followed", 307},
		"/metadata": {webhook.Pending, "redirects are not followed", 302},
	} {
		s := w.run(outer.URL + path)
		s.completes()
		var got webhook.Delivery
		for deadline := time.Now().Add(time.Minute); got.Attempts == 0 && time.Now().Before(deadline); {
			for _, d := range w.deliveries(webhook.Own, "") {
				if d.Run == s.id {
					got = d
				}
			}
		}
		if got.Status != want.status || got.Code != want.code || !strings.Contains(got.Error, want.says) {
			t.Errorf("%s: %s, %d, %q", path, got.Status, got.Code, got.Error)
		}
	}
	if inside.Load() != 0 {
		t.Errorf("%d redirects were followed", inside.Load())
	}
}

// A database that was moved without its key: nothing is sent unsigned, and a new
// secret mends it.
func TestALostKey(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, _ := w.register("https://a.test/", "*")
		w.key = 1
		w.restart()
		w.run("https://own.test/").completes()
		time.Sleep(time.Minute)
		if got := len(w.calls("a.test", false)); got != 0 {
			t.Errorf("%d deliveries without a secret", got)
		}
		for _, d := range w.deliveries(id, webhook.Pending) {
			if !strings.Contains(d.Error, "rotate") {
				t.Errorf("the log says %q", d.Error)
			}
		}
		_, _, c, err := w.hub.Rotate(t.Context(), project, id)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		time.Sleep(25 * time.Hour)
		if got := len(w.calls("a.test", true)); got != 1 {
			t.Errorf("%d deliveries after a new secret", got)
		}
	})
}
