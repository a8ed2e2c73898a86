//go:build unix

package cluster

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/e2e/rig"
)

// heard is within what time the other nodes know of a change: what the guide promises.
const heard = 3 * time.Second

// TestChangesHoldOnAllNodes changes on one node what others keep in memory, and uses it
// on another one.
func TestChangesHoldOnAllNodes(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	a, b := f.members[0], f.members[1]
	keyChanges(f, a, b)
	linkChanges(f, a, b)
	toolChanges(f, a, b)
	projectChanges(f, a, b)
}

func keyChanges(f *fleet, a, b *member) {
	var key struct{ ID, Secret string }
	a.c.Post("/v1/keys", `{"name":"ada","scopes":["runs:read"]}`, &key)
	ada := b.Client(key.Secret)
	ada.Do("GET", "/v1/runs", nil).Is(http.StatusOK)
	a.c.Do("DELETE", "/v1/keys/"+key.ID, nil).Good()
	f.soon("a closed door", heard+slack, func() bool { return ada.Do("GET", "/v1/runs", nil).Status == http.StatusUnauthorized })
}

func linkChanges(f *fleet, a, b *member) {
	var link struct{ URL string }
	a.c.Post("/v1/session/links", nil, &link)
	_, token, _ := strings.Cut(link.URL, "#link=")
	there := b.Client("")
	signed := there.Do("POST", "/v1/session", map[string]string{"link": token}, "Origin", b.URL).Is(http.StatusCreated)
	a.Client("").Do("POST", "/v1/session", map[string]string{"link": token}, "Origin", a.URL).Is(http.StatusUnauthorized)
	cookie, _, _ := strings.Cut(signed.Header.Get("Set-Cookie"), ";")
	_, secret, _ := strings.Cut(cookie, "=")
	port := a.URL[strings.LastIndex(a.URL, ":")+1:]
	look := func() rig.Answer {
		return a.Client("").Do("GET", "/v1/session", nil, "Cookie", "errand_session_"+port+"="+secret, "Sec-Fetch-Site", "same-origin")
	}
	look().Is(http.StatusOK)
	there.Do("DELETE", "/v1/session", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin", "Origin", b.URL).Good()
	f.soon("the end of the session", heard+slack, func() bool { return look().Status == http.StatusUnauthorized })
}

func toolChanges(f *fleet, a, b *member) {
	var told atomic.Int64
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	f.T.Cleanup(receiver.Close)
	a.c.Post("/v1/webhooks", map[string]any{"url": receiver.URL, "events": "*"}, nil)
	a.c.Tool(f.World, "crm.note", "once")
	b.c.Do("GET", "/v1/tools/crm.note", nil).Is(http.StatusOK)
	rig.Pause(heard)
	r := b.order(rig.Steps("noted", `crm.note {"n":1}`, rig.Say("done")), uses("crm.note"))
	b.over(r.ID)
	f.soon("a delivery", rig.Patience, func() bool { return told.Load() > 0 })
	if f.called("crm.note", r.ID) != 1 {
		f.T.Error("the tool was not called")
	}
}

func projectChanges(f *fleet, a, b *member) {
	a.c.Post("/v1/projects", `{"name":"gone"}`, nil)
	b.c.Do("DELETE", "/v1/projects/gone", `{"confirm":"gone"}`)
	f.soon("its end", rig.Patience, func() bool { return a.c.Do("GET", "/v1/projects/gone", nil).Status == http.StatusNotFound })
	a.c.Post("/v1/projects", `{"name":"gone"}`, nil)
	var key struct{ Secret string }
	a.c.Post("/v1/keys", `{"name":"new","project":"gone","scopes":["runs:write","runs:read"]}`, &key)
	f.soon("a run in the new project of its name", heard+slack, func() bool {
		return b.Client(key.Secret).Do("POST", "/v1/runs", `{"model":"auto","prompt":"hello","background":true}`).Status < 300
	})
}
