package upstream

import (
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// misdeed is what a provider does to every request, and what is to come of it.
type misdeed struct {
	does  answer
	code  string
	asked int // requests that a run makes of it
}

func misdeeds() map[string]misdeed {
	junk := make([]byte, 4<<10)
	for i := range junk {
		junk[i] = byte(rand.Uint32())
	}
	half := chunk(`{"content":"Half a "}`) + piece(0, "a", "pay_once", `{"to":"Zoë","n"`)
	all := map[string]misdeed{
		"status-400": {status(400), "model_refused", 1},
		"status-401": {status(401), "model_auth", 1},
		"status-403": {status(403), "model_auth", 1},
		"status-404": {status(404), "model_refused", 1},
		"status-413": {status(413), "model_refused", 1},
		"status-429": {status(429, "Retry-After", "0.05"), "model_rate_limited", 8},
		"broke":      {says("application/json", `{"error":{"message":"no credit","code":"insufficient_quota"}}`), "model_refused", 1},
		"reset":      {breaks("", 0), "model_unavailable", 5},
		"html":       {says("text/html", "<!DOCTYPE html><title>It works!</title>"), "model_garbled", 3},
		"gzip":       {says("text/event-stream", string(junk), "Content-Encoding", "gzip"), "model_garbled", 3},
		"empty":      {says("text/event-stream", ""), "model_garbled", 3},
		"nothing":    {says("text/event-stream", done), "model_garbled", 3},
		"long-line":  {says("text/event-stream", "data: "+strings.Repeat("x", 10<<20)+"\n\n"), "model_garbled", 3},
		"long-reply": {says("text/event-stream", strings.Repeat(chunk(`{"reasoning_content":"`+strings.Repeat("hm ", 300_000)+`"}`), 20)), "model_garbled", 3},
		"broken-off": {breaks(half, -1), "model_garbled", 1}, // it had begun a call, which can't be taken back
		"silent-end": {says("text/event-stream", half), "model_garbled", 1},
		"mid-error":  {says("text/event-stream", chunk(`{"content":"a"}`)+`data: {"error":{"message":"out of memory"}}`+"\n\n"), "model_unavailable", 5},
	}
	for _, code := range []int{408, 409, 500, 502, 503, 529} {
		all[fmt.Sprintf("status-%d", code)] = misdeed{status(code), "model_unavailable", 5}
	}
	return all
}

// TestEnds brings a run before each misdeed: it ends as failed, by model_error,
// with the code of the kind, after a bounded number of attempts that its log
// shows, and no tool was called.
func TestEnds(t *testing.T) {
	t.Parallel()
	const closed = "127.0.0.1:9"                 // a port that nobody gets by chance
	stranger := httptest.NewUnstartedServer(nil) // its certificate is nobody's
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.StartTLS()
	t.Cleanup(stranger.Close)
	all, answers := misdeeds(), map[string]answer{}
	elsewhere := map[string]string{
		"refused": "http://" + closed, "name": "http://no..name/v1", "tls": stranger.URL + "/v1", // a name that is none is asked of no DNS server
	}
	for name, m := range all {
		answers[name] = m.does
	}
	elsewhere["no-tls"] = "https://" + closed
	for name := range elsewhere {
		all[name] = misdeed{code: "model_unavailable", asked: 5}
	}
	w, p, c := start(t, answers, elsewhere)
	runs := map[string]rig.Run{}
	for name := range all {
		runs[name] = background(c, name, "Pay Zoë.")
	}
	for name, m := range all {
		t.Run(name, func(t *testing.T) {
			r := end(c, runs[name].ID, rig.Patience)
			if r.Status != "failed" || r.StopReason == nil || *r.StopReason != "model_error" || r.Error == nil || r.Error.Code != m.code {
				t.Fatalf("%s %v %+v, want model_error by %s", r.Status, r.StopReason, r.Error, m.code)
			}
			failures := 0
			for _, e := range c.Events(r.ID) {
				if e.Type == "model.failed" {
					failures++
				}
			}
			if failures != m.asked || m.does != nil && len(p.requests(name)) != m.asked {
				t.Errorf("%d requests and %d events, want %d", len(p.requests(name)), failures, m.asked)
			}
			if strings.Contains(r.Error.Message, "sk-of") {
				t.Errorf("the message has the key: %s", r.Error.Message)
			}
		})
	}
	if calls := w.Tools.Ledger(); len(calls) != 0 {
		t.Errorf("tools were called: %+v", calls)
	}
}

// TestRetryAfter lets a provider refuse twice and say when it wants to be asked
// again, in each of the ways: it is not asked sooner, and the run completes.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	twice := func(header func() string) answer {
		return func(w http.ResponseWriter, r *http.Request, a asked) {
			if a.n <= 2 {
				status(429, "Retry-After", header())(w, r, a)
				return
			}
			says("text/event-stream", text("Done."))(w, r, a)
		}
	}
	fixed := func(value string) answer { return twice(func() string { return value }) }
	waits := map[string]struct {
		answer answer
		least  time.Duration
		most   time.Duration // of what the log says; 0 = the run is not waited for
	}{
		"seconds":  {fixed("1"), time.Second, 0},
		"date":     {twice(func() string { return time.Now().Add(3 * time.Second).UTC().Format(http.TimeFormat) }), 1500 * time.Millisecond, 0},
		"past":     {fixed("Mon, 01 Jan 2001 00:00:00 GMT"), 400 * time.Millisecond, 0},
		"negative": {fixed("-5"), 400 * time.Millisecond, 0},
		"words":    {fixed("soon"), 400 * time.Millisecond, 0},
		"day":      {fixed("86400"), 0, time.Minute},
		"absurd":   {fixed("1e300"), 0, time.Minute},
	}
	answers := map[string]answer{}
	for name, wait := range waits {
		answers[name] = wait.answer
	}
	_, p, c := start(t, answers, nil)
	runs := map[string]rig.Run{}
	for name := range waits {
		runs[name] = background(c, name, "Say it.")
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			if wait.most > 0 {
				bounded(t, c, runs[name].ID, wait.most)
				return
			}
			if r := end(c, runs[name].ID, rig.Patience); r.Summary() != "Done." {
				t.Fatalf("%+v", r)
			}
			times := p.requests(name)
			if len(times) != 3 {
				t.Fatalf("%d requests, want 3", len(times))
			}
			for i := range 2 {
				if waited := times[i+1].Sub(times[i]); waited < wait.least {
					t.Errorf("request %d came %v after the one before, want at least %v", i+2, waited, wait.least)
				}
			}
		})
	}
}

// atOnce is how soon a cancelled run ends on a busy machine: less than the minute after
// which the wait or the call that it is in would end by itself.
const atOnce = 40 * time.Second

// bounded checks that a run waits no longer than this for a provider that names
// more, and that a person can end it meanwhile.
func bounded(t *testing.T, c *rig.Client, id string, most time.Duration) {
	t.Helper()
	deadline := time.Now().Add(rig.Patience)
	for {
		for _, e := range c.Events(id) {
			if e.Type != "model.failed" {
				continue
			}
			if after, _ := e.Data["retry_after_ms"].(float64); after <= 0 || after > float64(most.Milliseconds()) {
				t.Errorf("it waits %v ms, want at most %v", after, most)
			}
			c.Post("/v1/runs/"+id+"/cancel", nil, nil)
			if r := end(c, id, atOnce); r.Status != "cancelled" {
				t.Errorf("%+v", r)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the provider's refusal is not in the log")
		}
		rig.Pause(20 * time.Millisecond)
	}
}

// TestHeldCallsEndWithTheirRun brings runs before providers that never come to an
// end. Time limits of minutes are for internal/model/openai; here a person ends
// the run, the provider sees its caller hang up, and the server stops in time.
func TestHeldCallsEndWithTheirRun(t *testing.T) {
	t.Parallel()
	left := make(chan string, 10)
	until := func(r *http.Request, name string) {
		<-r.Context().Done()
		left <- name
	}
	answers := map[string]answer{
		"no-headers": func(_ http.ResponseWriter, r *http.Request, _ asked) { until(r, "no-headers") },
		"no-tokens": func(w http.ResponseWriter, r *http.Request, _ asked) {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			until(r, "no-tokens")
		},
		"trickle": func(w http.ResponseWriter, r *http.Request, _ asked) {
			trickle(w, r, chunk(`{"content":"`+strings.Repeat("slow ", 1000)+`"}`))
			until(r, "trickle")
		},
		"mid-stream": func(w http.ResponseWriter, r *http.Request, _ asked) {
			fmt.Fprint(w, chunk(`{"content":"and then"}`)+piece(0, "a", "pay_once", `{"to":`))
			_ = http.NewResponseController(w).Flush()
			until(r, "mid-stream")
		},
	}
	w, p, c := start(t, answers, nil)
	for name := range answers {
		r := background(c, name, "Pay Zoë.")
		w.Eventually("the call of "+name, func() bool { return len(p.requests(name)) == 1 })
		c.Post("/v1/runs/"+r.ID+"/cancel", nil, nil)
		if ended := end(c, r.ID, atOnce); ended.Status != "cancelled" {
			t.Errorf("%s: %+v", name, ended)
		}
		if got := rig.Await(t, "the caller to hang up", left); got != name {
			t.Errorf("%s was left, and not %s", got, name)
		}
	}
	if calls := w.Tools.Ledger(); len(calls) != 0 {
		t.Errorf("tools were called: %+v", calls)
	}
}

// trickle sends a byte a time, twenty in a second, until the caller leaves.
func trickle(w http.ResponseWriter, r *http.Request, stream string) {
	for i := range len(stream) {
		if _, err := w.Write([]byte(stream[i : i+1])); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
