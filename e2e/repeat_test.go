package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"errand/e2e/rig"
)

// created counts the runs of the server.
func created(c *rig.Client) int {
	var list struct{ Data []rig.Run }
	c.Get("/v1/runs?limit=100", &list)
	return len(list.Data)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	task := `{"model":"auto","prompt":"hello"}`
	first := c.Do(http.MethodPost, "/v1/runs", task, "Idempotency-Key", "k1").Is(http.StatusCreated)
	if first.Header.Get("Idempotent-Replayed") != "" {
		t.Error("the first answer says that it is a replay")
	}
	same := func(c *rig.Client) {
		t.Helper()
		again := c.Do(http.MethodPost, "/v1/runs", task, "Idempotency-Key", "k1").Is(http.StatusCreated)
		if string(again.Body) != string(first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s, replayed %q; at first %s", again.Body, again.Header.Get("Idempotent-Replayed"), first.Body)
		}
		for _, other := range []string{`{"model":"auto","prompt":"hello!"}`, `{"prompt":"hello","model":"auto"}`} {
			c.Do(http.MethodPost, "/v1/runs", other, "Idempotency-Key", "k1").Refused(http.StatusConflict, "idempotency_mismatch")
		}
	}
	same(c)
	s.Kill()
	s = w.Start()
	c = s.Client()
	same(c)
	// A validation error is not remembered; another route and another key are others.
	c.Do(http.MethodPost, "/v1/runs", `{"model":"auto"}`, "Idempotency-Key", "k2").Refused(http.StatusBadRequest, "invalid_request")
	c.Do(http.MethodPost, "/v1/runs", task, "Idempotency-Key", "k2").Is(http.StatusCreated)
	agent := c.Do(http.MethodPost, "/v1/agents", createBody, "Idempotency-Key", "k1").Is(http.StatusOK)
	if again := c.Do(http.MethodPost, "/v1/agents", createBody, "Idempotency-Key", "k1"); string(again.Body) != string(agent.Body) {
		t.Errorf("%s, at first %s", again.Body, agent.Body)
	}
	var key struct{ Secret string }
	made := c.Post("/v1/keys", map[string]any{"name": "another"}, &key, "Idempotency-Key", "k1")
	if again := c.Do(http.MethodPost, "/v1/keys", map[string]any{"name": "another"}, "Idempotency-Key", "k1"); string(again.Body) != string(made.Body) {
		t.Errorf("%s, at first %s", again.Body, made.Body)
	}
	s.Client(key.Secret).Do(http.MethodPost, "/v1/runs", task, "Idempotency-Key", "k1").Is(http.StatusCreated)
	if n := created(c); n != 3 {
		t.Errorf("%d runs, want 3", n)
	}
}

// TestConcurrentDuplicates sends one request twenty times at once, while its run is
// under way.
func TestConcurrentDuplicates(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	release := w.Model.Hold()
	answers := make(chan rig.Answer, 20)
	var sent sync.WaitGroup
	for range cap(answers) {
		sent.Go(func() {
			answer, err := c.Try(http.MethodPost, "/v1/runs", `{"model":"auto","prompt":"hello"}`, "Idempotency-Key", "k")
			if err != nil {
				t.Error(err)
			}
			answers <- answer
		})
	}
	w.Eventually("the model call", func() bool { return len(w.Model.Calls()) > 0 })
	release()
	sent.Wait()
	close(answers)
	fresh, body := 0, ""
	for answer := range answers {
		if answer.Is(http.StatusCreated).Header.Get("Idempotent-Replayed") == "" {
			fresh++
		}
		if body != "" && string(answer.Body) != body {
			t.Errorf("%s, and %s", answer.Body, body)
		}
		body = string(answer.Body)
	}
	if n := created(c); n != 1 || fresh != 1 {
		t.Errorf("%d runs, %d answers that are no replays", n, fresh)
	}
}

// TestDuplicatesAcrossAKill kills the server while a request with a key waits for
// its run, which was never acknowledged to the client: the repetition finds it.
func TestDuplicatesAcrossAKill(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	s.Client().Tool(w, "book.once", "once")
	release := w.Tools.Hold("book.once") // by then the run is on disk
	task := map[string]any{"model": "auto", "tools": []string{"book.once"}, "prompt": rig.Steps("once", `book.once {"n":1}`, rig.Say("Booked."))}
	broken := make(chan error, 1)
	c := s.Client()
	go func() {
		_, err := c.Try(http.MethodPost, "/v1/runs", task, "Idempotency-Key", "k")
		broken <- err
	}()
	w.Eventually("the call", func() bool { return len(w.Tools.Ledger()) == 1 })
	s.Kill()
	if err := rig.Await(t, "the client", broken); err == nil {
		t.Error("a killed server has answered")
	}
	release()
	c = w.Start().Client()
	var r rig.Run
	answer := c.Post("/v1/runs", task, &r, "Idempotency-Key", "k")
	if answer.Header.Get("Idempotent-Replayed") != "true" || r.Status != "awaiting_approval" || r.Pending[0].Reason != "outcome_unknown" {
		t.Errorf("%s", answer.Body)
	}
	if n := created(c); n != 1 || len(w.Tools.Ledger()) != 1 {
		t.Errorf("%d runs, %d calls", n, len(w.Tools.Ledger()))
	}
}

// TestUnkeyedRetries repeats as the SDKs do: the same request, with a count.
func TestUnkeyedRetries(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	retry := func(c *rig.Client, prompt string, count int) rig.Run {
		t.Helper()
		var r rig.Run
		body := fmt.Sprintf(`{"model":"auto","prompt":%q}`, prompt)
		c.Post("/v1/runs", body, &r, "X-Stainless-Retry-Count", fmt.Sprint(count))
		return r
	}
	first := retry(c, "one", 0)
	if again := retry(c, "one", 1); again.ID != first.ID {
		t.Error("the first retry has made a run of its own")
	}
	if again := retry(c, "one", 2); again.ID != first.ID {
		t.Error("the second retry has made a run of its own")
	}
	if other := retry(c, "two", 1); other.ID == first.ID {
		t.Error("a retry of another request was attached")
	}
	if fresh := retry(c, "one", 0); fresh.ID == first.ID {
		t.Error("a request that is no retry was attached")
	}
	// A request that a kill cut off, and its retry at the next server.
	release := w.Model.Hold()
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		_, _ = c.Try(http.MethodPost, "/v1/runs", `{"model":"auto","prompt":"three"}`, "X-Stainless-Retry-Count", "0") // it is cut off
	}()
	w.Eventually("the run", func() bool { return created(c) == 4 })
	s.Kill()
	rig.Await(t, "the client", lost)
	release()
	c = w.Start().Client()
	retry(c, "three", 1)
	if n := created(c); n != 4 {
		t.Errorf("%d runs: the retry at the next server has made one of its own", n)
	}
}
