package yao_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api/yao"
	"errand/internal/auth"
	"errand/internal/robot"
)

// eventPath is where the events of these tests go.
const eventPath = "/v1/agent/robots/shop/events/orders"

// newShop is a world with a robot that takes events, and its secret.
func newShop(t *testing.T) (*world, string) {
	t.Helper()
	w := newWorld(t, newHost(nil), func(cfg *yao.Config) {
		book := cfg.Robots.(*robot.Book)
		cfg.Secrets, cfg.Grants = book, cfg.Keys.(*auth.Book)
	})
	w.want(201, "POST", "/v1/agent/robots", `{"member_id":"shop","display_name":"Shop","language_model":"y0-agent","robot_config":{
		"events":[{"type":"webhook","source":"orders","filter":{"type":["order.created","order.paid"],"data.total":10}},{"type":"webhook","source":"any"}]}}`)
	var shown struct {
		Member string `json:"member_id"`
		Secret string
	}
	w.want(200, "POST", "/v1/agent/robots/shop/events/rotate", "").into(&shown)
	if shown.Member != "shop" || !strings.HasPrefix(shown.Secret, "whsec_") {
		t.Fatalf("%+v", shown)
	}
	return w, shown.Secret
}

// signed are the headers of an event that is sent now, or a while ago.
func signed(secret, id, body string, ago time.Duration) []string {
	stamp := fmt.Sprint(time.Now().Add(-ago).Unix())
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	hash := hmac.New(sha256.New, key)
	fmt.Fprintf(hash, "%s.%s.%s", id, stamp, body)
	return []string{"webhook-id", id, "webhook-timestamp", stamp, "webhook-signature", "v1a,x v1," + base64.StdEncoding.EncodeToString(hash.Sum(nil))}
}

type eventAnswer struct {
	Accepted bool
	Exec     string `json:"execution_id"`
	Message  string
}

const order = `{"type":"order.created","data":{"id":12345678901234567890,"total":10.0}}`

func TestEvent(t *testing.T) {
	w, secret := newShop(t)
	sender := w.key("runs:read") // whose own key plays no part
	sender.secret = "sk_nobody"
	var first, again, other eventAnswer
	got := sender.want(200, "POST", eventPath, order, signed(secret, "evt_1", order, 0)...)
	got.into(&first)
	if !first.Accepted || first.Message != "Execution started" || !strings.HasSuffix(got.Header.Get("Location"), "/v1/agent/robots/shop/executions/"+first.Exec) {
		t.Fatalf("%+v, Location %s", first, got.Header.Get("Location"))
	}
	s := w.state(first.Exec)
	about, ok := robot.ReadOrder(&s.Spec)
	if !ok || about.Trigger != robot.ByEvent || about.EventType != "order.created" || s.Spec.Key != "key_admin" {
		t.Errorf("ordered is %+v on the word of %s", about, s.Spec.Key)
	}
	if context := string(s.Spec.Context); !strings.Contains(context, "12345678901234567890") || !strings.Contains(s.Spec.Input.Text, "order.created") {
		t.Errorf("told is %s %s", s.Spec.Input.Text, context)
	}
	sender.want(200, "POST", eventPath, order, signed(secret, "evt_1", order, 4*time.Minute)...).into(&again)
	if again.Exec != first.Exec || again.Message != "Execution already started" {
		t.Errorf("again: %+v", again)
	}
	sender.want(200, "POST", eventPath, order, signed(secret, "evt_2", order, 0)...).into(&other)
	if other.Exec == first.Exec || len(w.executions("shop")) != 2 {
		t.Errorf("another event: %+v", other)
	}
}

// TestEventOnce: an event that comes many times at the same moment is one execution.
func TestEventOnce(t *testing.T) {
	w, secret := newShop(t)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if got := w.do("POST", eventPath, order, signed(secret, "evt_1", order, 0)...); got.Status != 200 && got.Status != 409 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	wait.Wait()
	if made := len(w.executions("shop")); made != 1 {
		t.Errorf("%d executions", made)
	}
}

func TestEventFilter(t *testing.T) {
	w, secret := newShop(t)
	for _, body := range []string{
		`{"type":"order.deleted","data":{"total":10}}`, `{"type":"order.paid","data":{"total":11}}`, `{"type":"order.paid"}`, `{"type":"order.paid","data":"10"}`, `[1]`,
	} {
		var got eventAnswer
		w.want(200, "POST", eventPath, body, signed(secret, "evt_1", body, 0)...).into(&got)
		if got.Accepted || got.Exec != "" {
			t.Errorf("%s: %+v", body, got)
		}
	}
	var got eventAnswer
	list := `[1]`
	w.want(200, "POST", "/v1/agent/robots/shop/events/any", list, signed(secret, "evt_1", list, 0)...).into(&got)
	if s := w.state(got.Exec); string(s.Spec.Context) != `{"payload":[1]}` {
		t.Errorf("told is %s", s.Spec.Context)
	}
	if made := len(w.executions("shop")); made != 1 {
		t.Errorf("%d executions", made)
	}
}

func TestEventRefused(t *testing.T) {
	w, secret := newShop(t)
	for name, c := range map[string]struct {
		path    string
		headers []string
		status  int
		fault   string
	}{
		"no signature":      {eventPath, nil, 401, "unauthenticated"},
		"another secret":    {eventPath, signed("whsec_AAAA", "evt_1", order, 0), 401, "unauthenticated"},
		"another body":      {eventPath, signed(secret, "evt_1", order+" ", 0), 401, "unauthenticated"},
		"too old":           {eventPath, signed(secret, "evt_1", order, 6*time.Minute), 401, "unauthenticated"},
		"from the future":   {eventPath, signed(secret, "evt_1", order, -6*time.Minute), 401, "unauthenticated"},
		"no such robot":     {"/v1/agent/robots/none/events/orders", signed(secret, "evt_1", order, 0), 401, "unauthenticated"},
		"nor with no key":   {"/v1/agent/robots/none/events/orders", signed("whsec_", "evt_1", order, 0), 401, "unauthenticated"},
		"another project":   {eventPath + "?project=other", signed(secret, "evt_1", order, 0), 401, "unauthenticated"},
		"no id":             {eventPath, signed(secret, "", order, 0), 400, "invalid_request webhook-id"},
		"no such source":    {"/v1/agent/robots/shop/events/none", signed(secret, "evt_1", order, 0), 404, "not_found"},
		"a robot of others": {"/v1/agent/robots/my-robot/events/orders", signed(secret, "evt_1", order, 0), 401, "unauthenticated"},
	} {
		t.Run(name, func(t *testing.T) {
			at := *w
			at.t = t
			if got := at.want(c.status, "POST", c.path, order, c.headers...).fault(); got != c.fault {
				t.Errorf("got %s, want %s", got, c.fault)
			}
		})
	}
	w.want(200, "PUT", "/v1/agent/robots/shop", `{"robot_status":"paused"}`)
	if got := w.want(400, "POST", eventPath, order, signed(secret, "evt_1", order, 0)...).fault(); got != "invalid_request" {
		t.Errorf("a paused robot: %s", got)
	}
	w.want(200, "PUT", "/v1/agent/robots/shop", `{"robot_status":"idle"}`)
	w.want(200, "POST", "/v1/agent/robots/shop/events/rotate", "")
	w.want(401, "POST", eventPath, order, signed(secret, "evt_1", order, 0)...)
	if made := len(w.executions("shop")); made != 0 {
		t.Errorf("%d executions", made)
	}
}

// TestEventOfARevokedKey: nothing more is done on the word of a key that is void.
func TestEventOfARevokedKey(t *testing.T) {
	w, secret := newShop(t)
	maker := w.key("agents:write", "runs:write")
	maker.want(200, "PUT", "/v1/agent/robots/shop", `{"bio":"Sells."}`)
	found, err := w.robots.Find(t.Context(), auth.DefaultProject, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.keys.Revoke(t.Context(), auth.DefaultProject, found.UpdatedBy); err != nil {
		t.Fatal(err)
	}
	if got := w.want(403, "POST", eventPath, order, signed(secret, "evt_1", order, 0)...).fault(); got != "scope_denied" {
		t.Errorf("got %s", got)
	}
}
