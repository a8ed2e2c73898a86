package native_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/model/script"
	"errand/internal/run"
)

// mailing starts a run whose e-mail waits, and returns its id and the action's path.
func (w *world) mailing(approval string) (id string, waiting reply) {
	w.t.Helper()
	waiting = w.want(201, "POST", "/v1/runs", `{"model":"y0-agent","prompt":"Write to all.","tools":["email.send"],"approval":`+approval+`}`).
		has("status", "awaiting_approval")
	return waiting.text("id"), waiting
}

func mails(more ...script.Line) *script.Model {
	return script.Steps(append([]script.Line{script.Call("email.send", `{"to":"all@example.com"}`)}, more...)...)
}

// A person may put other arguments in place of the model's: those run, under a
// digest of their own, and the trace has both.
func TestEditedApproval(t *testing.T) {
	w := newWorld(t, mails(script.Say("Sent.")))
	id, waiting := w.mailing(`{"required_for":["email.send"]}`)
	path := "/v1/runs/" + id + "/approve"
	digest := waiting.text("pending_actions.0.digest")
	for body, param := range map[string]string{
		`{"action_ids":["act_01"],"arguments":[1]}`:                       "arguments",
		`{"action_ids":["act_01"],"arguments":{"to":7}}`:                  "arguments",
		`{"action_ids":["act_01"],"arguments":{}}`:                        "arguments",
		`{"action_ids":["act_01"],"arguments":{"to":"me"},"reject":true}`: "arguments",
		`{"action_ids":["act_01","act_02"],"arguments":{"to":"me"}}`:      "arguments",
		`{"action_ids":["act_01","act_02"],"digest":"x"}`:                 "digest",
		`{"action_ids":["act_01"],"for":"ever"}`:                          "for",
		`{"action_ids":["act_01"],"for":"run","reject":true}`:             "for",
	} {
		w.want(400, "POST", path, body).has("error.param", param)
	}
	w.want(409, "POST", path, `{"action_ids":["act_01"],"digest":"sha256:00"}`).has("error.code", "conflict")
	w.want(200, "POST", path, `{"action_ids":["act_01"],"digest":"`+digest+`","arguments":{"to":"me@example.com"},"reason":"Only me."}`).
		count("approved_actions", 1).count("pending_actions", 0)
	w.ends(id, "completed")
	if calls := w.shelf.made(); len(calls) != 1 || calls[0] != `email.send {"to":"me@example.com"}` {
		t.Errorf("it was called with %q", calls)
	}
	trace := string(w.want(200, "GET", "/v1/runs/"+id+"?include_trace=true", "").Body)
	for _, want := range []string{`"input":{"to":"me@example.com"}`, `"original_input":{"to":"all@example.com"}`, `"reason":"Only me."`, `"by":"`} {
		if !strings.Contains(trace, want) {
			t.Errorf("the trace lacks %s: %s", want, trace)
		}
	}
	events := string(w.want(200, "GET", "/v1/runs/"+id+"/events", "").Body)
	if !strings.Contains(events, `"arguments":{"to":"me@example.com"},"digest":"sha256:`) || strings.Contains(events, `"arguments":{"to":"me@example.com"},"digest":"`+digest) {
		t.Errorf("the events do not show the new arguments under a new digest: %s", events)
	}
}

// An approval for the run is not asked for again; one by the key that runs is
// refused where the agent says so, and each of a quorum is shown.
func TestApprovalOfOthers(t *testing.T) {
	w := newWorld(t, mails(script.Call("email.send", `{"to":"b@example.com"}`), script.Say("Sent.")))
	ada, bob := w.key(`{"name":"Ada","scopes":["runs:read","runs:approve"]}`), w.key(`{"name":"Bob","scopes":["runs:read","runs:approve"]}`)
	id, waiting := w.mailing(`{"required_for":["email.*"],"separate":true,"quorum":2}`)
	waiting.has("pending_actions.0.approvals.missing", 2).count("pending_actions.0.approvals.given", 0)
	path := "/v1/runs/" + id + "/approve"
	w.want(403, "POST", path, `{"action_ids":["act_01"]}`).has("error.code", "scope_denied")
	ada.want(200, "POST", path, `{"action_ids":["act_01"],"for":"run"}`).count("approved_actions", 0).count("pending_actions", 1).
		has("pending_actions.0.approvals.missing", 1).count("pending_actions.0.approvals.given", 1)
	ada.want(200, "GET", "/v1/approvals", "").has("data.0.approvals.missing", 1).has("data.0.original_arguments", nil)
	if n := w.shelf.called("email.send"); n != 0 {
		t.Fatalf("%d e-mails after one of two approvals", n)
	}
	bob.want(200, "POST", path, `{"action_ids":["act_01"],"for":"run"}`).count("approved_actions", 1)
	w.ends(id, "completed")
	if n := w.shelf.called("email.send"); n != 2 {
		t.Errorf("%d e-mails", n)
	}
	if trace := string(w.want(200, "GET", "/v1/runs/"+id, "").Body); strings.Count(trace, `"decision":"requested"`) != 1 ||
		!strings.Contains(trace, `"by":"Ada","for":"run","missing":1`) || !strings.Contains(trace, `"by":"Bob","for":"run"}`) {
		t.Errorf("the trace: %s", trace)
	}
}

func (w *world) ends(id, status string) {
	w.t.Helper()
	within(w.t, "the run's end", func() bool { return w.want(200, "GET", "/v1/runs/"+id, "").get("status") == status })
}

func (s *shelf) made() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.calls...)
}

// link makes a link to the run's first action and returns its path.
func (w *world) link(run, body string) string {
	w.t.Helper()
	made := w.want(200, "POST", "/v1/runs/"+run+"/actions/act_01/links", body).has("object", "decide_link").has("run", run)
	return made.text("url")
}

// press sends the form of a link's page, as a browser does.
func (w *world) press(link, decision string, headers ...string) reply {
	w.t.Helper()
	form := url.Values{"decision": {decision}, "reason": {"By mail."}}.Encode()
	return w.as("").do("POST", link, form, append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

func TestLinkDecidesOnce(t *testing.T) {
	w := newWorld(t, mails(script.Say("Sent.")))
	id, _ := w.mailing(`{"required_for":["email.send"]}`)
	link := w.link(id, "")
	if secret := link[strings.LastIndex(link, "/")+1:]; len(secret) < 43 || w.stores(secret) {
		t.Errorf("the link %s is short, or stored as it is", link)
	}
	for range 3 { // a mail program, a proxy, the person
		page := w.as("").want(200, "GET", link, "")
		for name, want := range map[string]string{
			"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %s", name, got)
			}
		}
		if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("policy: %s", policy)
		}
		if text := string(page.Body); !strings.Contains(text, "all@example.com") || !strings.Contains(text, "sha256:") || strings.Contains(text, "<script") {
			t.Errorf("the page: %s", text)
		}
	}
	w.want(200, "GET", "/v1/runs/"+id, "").has("status", "awaiting_approval")
	w.press(link, "approve", "Sec-Fetch-Site", "cross-site").is(t, 403, "Nothing was decided")
	w.press(link, "approve", "Origin", "https://else.example").is(t, 403, "Nothing was decided")
	w.press(link, "approve", "Origin", "null").is(t, 403, "Nothing was decided")
	w.press(link, "perhaps").is(t, 400, "Nothing was decided")
	var group sync.WaitGroup
	statuses := make([]int, 5)
	for i := range statuses {
		group.Go(func() { statuses[i] = w.press(link, "approve", "Sec-Fetch-Site", "same-origin").Status })
	}
	group.Wait()
	won := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			won++
		} else if status != http.StatusGone && status != http.StatusConflict {
			t.Errorf("a late click: %d", status)
		}
	}
	w.ends(id, "completed")
	if n := w.shelf.called("email.send"); won != 1 || n != 1 {
		t.Errorf("%d clicks decided, %d e-mails", won, n)
	}
	w.as("").do("GET", link, "").is(t, 410, "was used")
	if trace := string(w.want(200, "GET", "/v1/runs/"+id, "").Body); !strings.Contains(trace, `"reason":"By mail.","by":"link made by `) {
		t.Errorf("the trace does not name the link: %s", trace)
	}
}

func (r reply) is(t *testing.T, status int, says string) {
	t.Helper()
	if r.Status != status || !strings.Contains(string(r.Body), says) {
		t.Errorf("got %d, want %d and %q: %s", r.Status, status, says, r.Body)
	}
}

// stores reports whether any row of a link holds the text.
func (w *world) stores(secret string) bool {
	rows, err := w.store.Rows(w.t.Context(), run.RowQuery{Kind: "decide_link", Limit: 10})
	if err != nil || len(rows) == 0 {
		w.t.Fatalf("%d links, %v", len(rows), err)
	}
	for _, row := range rows {
		if strings.Contains(row.ID+row.Name+string(row.Data), secret) {
			return true
		}
	}
	return false
}

// A link that may not, or may not any more, says so and decides nothing.
func TestLinkRefusals(t *testing.T) {
	w := newWorld(t, mails(script.Say("Told.")))
	ada := w.key(`{"name":"Ada","scopes":["runs:read","runs:approve"]}`)
	id, _ := w.mailing(`{"required_for":["email.send"],"separate":true,"quorum":2}`)
	path := "/v1/runs/" + id + "/actions/"
	w.want(403, "POST", path+"act_01/links", "").has("error.code", "scope_denied")
	ada.want(404, "POST", path+"act_09/links", "")
	ada.want(400, "POST", path+"act_01/links", `{"decision":"maybe","expires_in_s":0}`).has("errors.decision", `must be "approve", "reject" or "both".`)
	w.as("").do("GET", "/decide/"+strings.Repeat("A", 43), "").is(t, 404, "never made here")

	w.press(w.link(id, `{"decision":"reject"}`), "approve").is(t, 403, "another decision")
	late, stale, void := ada.link(id, `{"expires_in_s":60}`), ada.link(id, `{"decision":"approve"}`), w.link(id, `{"decision":"reject"}`)
	w.expire(time.Minute + time.Second)
	w.as("").do("GET", late, "").is(t, 410, "was good until")
	w.press(late, "reject").is(t, 410, "was good until")

	// Somebody puts other arguments in place: the link was not for those.
	ada.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_01"],"arguments":{"to":"me@example.com"}}`)
	w.as("").do("GET", stale, "").is(t, 409, "Changed")
	w.press(stale, "approve").is(t, 409, "Changed")
	w.want(200, "GET", "/v1/runs/"+id, "").has("status", "awaiting_approval").has("pending_actions.0.approvals.missing", 1)

	fresh := ada.link(id, "")
	w.press(fresh, "approve").is(t, 200, "1 more") // Ada's link is Ada's voice, which is there already
	w.press(void, "reject").is(t, 409, "Changed")
	w.press(w.link(id, `{"decision":"reject"}`), "reject").is(t, 200, "It will not be done")
	w.ends(id, "completed")
	w.as("").do("GET", ada.link2(id), "").is(t, 404, "")
	if n := w.shelf.called("email.send"); n != 0 {
		t.Errorf("%d e-mails", n)
	}
}

// link2 tries to make a link to what waits no more.
func (w *world) link2(id string) string {
	w.want(409, "POST", "/v1/runs/"+id+"/actions/act_01/links", "").has("error.code", "conflict")
	return "/decide/none"
}

// expire moves the end of each link closer.
func (w *world) expire(by time.Duration) {
	w.t.Helper()
	rows, err := w.store.Rows(w.t.Context(), run.RowQuery{Kind: "decide_link", Limit: 10})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		var fields map[string]any
		if err := json.Unmarshal(row.Data, &fields); err != nil {
			w.t.Fatal(err)
		}
		until, err := time.Parse(time.RFC3339, fields["until"].(string))
		if err != nil {
			w.t.Fatal(err)
		}
		fields["until"] = until.Add(-by)
		row.Data, _ = json.Marshal(fields)
		if err := w.store.Append(w.t.Context(), run.Commit{Rows: []run.RowWrite{{Row: row, Expect: row.Version}}}); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A link is its maker's word: with the key goes the link.
func TestLinkOfARevokedKey(t *testing.T) {
	w := newWorld(t, mails(script.Say("Sent.")))
	id, _ := w.mailing(`{"required_for":["email.send"]}`)
	made := w.want(200, "POST", "/v1/keys", `{"name":"Ada","scopes":["runs:approve"]}`)
	link := w.as(made.text("secret")).link(id, "")
	w.want(200, "DELETE", "/v1/keys/"+made.text("id"), "")
	w.press(link, "approve").is(t, 403, "may not approve this any more")
	w.want(200, "GET", "/v1/runs/"+id, "").has("status", "awaiting_approval")
}

// A link says no more than its maker's key may, now: it decides on a run of another
// agent neither when it is made nor when the key has been narrowed since.
func TestLinkOfAKeyForOneAgent(t *testing.T) {
	w := newWorld(t, mails(script.Say("Sent.")))
	w.want(200, "POST", "/v1/agents", `{"name":"mine","model":"y0-agent","instructions":"x","tools":["email.send"],"approval":{"required_for":["email.send"]}}`)
	narrow := w.want(200, "POST", "/v1/keys", `{"name":"Ada","agents":["mine"],"scopes":["runs:approve","agents:execute","runs:write","runs:read"]}`)
	ada := w.as(narrow.text("secret"))
	id, _ := w.mailing(`{"required_for":["email.send"]}`)
	ada.want(404, "POST", "/v1/runs/"+id+"/actions/act_01/links", "").has("error.code", "not_found")
	own := w.want(200, "POST", "/v1/agents/mine/run", `{"prompt":"Write."}`).text("id")
	link := ada.link(own, "")
	row, err := w.store.Row(t.Context(), "key", "", narrow.text("id"))
	if err != nil {
		t.Fatal(err)
	}
	agents := `"agents":["` + w.want(200, "GET", "/v1/agents/mine", "").text("id") + `"]`
	if !strings.Contains(string(row.Data), agents) {
		t.Fatalf("the key is stored as %s", row.Data)
	}
	row.Data = []byte(strings.Replace(string(row.Data), agents, `"agents":["agt_other"]`, 1))
	if err := w.store.Append(t.Context(), run.Commit{Rows: []run.RowWrite{{Row: row, Expect: row.Version}}}); err != nil {
		t.Fatal(err)
	}
	w.press(link, "approve").is(t, 403, "may not approve this any more")
	w.want(200, "GET", "/v1/runs/"+own, "").has("status", "awaiting_approval")
}
