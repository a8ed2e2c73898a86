package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/internal/auth"
	"errand/internal/run"
)

const idem = "Idempotency-Key: k-1"

func TestKeyedAnswerIsRemembered(t *testing.T) {
	w := newWorld(t)
	first := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem)
	w.pass(time.Hour)
	again := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem)
	if first.status != 201 || again.status != 201 || again.body != first.body {
		t.Errorf("first %d %s, again %d %s", first.status, first.body, again.status, again.body)
	}
	if first.header.Get("Idempotent-Replayed") != "" || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %v, again %v", first.header, again.header)
	}
	w.restart()
	if after := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem); after.body != first.body {
		t.Errorf("after a restart: %s", after.body)
	}
	if _, notes := w.count(); notes != 1 {
		t.Errorf("%d notes", notes)
	}
	w.pass(24 * time.Hour)
	if late := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem); late.header.Get("Idempotent-Replayed") != "" || late.status != 201 {
		t.Errorf("after a day: %d %v", late.status, late.header)
	}
}

func TestKeyedMismatch(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/v1/notes", `{"name":"a"}`, idem)
	for name, got := range map[string]answered{
		"body":  w.ask("POST", "/v1/notes", `{"name":"b"}`, idem),
		"query": w.ask("POST", "/v1/notes?dry_run=true", `{"name":"a"}`, idem),
	} {
		if got.status != 409 || got.field("error", "code") != "idempotency_mismatch" || got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("another %s: got %d %s", name, got.status, got.body)
		}
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"b"}`, idem); got.status != 201 {
		t.Errorf("another route: got %d %s", got.status, got.body)
	}
	if got := w.ask("POST", "/v1/notes", `{"name":"a"}`, "Idempotency-Key: "+strings.Repeat("k", 256)); got.status != 400 {
		t.Errorf("a long key: got %d", got.status)
	}
}

func TestKeyedFailureIsNotRemembered(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		if got := w.ask("POST", "/v1/notes", `{"name":""}`, idem); got.status != 400 || got.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("got %d %v", got.status, got.header)
		}
	}
	w.full = true
	if got := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem); got.status != 507 {
		t.Errorf("got %d", got.status)
	}
	w.full = false
	if got := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem); got.status != 201 || got.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestKeyedUnderWay(t *testing.T) {
	for _, path := range []string{"/v1/notes", "/v1/runs"} {
		t.Run(path, func(t *testing.T) {
			w := newWorld(t)
			held, open := w.gate()
			answers := make(chan answered, 9)
			ask := func() { answers <- w.ask("POST", path, `{"name":"a"}`, idem) }
			go ask()
			<-held
			if got := w.ask("POST", path, `{"name":"b"}`, idem); got.status != 409 || got.field("error", "code") != "idempotency_mismatch" {
				t.Errorf("another body meanwhile: %d %s", got.status, got.body)
			}
			for range 8 {
				go ask()
			}
			open()
			bodies, replays := map[string]int{}, 0
			for range 9 {
				got := <-answers
				bodies[fmt.Sprint(got.status, got.body)]++
				if got.header.Get("Idempotent-Replayed") == "true" {
					replays++
				}
			}
			if runs, notes := w.count(); runs+notes != 1 || len(bodies) != 1 || replays != 8 {
				t.Errorf("%d runs, %d notes, %d replays, answers %v", runs, notes, replays, bodies)
			}
		})
	}
}

func TestKeyedAfterTheFirstClientLeft(t *testing.T) {
	w := newWorld(t)
	held, open := w.gate()
	defer open()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan answered)
	go func() { gone <- w.askIn(ctx, "POST", "/v1/runs", `{"name":"a"}`, idem) }()
	<-held
	leave()
	<-gone
	again := make(chan answered)
	go func() { again <- w.ask("POST", "/v1/runs", `{"name":"a"}`, idem) }()
	<-held // it waits for the run itself, instead of getting the answer that nobody got
	open()
	if got := <-again; got.status != 201 || got.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if runs, _ := w.count(); runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

func TestKeyedAnswerFailsAfterCreation(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		if got := w.ask("POST", "/v1/runs", `{"name":"unlucky"}`, idem); got.status != 503 {
			t.Errorf("got %d %s", got.status, got.body)
		}
	}
	if runs, _ := w.count(); runs != 1 {
		t.Errorf("%d runs for one key", runs)
	}
}

func TestKeyedRunGetsItsFirstAnswer(t *testing.T) {
	w := newWorld(t)
	first := w.ask("POST", "/v1/runs", `{"name":"a"}`, idem)
	w.pass(time.Hour)
	w.restart()
	if again := w.ask("POST", "/v1/runs", `{"name":"a"}`, idem); again.body != first.body || again.status != 201 {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
}

func TestStartIsNotInterrupted(t *testing.T) {
	w := newWorld(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	w.askIn(ctx, "POST", "/v1/runs", `{"name":"a"}`)
	if runs, _ := w.count(); runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

// A crash between run.created and the answer leaves only the run's own row.
func TestKeyedAfterCrash(t *testing.T) {
	w := newWorld(t)
	held, open := w.gate()
	first := make(chan answered)
	go func() { first <- w.ask("POST", "/v1/runs", `{"name":"a"}`, idem) }()
	<-held
	w.restart()
	again := make(chan answered)
	go func() { again <- w.ask("POST", "/v1/runs", `{"name":"a"}`, idem) }()
	<-held
	open()
	one, two := <-first, <-again
	if one.body != two.body || two.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %s, again %s %v", one.body, two.body, two.header)
	}
	if runs, _ := w.count(); runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

// Two servers over one store that get the same request at once agree on one run.
func TestKeyedOnTwoServers(t *testing.T) {
	w := newWorld(t)
	held, open := w.gate()
	answers := make(chan answered, 2)
	ask := func() { answers <- w.ask("POST", "/v1/notes", `{"name":"a"}`, idem) }
	go ask()
	<-held
	w.restart()
	go ask()
	<-held // both have looked, and found nothing
	open()
	one, two := <-answers, <-answers
	if _, notes := w.count(); notes != 1 || one.status != 201 || one.body != two.body {
		t.Errorf("%d notes, answers %s and %s", notes, one.body, two.body)
	}
}

func TestKeyedStream(t *testing.T) {
	w := newWorld(t)
	held, open := w.gate()
	answers := make(chan answered, 2)
	ask := func() { answers <- w.ask("POST", "/v1/runs", `{"name":"a","loud":true}`, idem) }
	go ask()
	<-held
	go ask() // gets the stream from the start while the first one runs
	<-held
	open()
	one, two := <-answers, <-answers
	if one.body != two.body || strings.Count(one.body, "event: ") != 2 {
		t.Errorf("one %q, two %q", one.body, two.body)
	}
	after := w.ask("POST", "/v1/runs", `{"name":"a","loud":true}`, idem)
	if after.body != one.body || after.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("afterwards %q %v", after.body, after.header)
	}
	if runs, _ := w.count(); runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

func TestSecretAnswersAreSealed(t *testing.T) {
	w := newWorld(t)
	first := w.ask("POST", "/v1/secrets", `{}`, idem)
	w.restart()
	if again := w.ask("POST", "/v1/secrets", `{}`, idem); again.body != first.body || !strings.Contains(again.body, "topsecret") {
		t.Errorf("first %s, again %s", first.body, again.body)
	}
	rows, err := w.store.Rows(t.Context(), run.RowQuery{Kind: "answer", Project: "default"})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, clear := range []string{"topsecret", "k-1", "dG9wc2VjcmV0"} {
		if bytes.Contains(rows[0].Data, []byte(clear)) || strings.Contains(rows[0].ID, clear) {
			t.Errorf("the row holds %q: %s", clear, rows[0].Data)
		}
	}
	const other = "another admin key value"
	if _, err := w.book.EnsureAdmin(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := w.ask("POST", "/v1/secrets", `{}`, idem, "Authorization: Bearer "+other); got.status != 409 {
		t.Errorf("another secret opens the answer: %d %s", got.status, got.body)
	}
}

// After a rotation with an overlap both secrets are the same key: a repetition gets the
// first answer under either, but one that holds a secret opens with the secret alone
// under which it was given. In no case is anything done again.
func TestAnswersAfterARotation(t *testing.T) {
	w := newWorld(t)
	admin, err := w.book.Authenticate(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	before, err := w.book.Create(t.Context(), admin, auth.Draft{Name: "ci", Scopes: []string{"admin"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	old, idem2 := "Authorization: Bearer "+before.Secret, "Idempotency-Key: k-2"
	plain, sealed := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem, old), w.ask("POST", "/v1/secrets", `{}`, idem2, old)
	after, err := w.book.Rotate(t.Context(), admin, before.ID, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.restart()
	_, made := w.count()
	for _, secret := range []string{before.Secret, after.Secret} {
		if again := w.ask("POST", "/v1/notes", `{"name":"a"}`, idem, "Authorization: Bearer "+secret); again.status != plain.status || again.body != plain.body {
			t.Errorf("an answer without a secret: %d %s, first %s", again.status, again.body, plain.body)
		}
	}
	if again := w.ask("POST", "/v1/secrets", `{}`, idem2, old); again.body != sealed.body {
		t.Errorf("under the old secret: %d %s, first %s", again.status, again.body, sealed.body)
	}
	refused := w.ask("POST", "/v1/secrets", `{}`, idem2, "Authorization: Bearer "+after.Secret)
	if refused.status != 409 || !strings.Contains(refused.body, "idempotency_mismatch") || !strings.Contains(refused.body, "sealed with an earlier secret") || strings.Contains(refused.body, "topsecret") {
		t.Errorf("under the new secret: %d %s", refused.status, refused.body)
	}
	if _, now := w.count(); now != made {
		t.Errorf("%d notes were made, then %d", made, now)
	}
}

func TestRememberingFails(t *testing.T) {
	w := newWorld(t)
	w.full = true
	if got := w.ask("POST", "/v1/secrets", `{}`, idem); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	if !strings.Contains(w.log.String(), "an answer was not remembered") {
		t.Error("nobody is told")
	}
}

const sdk = "X-Stainless-Retry-Count: "

func TestUnkeyedRetry(t *testing.T) {
	w := newWorld(t)
	ask := func(count string) answered { return w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+count) }
	id := func(a answered) any { return a.field("id") }
	one := ask("0")
	w.pass(time.Minute)
	two := ask("0") // an equal request of its own
	if id(one) == id(two) {
		t.Fatal("two requests share a run")
	}
	first, second := ask("1"), ask("1")
	if id(first) != id(two) || id(second) != id(one) {
		t.Errorf("retries got %v and %v, want %v and %v", id(first), id(second), id(two), id(one))
	}
	if first.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("got %v", first.header)
	}
	if id(ask("2")) != id(two) {
		t.Error("a second retry does not find the run again")
	}
	third := ask("1") // each has served the count already
	if id(third) == id(one) || id(third) == id(two) {
		t.Error("a run was attached to twice for one count")
	}
	for name, other := range map[string]answered{
		"body":  w.ask("POST", "/v1/runs", `{"name":"b"}`, sdk+"1"),
		"count": w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"nonsense"),
	} {
		if other.header.Get("Idempotent-Replayed") != "" {
			t.Errorf("another %s is taken for a retry", name)
		}
	}
	w.pass(11 * time.Minute)
	if late := ask("1"); late.header.Get("Idempotent-Replayed") != "" {
		t.Error("a retry found a run after the window")
	}
}

func TestUnkeyedRetryPrefersLostAnswers(t *testing.T) {
	w := newWorld(t)
	held, open := w.gate()
	ctx, leave := context.WithCancel(t.Context())
	gone := make(chan answered)
	go func() { gone <- w.askIn(ctx, "POST", "/v1/runs", `{"name":"a"}`) }()
	<-held
	leave()
	lost := (<-gone).field("id")
	open()
	written := w.ask("POST", "/v1/runs", `{"name":"a"}`).field("id")
	if got := w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"1").field("id"); got != lost {
		t.Errorf("the retry got %v, want the lost %v", got, lost)
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"1").field("id"); got != written {
		t.Errorf("the next retry got %v, want the written %v", got, written)
	}
}

func TestUnkeyedRetryAfterErrorStatus(t *testing.T) {
	w := newWorld(t)
	if got := w.ask("POST", "/v1/runs", `{"name":"unlucky"}`); got.status != 503 {
		t.Fatalf("got %d", got.status)
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"unlucky"}`, sdk+"1"); got.status != 503 {
		t.Fatalf("got %d", got.status)
	}
	if runs, _ := w.count(); runs != 1 {
		t.Errorf("%d runs", runs)
	}
}

func TestUnkeyedRetryOfWhatMadeNoRun(t *testing.T) {
	w := newWorld(t)
	w.full = true
	if got := w.ask("POST", "/v1/runs", `{"name":"a"}`); got.status != 507 {
		t.Fatalf("got %d", got.status)
	}
	w.full = false
	if got := w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"1"); got.status != 201 || got.header.Get("Idempotent-Replayed") != "" {
		t.Errorf("got %d %v", got.status, got.header)
	}
}

func TestUnkeyedRetryWhileUnderWay(t *testing.T) {
	w := newWorld(t)
	w.ask("POST", "/v1/runs", `{"name":"a"}`) // written: the less likely one
	held, open := w.gate()
	answers := make(chan answered, 2)
	go func() { answers <- w.ask("POST", "/v1/runs", `{"name":"a"}`) }()
	<-held
	go func() { answers <- w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"1") }()
	<-held
	open()
	if one, two := <-answers, <-answers; one.field("id") != two.field("id") {
		t.Errorf("two runs: %s, %s", one.body, two.body)
	}
}

func TestUnkeyedRetryAfterRestart(t *testing.T) {
	w := newWorld(t)
	first := w.ask("POST", "/v1/runs", `{"name":"a"}`)
	print, _ := first.field("print").(string)
	id, err := run.ParseID(first.field("id").(string))
	if err != nil || print == "" {
		t.Fatalf("id %v, fingerprint %q", err, print)
	}
	before := w.clock()
	asked := 0
	w.cfg.Recent = func(_ context.Context, since time.Time, each func(*run.Summary)) error {
		if asked++; since.After(before) {
			t.Errorf("asked for the runs since %v, which leaves out some of the window", since)
		}
		for _, line := range []run.Summary{ // newest first
			{ID: run.NewID(before, 7, 7), Fingerprint: print, Status: run.Running, CreatedAt: before.Add(time.Hour)},
			{ID: run.NewID(before, 9, 9), Fingerprint: print, Status: run.Completed, CreatedAt: before.Add(time.Second)},
			{ID: id, Fingerprint: print, Status: run.Running, CreatedAt: before},
			{ID: run.NewID(before, 8, 8), Fingerprint: "no hash", CreatedAt: before},
		} {
			each(&line)
		}
		return nil
	}
	w.pass(2 * time.Second)
	w.restart()
	if w.ask("POST", "/v1/runs", `{"name":"b"}`); asked != 0 {
		t.Error("a request that is no retry reads what an earlier process did")
	}
	if got := w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"1").field("id"); got != id.String() {
		t.Errorf("the retry got %v, want the run that had not ended, %s", got, id)
	}
	if w.ask("POST", "/v1/runs", `{"name":"a"}`, sdk+"1"); asked != 1 {
		t.Errorf("what an earlier process did was read %d times", asked)
	}
	if keyed := w.ask("POST", "/v1/runs", `{"name":"a"}`, idem); keyed.field("print") != "" || keyed.status != http.StatusCreated {
		t.Errorf("a keyed request has a fingerprint: %s", keyed.body)
	}
}
