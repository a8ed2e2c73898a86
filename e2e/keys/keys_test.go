package keys

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

type key struct {
	ID, Secret string
	Agents     []string
	LastUsed   *time.Time `json:"last_used_at"`
}

// TestARevokedKeyEndsItsStreams: a stream that a key has opened hears nothing more
// from the moment in which the key is revoked; the run goes on for others.
func TestARevokedKeyEndsItsStreams(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	admin.Tool(w, "crm.note", "once")
	var made key
	admin.Post("/v1/keys", `{"name":"reader","scopes":["runs:read"]}`, &made)
	var run rig.Run
	admin.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"crm.note"}, "approval": map[string]any{"required_for": []string{"crm.note"}},
		"prompt": rig.Steps("gated", `crm.note {"n":1}`, rig.Say("Noted, and secret.")),
	}, &run)
	stream := s.Client(made.Secret).Stream(run.ID, "")
	other := admin.Stream(run.ID, "")
	first, err := stream.Next()
	if err != nil {
		t.Fatal(err)
	}
	admin.Do("DELETE", "/v1/keys/"+made.ID, nil).Is(http.StatusOK)
	admin.Post("/v1/runs/"+run.ID+"/approve", map[string]any{"action_ids": run.Actions()}, nil)
	admin.Until(run.ID, "completed")
	for _, frame := range stream.Rest() {
		if strings.Contains(frame.Data, "secret") || strings.Contains(frame.Data, "approval.decided") {
			t.Errorf("after the revocation: %s", frame.Data)
		}
	}
	told := false
	for _, frame := range other.Rest() {
		told = told || strings.Contains(frame.Data, "secret")
	}
	if !told || first.Event == "" {
		t.Errorf("the stream of another key: told %v; the first frame: %+v", told, first)
	}
	s.Client(made.Secret).Do("GET", "/v1/runs", nil).Refused(http.StatusUnauthorized, "unauthenticated")
}

// unnamed is an answer without what differs from request to request.
func unnamed(body, id string) string {
	return regexp.MustCompile(`req_[0-9a-f]+`).ReplaceAllString(strings.ReplaceAll(body, id, "run_…"), "req_…")
}

// TestAKeyForOneAgent starts and sees runs of its agent, and no other run.
func TestAKeyForOneAgent(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	for _, name := range []string{"mine", "other"} {
		admin.Post("/v1/agents", map[string]any{"name": name, "model": "auto", "instructions": "x", "tools": []string{}}, nil)
	}
	var made key
	admin.Post("/v1/keys", `{"name":"narrow","agents":["mine"]}`, &made)
	admin.Do("POST", "/v1/keys", `{"name":"x","agents":["none"]}`).Refused(http.StatusBadRequest, "invalid_request")
	c := s.Client(made.Secret)
	var own, foreign, loose rig.Run
	c.Post("/v1/agents/mine/run", `{"prompt":"= Hello."}`, &own)
	admin.Post("/v1/agents/other/run", `{"prompt":"= Hello."}`, &foreign)
	admin.Post("/v1/runs", `{"model":"auto","prompt":"= Hello."}`, &loose)
	c.Get("/v1/runs/"+own.ID, nil)
	var page struct{ Data []struct{ ID, Name string } }
	if c.Get("/v1/runs", &page); len(page.Data) != 1 || page.Data[0].ID != own.ID {
		t.Errorf("it lists %+v", page.Data)
	}
	if c.Get("/v1/agents", &page); len(page.Data) != 1 || page.Data[0].Name != "mine" {
		t.Errorf("it lists %+v", page.Data)
	}
	for _, id := range []string{foreign.ID, loose.ID} {
		for _, path := range []string{"", "/events", "/stream"} {
			c.Do("GET", "/v1/runs/"+id+path, nil).Refused(http.StatusNotFound, "not_found")
		}
		c.Do("POST", "/v1/runs/"+id+"/cancel", nil).Refused(http.StatusNotFound, "not_found")
		c.Do("POST", "/v1/runs/"+id+"/retry", nil).Refused(http.StatusNotFound, "not_found")
		c.Do("POST", "/v1/agents/mine/run", map[string]any{"prompt": "= x", "previous_run_id": id}).Refused(http.StatusBadRequest, "invalid_request")
	}
	// A run of another agent and one that is not there have the same answer.
	nowhere := "run_" + strings.Repeat("0", 32)
	hidden := string(c.Do("GET", "/v1/runs/"+foreign.ID, nil).Body)
	absent := string(c.Do("GET", "/v1/runs/"+nowhere, nil).Body)
	if a, b := unnamed(hidden, foreign.ID), unnamed(absent, nowhere); a != b {
		t.Errorf("a run of another agent: %s\none that is not there: %s", a, b)
	}
	c.Do("POST", "/v1/agents/other/run", `{"prompt":"= x"}`).Refused(http.StatusNotFound, "not_found")
	c.Do("GET", "/v1/agents/other/runs", nil).Refused(http.StatusNotFound, "not_found")
	for _, elsewhere := range []string{"POST /v1/runs", "GET /v1/usage", "PATCH /v1/agents/mine", "GET /v1/files"} {
		method, path, _ := strings.Cut(elsewhere, " ")
		var body any
		if method != "GET" {
			body = `{"model":"auto","prompt":"x"}`
		}
		c.Do(method, path, body).Refused(http.StatusForbidden, "scope_denied")
	}
	if status := c.Do("POST", "/v1/agent/completions", `{}`).Status; status != http.StatusForbidden {
		t.Errorf("another API: %d", status)
	}
}

// TestRotation: with an overlap both secrets work, and one revocation ends both.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	var before, after key
	admin.Post("/v1/keys", `{"name":"ci"}`, &before)
	admin.Post("/v1/keys/"+before.ID+"/rotate", `{"overlap_s":3600}`, &after)
	for _, secret := range []string{before.Secret, after.Secret} {
		s.Client(secret).Get("/v1/runs", nil)
	}
	var page struct{ Data []key }
	if admin.Get("/v1/keys", &page); len(page.Data) != 2 || page.Data[1].LastUsed == nil {
		t.Errorf("%+v", page.Data)
	}
	s.Kill()
	s = w.Start() // it is all on disk
	s.Client(before.Secret).Get("/v1/runs", nil)
	s.Client().Do("DELETE", "/v1/keys/"+before.ID, nil).Is(http.StatusOK)
	for _, secret := range []string{before.Secret, after.Secret} {
		s.Client(secret).Do("GET", "/v1/runs", nil).Refused(http.StatusUnauthorized, "unauthenticated")
	}
}

// TestLimits: a key's own limit goes before the server's, and says how it stands.
func TestLimits(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Env["ERRAND_RATE_LIMIT"] = "1000"
	s := w.Start()
	admin := s.Client()
	var made key
	admin.Post("/v1/keys", `{"name":"slow","requests_per_minute":3,"runs_at_once":1}`, &made)
	c := s.Client(made.Secret)
	for left := 2; left >= 0; left-- {
		got := c.Get("/v1/runs", nil)
		if got.Header.Get("X-Mynd-Limit") != "3" || got.Header.Get("X-Mynd-Remaining") != strconv.Itoa(left) || got.Header.Get("RateLimit-Remaining") != strconv.Itoa(left) {
			t.Errorf("with %d left: %v", left, got.Header)
		}
		if _, err := time.Parse(time.RFC3339, got.Header.Get("X-Mynd-Reset")); err != nil {
			t.Error(err)
		}
	}
	refused := c.Do("GET", "/v1/runs", nil)
	refused.Refused(http.StatusTooManyRequests, "rate_limited")
	if wait, err := strconv.Atoi(refused.Header.Get("Retry-After")); err != nil || wait < 1 || wait > 20 {
		t.Errorf("Retry-After: %q", refused.Header.Get("Retry-After"))
	}
	if got := admin.Get("/v1/runs", nil); got.Header.Get("X-Mynd-Limit") != "1000" {
		t.Errorf("the admin's: %v", got.Header)
	}
}

// TestRunsAtOnce: of a key that may have one run at work, the second waits.
func TestRunsAtOnce(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	admin.Tool(w, "slow.read", "safe")
	release := w.Tools.Hold("slow.read")
	var made key
	admin.Post("/v1/keys", `{"name":"one","runs_at_once":1}`, &made)
	c := s.Client(made.Secret)
	order := func(name string) (run rig.Run) {
		c.Post("/v1/runs", map[string]any{"model": "auto", "background": true, "tools": []string{"slow.read"}, "prompt": rig.Steps(name, `slow.read {"n":1}`, rig.Say("Done."))}, &run)
		return run
	}
	first := order("first")
	w.Eventually("the call", func() bool { return len(w.Tools.Ledger("slow.read")) == 1 })
	second := order("second")
	rig.Pause(200 * time.Millisecond)
	if n := len(w.Tools.Ledger("slow.read")); n != 1 {
		t.Errorf("%d calls of a key that may have one run at work", n)
	}
	release()
	admin.Until(first.ID, "completed")
	admin.Until(second.ID, "completed")
}

// TestSecretsAtRest: no file of the data directory has a header's value of a tool, in
// none of the ways in which it could stand there; the tool still sends it.
func TestSecretsAtRest(t *testing.T) {
	t.Parallel()
	const secret = "tok-5f2c9b1d7e3a4c68"
	w := rig.New(t)
	got := ""
	owner := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header.Get("Authorization") }))
	t.Cleanup(owner.Close)
	s := w.Start()
	c := s.Client()
	shown := c.Post("/v1/tools", map[string]any{
		"name": "crm.read", "url": owner.URL, "effect": "safe", "headers": map[string]string{"Authorization": "Bearer " + secret},
	}, nil)
	changed := c.Do("PATCH", "/v1/tools/crm.read", `{"description":"Reads."}`).Is(http.StatusOK)
	if strings.Contains(string(shown.Body)+string(changed.Body), secret) {
		t.Error("the API shows the secret")
	}
	// Who may change tools can't have what others stored sent to themselves.
	taken := ""
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { taken += r.Header.Get("Authorization") }))
	t.Cleanup(thief.Close)
	var writer key
	c.Post("/v1/keys", `{"name":"toolsmith","scopes":["tools:read","tools:write","agents:execute"]}`, &writer)
	smith := s.Client(writer.Secret)
	smith.Do("PATCH", "/v1/tools/crm.read", map[string]any{"url": thief.URL}).Refused(http.StatusBadRequest, "invalid_request")
	smith.Post("/v1/tools/crm.read/try", `{"arguments":{}}`, nil)
	smith.Do("PATCH", "/v1/tools/crm.read", map[string]any{"url": thief.URL, "headers": map[string]string{"Authorization": "Bearer my-own"}}).Is(http.StatusOK)
	smith.Post("/v1/tools/crm.read/try", `{"arguments":{}}`, nil)
	if taken != "Bearer my-own" {
		t.Errorf("at the other address arrived %q", taken)
	}
	smith.Do("PATCH", "/v1/tools/crm.read", map[string]any{"url": owner.URL, "headers": map[string]string{"Authorization": "Bearer " + secret}}).Is(http.StatusOK)
	s.Terminate()
	s = w.Start()
	s.Client().Post("/v1/tools/crm.read/try", `{"arguments":{}}`, nil)
	s.Terminate()
	owner.Close()
	if got != "Bearer "+secret {
		t.Errorf("the tool's owner got %q", got)
	}
	files, err := filepath.Glob(filepath.Join(w.Data(), "*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte("Bearer " + secret))} {
			if bytes.Contains(text, []byte(form)) {
				t.Errorf("%s has the secret", file)
			}
		}
	}
}
