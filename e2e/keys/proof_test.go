package keys

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// TestSecretsAreCutOut: a tool that quotes the credentials with which it was called, in
// any usual form, as its output or as an error, gives them to nobody: not to the answer,
// the trace, the events, the stream, the prompt of the next step, a trial, or the log.
func TestSecretsAreCutOut(t *testing.T) {
	t.Parallel()
	const secret = "tok+5f2c/9b1d&7e3a=4c68"
	forms := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), strings.ToLower(url.QueryEscape(secret)), strings.ReplaceAll(url.QueryEscape(secret), "%2F", "/"),
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)), strings.ReplaceAll(secret, "/", `\/`),
	}
	owner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "broken") {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, strings.Join(forms, " ")+" "+r.Header.Get("Authorization"))
	}))
	t.Cleanup(owner.Close)
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	for _, name := range []string{"quote.whole", "quote.broken"} {
		c.Post("/v1/tools", map[string]any{
			"name": name, "url": owner.URL + "/" + name, "effect": "safe", "headers": map[string]string{"Authorization": "Bearer " + secret},
		}, nil)
	}
	said := string(c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"quote.whole", "quote.broken"}, "prompt": rig.Steps("quoted", `quote.whole {}`, `quote.broken {}`, rig.Say("Done.")), "stream": true,
	}, nil).Body)
	var runs struct{ Data []rig.Run }
	c.Get("/v1/runs", &runs)
	id := runs.Data[0].ID
	for _, path := range []string{"", "?include_trace=true", "/events", "/stream", "/explain", "/steps/2/prompt", "/steps/3/prompt"} {
		said += string(c.Get("/v1/runs/"+id+path, nil).Body)
	}
	for _, name := range []string{"quote.whole", "quote.broken"} {
		said += string(c.Post("/v1/tools/"+name+"/try", `{"arguments":{}}`, nil).Body)
	}
	said += s.Log()
	for _, form := range forms {
		if strings.Contains(said, form) {
			t.Errorf("%s was shown", form)
		}
	}
	if strings.Count(said, "[redacted]") < 4*len(forms) {
		t.Errorf("the tool was not heard:\n%s", said)
	}
}

// TestLinesOutliveTheirRun: what people decided stays known when the run is deleted.
func TestLinesOutliveTheirRun(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "crm.note", "once")
	run := waiting(w, c)
	c.Post("/v1/runs/"+run.ID+"/approve", map[string]any{"action_ids": run.Actions(), "reason": "Looks right."}, nil)
	c.Until(run.ID, "completed")
	c.Do("DELETE", "/v1/runs/"+run.ID, nil).Is(http.StatusOK)
	c.Do("GET", "/v1/runs/"+run.ID, nil).Refused(http.StatusNotFound, "not_found")
	var told []string
	for _, line := range lines(c, "&target="+run.ID) {
		told = append(told, line.Action)
	}
	if got := fmt.Sprint(told); got != "[approval.decided run.deleted]" {
		t.Errorf("of the deleted run the audit log tells %s", got)
	}
}

// TestNoLimitUnlessOneIsSet: out of the box a key makes as many requests as it likes,
// and no header speaks of a limit.
func TestNoLimitUnlessOneIsSet(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	for range 200 {
		got := c.Get("/v1/runs?limit=1", nil)
		if got.Header.Get("X-Mynd-Limit") != "" || got.Header.Get("RateLimit-Limit") != "" {
			t.Fatalf("%v", got.Header)
		}
	}
}

// TestADenialAtAStepIsTraced: a run whose key lacks a tool's scope ends at that step;
// the trace and the error say which scope was asked for.
func TestADenialAtAStepIsTraced(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	admin.Post("/v1/tools", map[string]any{"name": "books.read", "url": w.Tools.URL + "/books", "effect": "safe", "scope": "context:books"}, nil)
	var made key
	admin.Post("/v1/keys", `{"name":"clerk","scopes":["runs:read","runs:write","agents:execute"]}`, &made)
	c := s.Client(made.Secret)
	var run rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "tools": []string{"books.read"}, "prompt": rig.Steps("denied", `books.read {}`)}, &run)
	if run.Status != "failed" || *run.StopReason != "scope_denied" || !strings.Contains(run.Error.Message, "context:books") || !strings.Contains(run.Error.Message, "agents:execute") {
		t.Errorf("the run: %+v, %+v", run, run.Error)
	}
	var traced struct {
		Trace []struct{ Type, Decision, Scope string }
	}
	c.Get("/v1/runs/"+run.ID+"?include_trace=true", &traced)
	denied := false
	for _, entry := range traced.Trace {
		denied = denied || entry.Type == "kernel" && entry.Decision == "deny" && entry.Scope == "context:books"
	}
	if calls := w.Tools.Ledger("books.read"); !denied || len(calls) != 0 {
		t.Errorf("%d calls, the trace %+v", len(calls), traced.Trace)
	}
}
