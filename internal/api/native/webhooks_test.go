package native_test

import (
	"strings"
	"testing"
	"time"

	"errand/internal/model/script"
)

const books = `{"url":"https://books.example/hook","events":["run.completed"],"description":"Books"}`

func TestWebhooks(t *testing.T) {
	w := newWorld(t, script.Steps())
	made := w.want(200, "POST", "/v1/webhooks", books, "Idempotency-Key", "k")
	made.has("object", "webhook").has("status", "enabled").has("events.0", "run.completed").has("description", "Books").has("status_reason", nil).has("failures", 0)
	id, secret := made.text("id"), made.text("secret")
	if !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("the secret is %q", secret)
	}
	if again := w.want(200, "POST", "/v1/webhooks", books, "Idempotency-Key", "k"); string(again.Body) != string(made.Body) {
		t.Errorf("again %s", again.Body)
	}
	w.want(409, "POST", "/v1/webhooks", books).has("error.code", "conflict").has("error.param", "url")
	w.want(200, "POST", "/v1/webhooks", `{"url":"https://all.example/","events":"*"}`).has("events.0", "*")

	w.want(200, "GET", "/v1/webhooks/"+id, "").has("secret", nil).has("url", "https://books.example/hook")
	page := w.want(200, "GET", "/v1/webhooks?limit=1", "").count("data", 1).has("has_more", true)
	w.want(200, "GET", "/v1/webhooks?starting_after="+page.text("next_cursor"), "").count("data", 1).has("has_more", false)
	w.want(400, "GET", "/v1/webhooks?limit=0", "").has("error.param", "limit")

	if fresh := w.want(200, "POST", "/v1/webhooks/"+id+"/rotate", "").text("secret"); fresh == secret || !strings.HasPrefix(fresh, "whsec_") {
		t.Errorf("rotated to %q", fresh)
	}
	own := w.want(200, "GET", "/v1/webhooks/default", "").has("url", nil).text("secret")
	if rotated := w.want(200, "POST", "/v1/webhooks/default/rotate", "").text("secret"); rotated == own {
		t.Error("the default secret stays")
	}
	w.want(409, "DELETE", "/v1/webhooks/default", "").has("error.code", "conflict")

	other := w.key(`{"name":"other","project":"other","scopes":["webhooks:manage"]}`)
	other.want(404, "GET", "/v1/webhooks/"+id, "")
	other.want(404, "DELETE", "/v1/webhooks/"+id, "")
	other.want(200, "POST", "/v1/webhooks", books) // its own
	w.key(`{"name":"runner","scopes":["runs:write"]}`).want(403, "GET", "/v1/webhooks", "")
	w.want(200, "DELETE", "/v1/webhooks/"+id, "").has("deleted", true).has("object", "webhook")
	w.want(404, "GET", "/v1/webhooks/"+id, "").has("error.code", "not_found")
}

func TestWebhooksThatAreRefused(t *testing.T) {
	w := newWorld(t, script.Steps())
	for body, param := range map[string]string{
		`{"url":"http://plain.example/","events":"*"}`: "url",
		`{"url":"https://127.0.0.1/","events":"*"}`:    "url",
		`{"events":"*"}`:                                                         "url",
		`{"url":"https://a.example/"}`:                                           "events",
		`{"url":"https://a.example/","events":[]}`:                               "events",
		`{"url":"https://a.example/","events":7}`:                                "events",
		`{"url":"https://a.example/","events":["run.done"]}`:                     "events[0]",
		`{"url":"https://a.example/","events":"*","secret":"whsec_mine"}`:        "secret",
		`{"url":"https://a.example/","events":"*","description":"` + long + `"}`: "description",
	} {
		w.want(400, "POST", "/v1/webhooks", body).has("error.param", param)
	}
	w.want(200, "GET", "/v1/webhooks", "").count("data", 0)
	w.want(404, "PATCH", "/v1/webhooks/wh_none", `{"status":"enabled"}`)
	w.want(400, "PATCH", "/v1/webhooks/wh_none", `{"status":"paused"}`).has("error.param", "status")
	w.want(404, "POST", "/v1/webhooks/wh_none/rotate", "")
	w.want(404, "GET", "/v1/webhooks/wh_none/deliveries", "")
}

// A webhook is changed field by field; its secret stays, and what it is not told is not
// lost by a mistake.
func TestWebhooksAreEdited(t *testing.T) {
	w := newWorld(t, script.Steps())
	made := w.want(200, "POST", "/v1/webhooks", books)
	path := "/v1/webhooks/" + made.text("id")
	w.want(200, "PATCH", path, `{"url":"https://books.example/new"}`).has("url", "https://books.example/new").has("events.0", "run.completed").
		has("description", "Books").has("status", "enabled").has("secret", nil)
	w.want(200, "PATCH", path, `{"events":["run.failed","run.awaiting_approval"],"description":null}`).count("events", 2).has("description", "").has("url", "https://books.example/new")
	w.want(200, "PATCH", path, `{"events":"*","status":"disabled"}`).has("events.0", "*").has("status", "disabled")
	w.want(200, "PATCH", path, `{"url":"https://books.example/third"}`).has("status", "disabled") // by a person, and so it stays
	w.want(200, "PATCH", path, `{"url":"https://books.example/fourth","status":"enabled"}`).has("status", "enabled").has("status_reason", nil)
	w.want(200, "POST", "/v1/webhooks", `{"url":"https://other.example/","events":"*"}`)
	for body, param := range map[string]string{
		`{"url":"http://plain.example/"}`: "url", `{"url":"https://127.0.0.1/"}`: "url", `{"url":null}`: "url", `{"url":7}`: "url",
		`{"events":[]}`: "events", `{"events":null}`: "events", `{"events":["run.done"]}`: "events[0]", `{"events":7}`: "events",
		`{"description":"` + long + `"}`: "description", `{"secret":"whsec_mine"}`: "secret", `{}`: "body",
		`{"url":"https://fine.example/","status":"paused"}`: "status",
	} {
		w.want(400, "PATCH", path, body).has("error.param", param)
	}
	w.want(409, "PATCH", path, `{"url":"https://other.example/"}`).has("error.param", "url")
	w.want(409, "PATCH", "/v1/webhooks/default", `{"events":"*"}`).has("error.code", "conflict")
	w.want(404, "PATCH", "/v1/webhooks/wh_none", `{"events":"*"}`)
	w.key(`{"name":"other","project":"other","scopes":["webhooks:manage"]}`).want(404, "PATCH", path, `{"events":"*"}`)
	w.want(200, "GET", path, "").has("url", "https://books.example/fourth").has("events.0", "*").has("description", "")
}

var long = strings.Repeat("x", 501)

// within waits until something holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	late, tick := time.NewTimer(time.Minute), time.NewTicker(2*time.Millisecond)
	defer late.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-late.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestDeliveries(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("Done."), script.Say("Done.")))
	id := w.want(200, "POST", "/v1/webhooks", books).text("id")
	w.want(200, "GET", "/v1/webhooks/"+id+"/deliveries", "").count("data", 0)
	run := w.want(201, "POST", "/v1/runs", `{"model":"y0-agent","prompt":"Do it.","webhook_url":"https://own.example/run"}`).text("id")
	path := "/v1/webhooks/" + id + "/deliveries"
	count := func(path string, want int) func() bool {
		return func() bool { list, ok := w.do("GET", path, "").get("data").([]any); return ok && len(list) == want }
	}
	within(t, "the delivery", count(path+"?status=succeeded", 1))
	within(t, "the run's own", count("/v1/webhooks/default/deliveries?status=succeeded", 1))
	one := w.want(200, "GET", path, "").has("data.0.run", run).has("data.0.event", "run.completed").has("data.0.response_status", 200).
		has("data.0.attempts", 1).has("data.0.error", nil).has("data.0.url", "https://books.example/hook")
	w.want(200, "GET", path+"?status=failed", "").count("data", 0)
	w.want(400, "GET", path+"?status=lost", "").has("error.param", "status")
	told := w.ears.all()
	if len(told) != 2 || told[0].ID != one.text("data.0.event_id") || !strings.Contains(told[0].Body, `"type":"run.completed"`) || !strings.Contains(told[0].Body, run) {
		t.Fatalf("%+v", told)
	}

	again := path + "/" + one.text("data.0.id") + "/redeliver"
	w.want(200, "POST", again, "", "Idempotency-Key", "k").has("object", "webhook_delivery")
	within(t, "it to come again", func() bool { return len(w.ears.all()) == 3 })
	if last := w.ears.all()[2]; last.ID != told[0].ID || last.URL != "https://books.example/hook" {
		t.Errorf("again as %+v", last)
	}
	within(t, "its end", count(path+"?status=succeeded", 1))
	w.want(200, "POST", again, "", "Idempotency-Key", "k") // known already: nothing is sent
	w.want(404, "POST", path+"/del_none/redeliver", "").has("error.code", "not_found")

	w.ears.answer(410)
	w.want(200, "POST", again, "")
	within(t, "the webhook to be disabled", func() bool { return w.do("GET", "/v1/webhooks/"+id, "").get("status") == "disabled" })
	if n := len(w.ears.all()); n != 4 {
		t.Errorf("%d deliveries came, want 4", n)
	}
	w.ears.answer(200)
	w.want(200, "PATCH", "/v1/webhooks/"+id, `{"status":"enabled"}`).has("status", "enabled").has("status_reason", nil)

	w.want(200, "PATCH", "/v1/webhooks/"+id, `{"status":"disabled"}`).has("status", "disabled").has("status_reason", "somebody has disabled it.")
	w.want(409, "PATCH", "/v1/webhooks/default", `{"status":"disabled"}`)
	w.want(200, "POST", again, "")
	within(t, "it to be given up", func() bool {
		why, _ := w.do("GET", path, "").get("data.0.error").(string)
		return strings.Contains(why, "somebody has disabled it")
	})
	if n := len(w.ears.all()); n != 4 {
		t.Errorf("a disabled webhook got %d deliveries, want 4", n)
	}
}
