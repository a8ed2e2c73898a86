// Package hook tests webhooks and stored files from outside: a receiver that is
// down, a server that is killed in the middle, signatures held against the library
// that receivers use.
//
// It promises that each test has a server and receivers of its own, all on
// 127.0.0.1.
//
// To change how signatures are verified, edit e2e/sdk/webhook.
package hook

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// receiver is whoever is told of runs. It answers with its code.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	code int
	come []delivery
}

// delivery is a request that came, in the form that the script verifies.
type delivery struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Mynd    string            `json:"-"`
	Code    int               `json:"-"`
	Event   event             `json:"-"`
}

type event struct {
	ID, Type string
	Data     struct{ Object rig.Run }
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{code: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		d := delivery{Headers: map[string]string{}, Body: string(body), Mynd: request.Header.Get("Mynd-Signature")}
		for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			d.Headers[name] = request.Header.Get(name)
		}
		if err := json.Unmarshal(body, &d.Event); err != nil {
			t.Errorf("a delivery is no event: %s", body)
		}
		r.mu.Lock()
		d.Code = r.code
		r.come = append(r.come, d)
		r.mu.Unlock()
		w.WriteHeader(d.Code)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(code int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.code = code
}

// got waits until so many deliveries have come, or have come and were taken.
func (r *receiver) got(t *testing.T, want int, taken bool) []delivery {
	t.Helper()
	deadline := time.Now().Add(rig.Patience)
	for {
		r.mu.Lock()
		var found []delivery
		for _, d := range r.come {
			if !taken || d.Code < 300 {
				found = append(found, d)
			}
		}
		r.mu.Unlock()
		if len(found) >= want {
			return found
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d deliveries came, want %d", len(found), want)
		}
		timer := time.NewTimer(20 * time.Millisecond)
		<-timer.C
	}
}

func types(all []delivery) string {
	var names []string
	for _, d := range all {
		names = append(names, d.Event.Type)
	}
	return strings.Join(names, " ")
}

// verify holds deliveries against the library; want is its verdict on each.
func verify(t *testing.T, w *rig.World, all []delivery, secret, want string) {
	t.Helper()
	for i := range all {
		all[i].Secret = secret
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.Dir, "deliveries.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	result := w.Node(t, "webhook/verify.mjs", path)
	var verdicts []string
	if err := json.Unmarshal([]byte(result.Out), &verdicts); err != nil || len(verdicts) != len(all) {
		t.Fatalf("the library says %s %s", result.Out, result.Err)
	}
	for i, verdict := range verdicts {
		if verdict != want {
			t.Errorf("delivery %d: the library says %q, want %q", i, verdict, want)
		}
	}
}
