package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

type hook struct {
	ID, Secret, Status string
	Failures           int
}

type page struct {
	Data []struct {
		ID, Event, Status string
		Response          *int    `json:"response_status"`
		Next              *string `json:"next_retry_at"`
	}
}

func TestRunsAreTold(t *testing.T) {
	t.Parallel()
	w, r, own := rig.New(t), newReceiver(t), newReceiver(t)
	c := w.Start().Client()
	var made, standard hook
	c.Post("/v1/webhooks", map[string]any{"url": r.URL + "/h", "events": "*"}, &made)
	c.Get("/v1/webhooks/default", &standard)
	c.Do("POST", "/v1/webhooks", map[string]any{"url": r.URL + "/h", "events": "*"}).Refused(http.StatusConflict, "conflict")
	c.Tool(w, "ship.order", "once")
	var a, b rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"ship.order"}, "approval": map[string]any{"required_for": []string{"ship.order"}},
		"prompt": rig.Steps("one", `ship.order {"n":1}`, rig.Say("done")), "webhook_url": own.URL + "/run", "metadata": map[string]string{"order": "7"},
	}, &a)
	r.got(t, 1, true)
	c.Do("POST", "/v1/runs/"+a.ID+"/approve", map[string]any{"action_ids": a.Actions(), "reject": true}).Good()
	// Deliveries of different runs have no order between them, so each is waited for.
	r.got(t, 2, true)
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": rig.Steps("two", "time.now {}", rig.Say("x")), "max_steps": 1, "tools": []string{"time.now"}}, &b)
	r.got(t, 3, true)
	release := w.Model.Hold()
	var cut rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": rig.Steps("three", rig.Say("x")), "background": true}, &cut)
	c.Do("POST", "/v1/runs/"+cut.ID+"/cancel", map[string]any{}).Good()
	release()
	all := r.got(t, 4, true)
	if got, want := types(all), "run.awaiting_approval run.completed run.failed run.cancelled"; got != want {
		t.Errorf("told %s, want %s", got, want)
	}
	if first := all[0].Event.Data.Object; first.ID != a.ID || first.Status != "awaiting_approval" || len(first.Pending) != 1 || !strings.Contains(all[0].Body, `"order":"7"`) {
		t.Errorf("the first body is %s", all[0].Body)
	}
	verify(t, w, all, made.Secret, "ok")
	verify(t, w, all, standard.Secret, "No matching signature found")
	for _, d := range all {
		stamp, _, _ := strings.Cut(strings.TrimPrefix(d.Mynd, "t="), ",")
		hash := hmac.New(sha256.New, []byte(made.Secret))
		fmt.Fprintf(hash, "%s.%s", stamp, d.Body)
		if want := "t=" + stamp + ",v1=" + hex.EncodeToString(hash.Sum(nil)); d.Mynd != want {
			t.Errorf("Mynd-Signature %s, want %s", d.Mynd, want)
		}
	}
	mine := own.got(t, 2, true)
	if got := types(mine); got != "run.awaiting_approval run.completed" {
		t.Errorf("the run's own URL was told %s", got)
	}
	verify(t, w, mine, standard.Secret, "ok")
	var log page
	w.Eventually("four deliveries in the log", func() bool { // which has them when their answers have come
		c.Get("/v1/webhooks/"+made.ID+"/deliveries?status=succeeded", &log)
		return len(log.Data) == 4
	})
	c.Post("/v1/webhooks/"+made.ID+"/deliveries/"+log.Data[0].ID+"/redeliver", nil, nil)
	if again := r.got(t, 5, true)[4]; again.Body != all[3].Body || again.Headers["webhook-id"] != all[3].Headers["webhook-id"] {
		t.Errorf("made again: %+v", again)
	}
	var rotated hook
	c.Post("/v1/webhooks/"+made.ID+"/rotate", nil, &rotated)
	c.Post("/v1/webhooks/"+made.ID+"/deliveries/"+log.Data[0].ID+"/redeliver", nil, nil)
	last := r.got(t, 6, true)[5:]
	verify(t, w, last, made.Secret, "ok")
	verify(t, w, last, rotated.Secret, "ok")
	c.Do("DELETE", "/v1/webhooks/"+made.ID, nil).Good()
	c.Do("GET", "/v1/webhooks/"+made.ID, nil).Refused(http.StatusNotFound, "not_found")
}

func TestBackoffOutlivesTheServer(t *testing.T) {
	t.Parallel()
	w, r := rig.New(t), newReceiver(t)
	r.answers(http.StatusServiceUnavailable)
	s := w.Start()
	c := s.Client()
	var made hook
	c.Post("/v1/webhooks", map[string]any{"url": r.URL, "events": []string{"run.completed"}}, &made)
	for range 3 {
		c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": rig.Steps("one", rig.Say("done"))}, nil)
	}
	r.got(t, 3, false)
	var log page
	c.Get("/v1/webhooks/"+made.ID+"/deliveries?status=pending", &log)
	if len(log.Data) != 3 || log.Data[0].Next == nil {
		t.Errorf("the log says %+v", log)
	}
	s.Kill()
	r.answers(http.StatusOK)
	c = w.Start().Client()
	seen := map[string]bool{}
	for _, d := range r.got(t, 3, true) {
		seen[d.Event.ID] = true
	}
	if len(seen) != 3 {
		t.Errorf("%d events arrived", len(seen))
	}
	w.Eventually("the webhook to have no failures any more", func() bool { // the server notes an answer after it has come
		c.Get("/v1/webhooks/"+made.ID, &made)
		return made.Status == "enabled" && made.Failures == 0
	})
}

// Nothing on this machine is told anything without a hole.
func TestWhereWebhooksMayLead(t *testing.T) {
	t.Parallel()
	w, r := rig.New(t), newReceiver(t)
	w.Env["ERRAND_EGRESS_ALLOW"] = "127.0.0.1:1"
	c := w.Start().Client()
	port := r.URL[strings.LastIndexByte(r.URL, ':'):]
	later := 0
	for _, host := range []string{
		"127.0.0.1", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]", "169.254.169.254",
		"user@127.0.0.1", "localhost", "10.0.0.1", "93.184.216.34",
	} {
		for _, scheme := range []string{"http", "https", "ftp", "file"} {
			address := scheme + "://" + host + port + "/"
			if scheme == "https" && host == "93.184.216.34" {
				continue
			}
			got := c.Do("POST", "/v1/runs", map[string]any{"model": "auto", "prompt": rig.Steps("x", rig.Say("done")), "webhook_url": address})
			if host == "localhost" && strings.HasPrefix(scheme, "http") { // a name: checked when it is called
				later++
				got.Good()
				continue
			}
			if got.Refused(http.StatusBadRequest, "invalid_request").Errors["webhook_url"] == "" {
				t.Errorf("%s: %s", address, got.Body)
			}
			got = c.Do("POST", "/v1/webhooks", map[string]any{"url": address, "events": "*"})
			if got.Refused(http.StatusBadRequest, "invalid_request").Errors["url"] == "" {
				t.Errorf("%s: %s", address, got.Body)
			}
		}
	}
	w.Eventually("the names were called", func() bool {
		var log page
		c.Get("/v1/webhooks/default/deliveries", &log)
		return len(log.Data) == later && log.Data[0].Next != nil
	})
	if len(r.come) != 0 {
		t.Errorf("%d deliveries arrived", len(r.come))
	}
}
