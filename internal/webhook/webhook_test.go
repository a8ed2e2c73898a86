package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/webhook"
)

func TestEndpointsHearWhatTheyAskFor(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for host, events := range map[string][]string{
			"all.test": {"*"}, "ends.test": {webhook.Completed, webhook.Failed}, "asks.test": {webhook.Awaiting}, "stop.test": {webhook.Cancelled},
		} {
			w.register("https://"+host+"/h", events...)
		}
		a := w.run("https://own.test/one")
		synctest.Wait()
		a.asks()
		a.log(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_01"}, Approve: true}})
		a.completes()
		time.Sleep(time.Minute)
		w.run("").ends(run.FailedStatus, run.ModelError)
		time.Sleep(time.Minute)
		w.run("").ends(run.CancelledStatus, run.CancelledReason)
		time.Sleep(time.Minute)
		for host, want := range map[string]string{
			"all.test": "awaiting_approval completed failed cancelled", "ends.test": "completed failed cancelled",
			"asks.test": "awaiting_approval", "stop.test": "cancelled", "own.test": "awaiting_approval completed",
		} {
			if got := types(w.calls(host, false)); got != want {
				t.Errorf("%s heard %q, want %q", host, got, want)
			}
		}
		// The body is the run as it stood at the event, however late it is made.
		var first told
		if err := json.Unmarshal([]byte(w.calls("all.test", false)[0].Body), &first); err != nil || first.Status != "awaiting_approval" {
			t.Errorf("the first body is %+v", first)
		}
		if got := w.calls("own.test", false)[0]; !strings.Contains(got.Body, `"Own":true`) {
			t.Errorf("the run's own URL got %s", got.Body)
		}
	})
}

func TestNobodyListensNothingIsWritten(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		s := w.run("")
		s.completes()
		if jobs := w.hub.Outbox(&s.state, []run.Event{{Type: run.RunFinished}}); jobs != nil {
			t.Errorf("jobs for nobody: %v", jobs)
		}
	})
}

func TestAReceiverThatIsDownForAnHour(t *testing.T) {
	for name, restart := range map[string]bool{"": false, "with restarts": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				id, _ := w.register("https://down.test/h", "*")
				w.register("https://up.test/h", "*")
				w.set("down.test", refuse)
				const runs = 20
				for i := range runs {
					s := w.run("")
					s.asks()
					time.Sleep(time.Duration(i) * time.Second)
					s.log(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_01"}, Approve: true}})
					s.completes()
					if restart && i%5 == 4 {
						w.restart()
					}
				}
				time.Sleep(time.Minute)
				if got := len(w.calls("up.test", true)); got != 2*runs {
					t.Errorf("beside it, %d of %d arrived", got, 2*runs)
				}
				if got := w.endpoint(id); got.Status != webhook.Paused {
					t.Errorf("after an outage it is %s", got.Status)
				}
				tried := len(w.calls("down.test", false))
				time.Sleep(30 * time.Minute)
				if restart {
					w.restart()
				}
				time.Sleep(24 * time.Minute)
				if more := len(w.calls("down.test", false)) - tried; more > 12 {
					t.Errorf("a paused endpoint was asked %d times in an hour", more)
				}
				w.set("down.test", nil)
				time.Sleep(2 * time.Hour)
				got := w.calls("down.test", true)
				if len(got) != 2*runs {
					t.Errorf("%d of %d arrived", len(got), 2*runs)
				}
				seen, last := map[string]bool{}, map[string]string{}
				for _, c := range got {
					var body told
					if err := json.Unmarshal([]byte(c.Body), &body); err != nil {
						t.Fatal(err)
					}
					if seen[body.ID] || c.Header.Get("Webhook-Id") != body.ID {
						t.Errorf("%s came twice, or with the id %s", body.ID, c.Header.Get("Webhook-Id"))
					}
					if seen[body.ID] = true; last[body.Run] > body.ID {
						t.Errorf("%s came after %s", body.ID, last[body.Run])
					}
					last[body.Run] = body.ID
				}
				if e := w.endpoint(id); e.Status != webhook.Enabled || e.Failures != 0 {
					t.Errorf("it is %s after %d failures", e.Status, e.Failures)
				}
				if left, err := w.store.Jobs(t.Context(), 0); err != nil || len(left) != 0 {
					t.Errorf("%d jobs are left, %v", len(left), err)
				}
			})
		})
	}
}

func TestRetriesComeLaterEachTime(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.set("own.test", with(500))
		w.run("https://own.test/").completes()
		time.Sleep(26 * time.Hour)
		calls := w.calls("own.test", false)
		want := 5 * time.Second
		for i := 1; i < len(calls); i++ {
			wait := calls[i].At.Sub(calls[i-1].At)
			if wait < want*8/10 || wait > want*12/10 {
				t.Errorf("retry %d came after %s, want about %s", i, wait, want)
			}
			want = min(2*want, time.Hour)
		}
		if len(calls) < 25 || calls[len(calls)-1].At.Sub(calls[0].At) < 22*time.Hour {
			t.Errorf("%d attempts, the last after %s", len(calls), calls[len(calls)-1].At.Sub(calls[0].At))
		}
		d := w.deliveries(webhook.Own, "")
		if len(d) != 1 || d[0].Status != webhook.GivenUp || d[0].Code != 500 || d[0].Attempts != len(calls) || !strings.Contains(d[0].Error, "for a day") {
			t.Errorf("the log says %+v", d)
		}
		w.set("own.test", nil)
		_, c, err := w.hub.Redeliver(t.Context(), project, webhook.Own, d[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		time.Sleep(time.Second)
		again := w.calls("own.test", true)
		if len(again) != 1 || again[0].Body != calls[0].Body || again[0].Header.Get("Webhook-Id") != calls[0].Header.Get("Webhook-Id") {
			t.Errorf("made again: %+v", again)
		}
		time.Sleep(9 * 24 * time.Hour)
		if d := w.deliveries(webhook.Own, ""); len(d) != 0 {
			t.Errorf("after its time the log still has %d", len(d))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.set("own.test", with(503, "Retry-After", "600"))
		w.run("https://own.test/").completes()
		time.Sleep(9 * time.Minute)
		w.set("own.test", with(429, "Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)))
		time.Sleep(55 * time.Minute)
		if got := len(w.calls("own.test", false)); got != 2 {
			t.Errorf("%d attempts, want the first and one after ten minutes", got)
		}
		w.set("own.test", nil)
		time.Sleep(15 * time.Minute)
		if got := len(w.calls("own.test", true)); got != 1 {
			t.Errorf("%d arrived", got)
		}
	})
}

func TestGoneDisablesAndEnablingRevives(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, _ := w.register("https://gone.test/", "*")
		w.set("gone.test", with(410))
		w.run("").completes()
		time.Sleep(time.Minute)
		w.run("").completes()
		time.Sleep(48 * time.Hour)
		if e := w.endpoint(id); e.Status != webhook.Disabled || len(w.calls("gone.test", false)) != 1 {
			t.Errorf("it is %s after %d calls", e.Status, len(w.calls("gone.test", false)))
		}
		w.restart()
		if e := w.endpoint(id); e.Status != webhook.Disabled {
			t.Errorf("after a restart it is %s", e.Status)
		}
		w.set("gone.test", nil)
		_, c, err := w.hub.Enable(t.Context(), project, id)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		w.run("").completes()
		time.Sleep(time.Minute)
		if got := len(w.calls("gone.test", true)); got != 1 {
			t.Errorf("%d arrived after it was enabled", got)
		}
	})
}

func TestEnablingAPausedEndpointSendsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, _ := w.register("https://down.test/", "*")
		w.set("down.test", refuse)
		for range 10 {
			w.run("").completes()
		}
		time.Sleep(20 * time.Minute)
		w.set("down.test", nil)
		_, c, err := w.hub.Enable(t.Context(), project, id)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		time.Sleep(10 * time.Second)
		if got := len(w.calls("down.test", true)); got != 10 {
			t.Errorf("%d of 10 arrived soon after it was enabled", got)
		}
	})
}

// What waits for an endpoint goes to its new address, in order, signed as before; what the
// old one has failed at is forgotten.
func TestAnEndpointThatMoves(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, secret := w.register("https://old.test/", "run.completed")
		w.register("https://other.test/", "*")
		w.set("old.test", refuse)
		for range 10 {
			w.run("").completes()
		}
		time.Sleep(20 * time.Minute)
		if e := w.endpoint(id); e.Status != webhook.Paused {
			t.Fatalf("it is %s", e.Status)
		}
		move := func(to string, status webhook.Status) {
			t.Helper()
			_, c, err := w.hub.Edit(t.Context(), project, id, func(n webhook.New) (webhook.New, error) { n.URL = to; return n, nil }, status)
			if err != nil {
				t.Fatal(err)
			}
			w.commit(c)
		}
		before := len(w.calls("old.test", false))
		move("https://new.test/", "")
		time.Sleep(10 * time.Second)
		come := w.calls("new.test", true)
		if e := w.endpoint(id); len(come) != 10 || len(w.calls("old.test", false)) != before || e.Status != webhook.Enabled || e.Failures != 0 {
			t.Fatalf("%d of 10 came to the new address; it is %s with %d failures", len(come), e.Status, e.Failures)
		}
		stamp := come[0].Header.Get("Webhook-Timestamp")
		if got := come[0].Header.Get("Mynd-Signature"); got != "t="+stamp+",v1="+hex.EncodeToString(sum([]byte(secret), stamp+"."+come[0].Body)) {
			t.Error("it is not signed with the secret that it had")
		}
		if d := w.deliveries(id, webhook.Succeeded); len(d) != 10 || d[0].URL != "https://new.test/" {
			t.Errorf("%d deliveries; the first one went to %s", len(d), d[0].URL)
		}
		move("https://third.test/", webhook.Disabled)
		w.run("").completes()
		time.Sleep(time.Minute)
		move("https://fourth.test/", "") // it stays disabled
		w.run("").completes()
		time.Sleep(time.Minute)
		if n := len(w.calls("third.test", false)) + len(w.calls("fourth.test", false)); n != 0 {
			t.Errorf("a disabled one was told %d times", n)
		}
		move("https://fourth.test/", webhook.Enabled)
		w.run("").completes()
		time.Sleep(time.Minute)
		if n := len(w.calls("fourth.test", true)); n != 1 {
			t.Errorf("an enabled one was told %d times", n)
		}
	})
}

// An answer of an address that the endpoint has left says nothing about the new one, which
// gets what the old one has not taken.
func TestAnAnswerOfTheOldAddress(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, _ := w.register("https://old.test/", "*")
		w.set("old.test", func(r *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return with(http.StatusGone)(r)
		})
		w.run("").completes()
		time.Sleep(2 * time.Second)
		_, c, err := w.hub.Edit(t.Context(), project, id, func(n webhook.New) (webhook.New, error) { n.URL = "https://new.test/"; return n, nil }, "")
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		time.Sleep(10 * time.Second)
		if e := w.endpoint(id); e.Status != webhook.Enabled {
			t.Errorf("it is %s: %s", e.Status, e.Why)
		}
		if n := len(w.calls("new.test", true)); n != 1 {
			t.Errorf("the new address was told %d times", n)
		}
	})
}

func TestADeadEndpointDelaysNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.register("https://dead.test/", "*")
		w.register("https://up.test/", "*")
		w.set("dead.test", hang)
		for range 100 {
			w.run("").completes()
		}
		time.Sleep(2 * time.Second)
		if got := len(w.calls("up.test", true)); got != 100 {
			t.Errorf("%d of 100 arrived beside an endpoint that hangs", got)
		}
		time.Sleep(time.Hour)
	})
}

func TestRemovedEndpointHearsNoMore(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, _ := w.register("https://down.test/", "*")
		w.set("down.test", refuse)
		w.run("").completes()
		time.Sleep(time.Second)
		_, c, err := w.hub.Remove(t.Context(), project, id)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		before := len(w.calls("down.test", false))
		time.Sleep(25 * time.Hour)
		if got := len(w.calls("down.test", false)); got != before {
			t.Errorf("it was called %d times after it was deleted", got-before)
		}
		if left, err := w.store.Jobs(t.Context(), 0); err != nil || len(left) != 0 {
			t.Errorf("%d jobs are left, %v", len(left), err)
		}
	})
}

// TestMadeAtOneTime: the first answer says the same time as those that come from the
// store, which keeps milliseconds.
func TestMadeAtOneTime(t *testing.T) {
	w := newWorld(t)
	first, err := w.hub.Endpoint(t.Context(), "p", webhook.Own)
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.hub.Endpoint(t.Context(), "p", webhook.Own)
	if err != nil || !first.Created.Equal(again.Created) || first.Created.Nanosecond()%int(time.Millisecond) != 0 {
		t.Errorf("made at %v, read as %v: %v", first.Created, again.Created, err)
	}
}

func TestSignatures(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		id, first := w.register("https://s.test/", "*")
		send := func() call {
			w.run("").completes()
			time.Sleep(time.Minute)
			calls := w.calls("s.test", true)
			return calls[len(calls)-1]
		}
		check := func(c call, secrets ...string) {
			t.Helper()
			stamp := c.Header.Get("Webhook-Timestamp")
			ours, standard := "t="+stamp, []string{}
			for _, secret := range secrets {
				key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
				if err != nil || len(key) != 32 {
					t.Fatalf("the secret %s has %d bytes: %v", secret, len(key), err)
				}
				ours += ",v1=" + hex.EncodeToString(sum([]byte(secret), stamp+"."+c.Body))
				standard = append(standard, "v1,"+base64.StdEncoding.EncodeToString(sum(key, c.Header.Get("Webhook-Id")+"."+stamp+"."+c.Body)))
			}
			if got := c.Header.Get("Mynd-Signature"); got != ours {
				t.Errorf("Mynd-Signature is %s, want %s", got, ours)
			}
			if got, want := c.Header.Get("Webhook-Signature"), strings.Join(standard, " "); got != want {
				t.Errorf("webhook-signature is %s, want %s", got, want)
			}
			if fmt.Sprint(c.At.Unix()) != stamp {
				t.Errorf("signed at %s, sent at %d", stamp, c.At.Unix())
			}
		}
		check(send(), first)
		_, second, c, err := w.hub.Rotate(t.Context(), project, id)
		if err != nil {
			t.Fatal(err)
		}
		w.commit(c)
		check(send(), second, first)
		time.Sleep(24 * time.Hour)
		check(send(), second)
	})
}

func sum(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func TestRegisterRefuses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		for address, good := range map[string]bool{
			"https://example.com/h": true, "http://10.1.2.3/h": true, "https://10.1.2.3/h": true, "http://inside.test/h": true,
			"http://93.184.216.34/": false, "http://127.0.0.1/": false, "https://127.0.0.1/": false, "https://169.254.169.254/latest": false,
			"https://[::1]/": false, "https://2130706433/": false, "https://[::ffff:127.0.0.1]/": false, "ftp://example.com/": false,
			"https://u:p@example.com/": false, "file:///etc/passwd": false, "": false, "https://example.com/#x": false,
		} {
			err := w.hub.CheckURL(address)
			if good != (err == nil) || err != nil && problem.From(err).Fields["url"] == "" {
				t.Errorf("%s: %v", address, err)
			}
		}
		_, _, _, err := w.hub.Register(project, webhook.New{URL: "https://a.test", Events: []string{"run.complete", "fine_tune.done"}})
		fields := problem.From(err).Fields
		if !strings.Contains(fields["events[0]"], "run.completed") || fields["events[1]"] == "" {
			t.Errorf("unknown events: %v", fields)
		}
	})
}
