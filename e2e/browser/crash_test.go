package browser

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"errand/e2e/rig"
)

// TestChromiumKilled: what was under way fails, or nobody knows what has come of it,
// which is said; the run goes on with a new browser.
func TestChromiumKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		scenes []scene
		busy   func() bool
		did    string
		told   string
	}{
		{
			[]scene{w.open("/"), act("wait", map[string]any{"seconds": 30}), w.open("/orders"), quote("page 1 of 3", "Went on.")},
			func() bool { return w.read(1).did() == "navigate wait" },
			"navigate wait! navigate done", "Chromium ended during the action",
		},
		{
			[]scene{w.open("/press"), act("click", map[string]any{"index": `"Press"`}), w.open("/orders"), quote("page 1 of 3", "Went on.")},
			func() bool { return w.shop.saw("GET /held?pressed") == 1 },
			"navigate click! navigate done", "unknown",
		},
	} {
		w.shop.hold("/held")
		w.plays(c.scenes...)
		begun := w.begin("/api/runs", map[string]any{"prompt": "Do it."})
		w.Eventually("the action", c.busy)
		killed := w.main()
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		got := w.ended(begun.Run)
		if got.Status != "success" || got.text() != "Went on." || got.did() != c.did || !strings.Contains(deref(got.History[1].Actions[0].Error), c.told) {
			t.Errorf("%s, %s: %+v", got.Status, got.did(), got.History)
		}
		if now := w.main(); now == killed {
			t.Error("it was not killed")
		}
		w.shop.release()
	}
	if got := w.shop.saw("GET /held?pressed"); got != 1 {
		t.Errorf("pressed %d times", got)
	}
}

// main is Chromium's first process.
func (w *world) main() int {
	w.T.Helper()
	for pid, line := range w.browsers() {
		if !strings.Contains(line, "--type=") && !strings.Contains(line, "crashpad") {
			return pid
		}
	}
	w.T.Error("no Chromium runs")
	return 0
}

// receiver is told of runs.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	come []delivery
}

type delivery struct {
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.come = append(r.come, delivery{request.Header.Clone(), body})
	}))
	t.Cleanup(r.Close)
	return r
}

// got returns the answers that have come, when there is one, and holds each against
// both of its signatures.
func (r *receiver) got(w *world) []answer {
	w.T.Helper()
	var hook struct{ Secret string }
	w.c.Get("/v1/webhooks/default", &hook)
	var come []delivery
	w.Eventually("the webhook", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		come = slices.Clone(r.come)
		return len(come) > 0
	})
	var all []answer
	for _, d := range come {
		id, at := d.header.Get("Webhook-Id"), d.header.Get("Webhook-Timestamp")
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hook.Secret, "whsec_"))
		if err != nil {
			w.T.Fatal(err)
		}
		want := "v1," + base64.StdEncoding.EncodeToString(sum(key, id+"."+at+"."+string(d.body)))
		ours := "t=" + at + ",v1=" + hex.EncodeToString(sum([]byte(hook.Secret), at+"."+string(d.body)))
		if id == "" || d.header.Get("Webhook-Signature") != want || d.header.Get("Mynd-Signature") != ours {
			w.T.Errorf("the signatures of %s are wrong: %v", d.body, d.header)
		}
		var told answer
		if err := json.Unmarshal(d.body, &told); err != nil {
			w.T.Fatalf("%v in %s", err, d.body)
		}
		all = append(all, told)
	}
	return all
}

func sum(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

// fall kills the server, sees its browser end with it, and starts it again.
func (w *world) fall() {
	w.T.Helper()
	if len(w.browsers()) == 0 {
		w.T.Error("no browser runs: nothing can be left of it")
	}
	w.Server.Kill()
	w.Eventually("the end of the browser of a server that was killed", func() bool { return len(w.browsers()) == 0 })
	w.shop.release()
	w.start()
}

// TestServerKilled: a run that a crash hit goes on where that is safe, and otherwise
// fails and says why; the webhook hears of either.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at     string
		scenes func(w *world) []scene
		status string
		did    string
		says   string
	}{
		"while a page is opened": {
			"GET /held", func(w *world) []scene { return []scene{w.open("/"), w.open("/held"), quote("Here it is", "Went on.")} },
			"success", "navigate navigate done", "Went on.",
		},
		"while a button is pressed": {
			"GET /held?pressed", func(w *world) []scene {
				return []scene{w.open("/press"), act("click", map[string]any{"index": `"Press"`}), say("Went on.")}
			}, "failure", "navigate click! done!", "nobody knows whether it happened",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newReceiver(t)
			w.shop.hold("/held")
			w.plays(c.scenes(w)...)
			begun := w.begin("/api/runs", map[string]any{"prompt": "Do it.", "webhook_url": r.URL})
			w.Eventually("the action", func() bool { return w.shop.saw(c.at) == 1 })
			w.fall()
			got := w.ended(begun.Run)
			if got.Status != c.status || got.did() != c.did || !strings.Contains(got.text()+deref(got.Error), c.says) {
				t.Errorf("%s, %s, %s %s: %+v", got.Status, got.did(), got.Result, deref(got.Error), got.History)
			}
			told := r.got(w)
			if len(told) != 1 || told[0].Status != c.status || told[0].Run != begun.Run || told[0].did() != c.did {
				t.Errorf("told: %+v", told)
			}
			w.Eventually("the note of the delivery", func() bool { sent := w.read(begun.Run).Sent; return sent != nil && *sent })
			if pressed := w.shop.saw("GET /held?pressed"); pressed > 1 {
				t.Errorf("pressed %d times", pressed)
			}
		})
	}
}

// TestServerKilledInReplay: the same of a replay. Where its page is lost with the
// server, no later step seems to work on an empty one: the model brings it back.
func TestServerKilledInReplay(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newReceiver(t)
	task := w.record()
	begin := func(held string) answer {
		w.shop.hold(held)
		return w.begin(fmt.Sprintf("/api/tasks/%d/runs", task), map[string]any{"parameters": map[string]string{"thing": "chair"}, "webhook_url": r.URL})
	}

	asked, homes := len(w.Model.Calls()), w.shop.saw("GET /")
	begun := begin("/")
	w.Eventually("the first page", func() bool { return w.shop.saw("GET /") > homes })
	w.fall()
	if got := w.ended(begun.Run); got.Status != "success" || !strings.Contains(got.text(), "45 €") || got.did() != "navigate input send_keys extract done" {
		t.Errorf("killed while a page is opened: %s, %s, %+v", got.Status, got.did(), got.History)
	}

	begun = begin("/find")
	w.Eventually("the search", func() bool { return w.shop.saw("GET /find?q=chair") == 2 })
	w.fall()
	if got := w.ended(begun.Run); got.Status != "failure" || !strings.Contains(deref(got.Error), "nobody knows whether it happened") || w.shop.saw("GET /find?q=chair") != 2 {
		t.Errorf("killed while keys are pressed: %s, %s %s: %+v", got.Status, got.did(), deref(got.Error), got.History)
	}
	if now := len(w.Model.Calls()); now != asked {
		t.Errorf("a model was asked %d times", now-asked)
	}

	w.pause(task)
	begun = begin("/nothing")
	w.Eventually("the pause", func() bool { return strings.HasSuffix(w.read(begun.Run).did(), "wait") })
	w.fall()
	got := w.ended(begun.Run)
	if got.Status != "success" || !strings.Contains(got.text(), "45 €") || got.did() != "navigate input wait send_keys! navigate* input* send_keys* extract done" || w.shop.saw("GET /find?q=chair") != 3 {
		t.Errorf("killed between two steps: %s, %s %s: %+v", got.Status, got.did(), deref(got.Error), got.History)
	}

	w.Eventually("three webhooks", func() bool { return len(r.got(w)) == 3 })
	var statuses []string
	for _, told := range r.got(w) {
		statuses = append(statuses, told.Status)
	}
	slices.Sort(statuses) // those of different runs have no order between them
	if !slices.Equal(statuses, []string{"failure", "success", "success"}) {
		t.Errorf("told: %v", statuses)
	}
}

// pause puts a pause, which outlasts a slow kill, into the workflow before the search,
// and lets the model bring back what a restart has cost.
func (w *world) pause(number int) {
	w.T.Helper()
	var task struct {
		Workflow map[string]any `json:"cached_workflow"`
	}
	path := fmt.Sprintf("/api/tasks/%d", number)
	w.c.Get(path, &task)
	steps := task.Workflow["steps"].([]any)
	rest := map[string]any{"description": "Wait.", "actions": []any{map[string]any{"name": "wait", "params": map[string]any{"seconds": 20}}}}
	task.Workflow["steps"] = slices.Insert(steps, 2, any(rest))
	w.c.Do("PUT", path, map[string]any{"cached_workflow": task.Workflow}).Is(http.StatusOK)
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		page := lastPage(c)
		switch {
		case strings.Contains(page, "No page is open"):
			return w.open("/")(page)
		case !strings.Contains(page, `value="chair"`):
			return act("input", map[string]any{"index": `"Search"`, "text": "chair"})(page)
		}
		return act("send_keys", map[string]any{"keys": "Enter"})(page)
	})
}
