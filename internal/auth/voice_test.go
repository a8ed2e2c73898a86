package auth_test

import (
	"testing"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
)

// A key that manages keys makes no second voice, however far down, and gets none by
// giving another secret to somebody else's key; an admin hands voices out.
func TestVoices(t *testing.T) {
	d := newDesk(t)
	scopes := []string{"runs:read", "runs:approve", "keys:write"}
	ada, bob := d.issue(t, auth.Draft{Name: "Ada", Scopes: scopes}), d.issue(t, auth.Draft{Name: "Bob", Scopes: scopes})
	who := func(secret string) auth.Caller {
		t.Helper()
		caller, err := d.Authenticate(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		return caller
	}
	made := func(maker auth.Caller, name string) auth.Issued {
		t.Helper()
		issued, err := d.Create(t.Context(), maker, auth.Draft{Name: name, Scopes: scopes}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return issued
	}
	rotate := func(maker auth.Caller, id string) (auth.Issued, error) {
		return d.Rotate(t.Context(), maker, id, time.Hour, nil)
	}
	child := made(who(ada.Secret), "Ada's second")
	grandchild := made(who(child.Secret), "Ada's third")
	if _, err := rotate(who(ada.Secret), bob.ID); !problem.Is(err, problem.ScopeDenied) {
		t.Errorf("Ada gets a secret of Bob's key: %v", err)
	}
	if _, err := rotate(who(child.Secret), bob.ID); !problem.Is(err, problem.ScopeDenied) {
		t.Errorf("Ada's second key gets one: %v", err)
	}
	for what, by := range map[string]struct {
		maker auth.Caller
		id    string
	}{
		"Bob's own, by himself": {who(bob.Secret), bob.ID}, "Ada's third, by her first": {who(ada.Secret), grandchild.ID},
		"her first, by her second": {who(child.Secret), ada.ID}, "Bob's, by the admin": {d.admin(t), bob.ID},
	} {
		if _, err := rotate(by.maker, by.id); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	for id, want := range map[string]string{
		ada.ID: ada.ID, bob.ID: bob.ID, child.ID: ada.ID, grandchild.ID: ada.ID, "key_admin": "key_admin", "key_open": "key_open",
	} {
		if voice, err := d.Voice(t.Context(), id); err != nil || voice != want {
			t.Errorf("the voice of %s is %s and not %s: %v", id, voice, want, err)
		}
	}
}
