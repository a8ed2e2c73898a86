package auth_test

import (
	"strings"
	"testing"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

func (d *desk) signIn(t *testing.T, secret string) auth.Opened {
	t.Helper()
	opened, err := d.SignIn(t.Context(), secret, nil)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func (d *desk) wantSignedOut(t *testing.T, token string) {
	t.Helper()
	if caller, err := d.Session(t.Context(), token, true); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("a session that should have ended is of %s (%v)", caller.KeyName, err)
	}
}

func (d *desk) wantSignedIn(t *testing.T, token string) auth.Caller {
	t.Helper()
	caller, err := d.Session(t.Context(), token, true)
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

// TestSession: it stands for its key, on this server and on the next one.
func TestSession(t *testing.T) {
	d := newDesk(t)
	made := d.issue(t, auth.Draft{Name: "ada", Project: "acme", Scopes: []string{"runs:read"}, Agents: []string{"agent_1"}, Expires: d.now.Add(24 * time.Hour)})
	opened := d.signIn(t, made.Secret)
	for _, book := range []*auth.Book{d.Book, auth.NewBook(d.rows, func() time.Time { return d.now })} {
		caller, err := book.Session(t.Context(), opened.Token, true)
		if err != nil {
			t.Fatal(err)
		}
		if caller.KeyID != made.ID || caller.Project != "acme" || caller.KeyName != "ada" || len(caller.Scopes) != 1 || !caller.For("agent_1") || caller.For("agent_2") || !caller.KeyEnds.Equal(made.Expires) {
			t.Errorf("%+v", caller)
		}
		if caller.Session == nil || caller.Session.ID != opened.Caller.Session.ID {
			t.Errorf("session %+v, want %+v", caller.Session, opened.Caller.Session)
		}
	}
	rows, err := d.rows.Rows(t.Context(), run.RowQuery{Kind: "session", Limit: 10})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if stored := rows[0].ID + rows[0].Name + string(rows[0].Data); strings.Contains(stored, opened.Token) || strings.Contains(stored, made.Secret) {
		t.Error("the token or the secret is stored")
	}
	// Neither opens the door of the other.
	wantRefused(t, d, opened.Token)
	d.wantSignedOut(t, made.Secret)
	d.wantSignedOut(t, rows[0].Name)
	d.wantSignedOut(t, "")
	if _, err := d.SignIn(t.Context(), "sk_live_nobody", nil); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("signed in with no key: %v", err)
	}
}

// TestSessionsEnd in each of the ways there are.
func TestSessionsEnd(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *desk, auth.Issued, auth.Opened){
		"signed out": func(t *testing.T, d *desk, _ auth.Issued, o auth.Opened) {
			if err := d.SignOut(t.Context(), d.wantSignedIn(t, o.Token)); err != nil {
				t.Fatal(err)
			}
		},
		"key revoked": func(t *testing.T, d *desk, key auth.Issued, _ auth.Opened) {
			if _, err := d.Revoke(t.Context(), "default", key.ID); err != nil {
				t.Fatal(err)
			}
		},
		"key has another secret": func(t *testing.T, d *desk, key auth.Issued, _ auth.Opened) {
			if _, err := d.Renew(t.Context(), d.admin(t), key.ID, nil); err != nil {
				t.Fatal(err)
			}
		},
		"key expired":   func(_ *testing.T, d *desk, key auth.Issued, _ auth.Opened) { d.now = key.Expires },
		"not used":      func(_ *testing.T, d *desk, _ auth.Issued, _ auth.Opened) { d.now = d.now.Add(auth.SessionIdle) },
		"another began": func(t *testing.T, d *desk, key auth.Issued, o auth.Opened) { d.replace(t, key.Secret, o) },
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			key := d.issue(t, auth.Draft{Name: "ada", Expires: d.now.Add(6 * time.Hour)})
			if name == "not used" {
				key = d.issue(t, auth.Draft{Name: "bob"})
			}
			opened := d.signIn(t, key.Secret)
			d.wantSignedIn(t, opened.Token) // and is believed for a while from here on
			end(t, d, key, opened)
			d.wantSignedOut(t, opened.Token)
			d.now = d.now.Add(time.Second)
			d.wantSignedOut(t, opened.Token)
		})
	}
}

func (d *desk) replace(t *testing.T, secret string, before auth.Opened) {
	t.Helper()
	next, err := d.SignIn(t.Context(), secret, d.wantSignedIn(t, before.Token).Session)
	if err != nil {
		t.Fatal(err)
	}
	d.wantSignedIn(t, next.Token)
}

func TestASessionOutlivesARotationWithOverlapForJustThatLong(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "ada"})
	opened := d.signIn(t, key.Secret)
	if _, err := d.Rotate(t.Context(), d.admin(t), key.ID, time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	d.wantSignedIn(t, opened.Token)
	d.now = d.now.Add(time.Hour)
	d.wantSignedOut(t, opened.Token)
}

// TestUseKeepsASession until its week is over; that a stream is open is no use.
func TestUseKeepsASession(t *testing.T) {
	d := newDesk(t)
	opened := d.signIn(t, adminSecret)
	watched := d.signIn(t, adminSecret)
	step := auth.SessionIdle - time.Hour
	for used := step; used < auth.SessionLongest; used += step {
		d.now = d.now.Add(step)
		if caller := d.wantSignedIn(t, opened.Token); caller.Session.Until.After(opened.Caller.Session.Began.Add(auth.SessionLongest)) {
			t.Fatalf("it lasts until %v", caller.Session.Until)
		}
		if _, err := d.Session(t.Context(), watched.Token, false); (err == nil) != (used < auth.SessionIdle) {
			t.Fatalf("after %v without use: %v", used, err)
		}
	}
	d.now = opened.Caller.Session.Began.Add(auth.SessionLongest)
	d.wantSignedOut(t, opened.Token)
}

// TestAnEndedSessionIsNotExtended by a request that was under way.
func TestAnEndedSessionIsNotExtended(t *testing.T) {
	d := newDesk(t)
	opened := d.signIn(t, adminSecret)
	other := auth.NewBook(d.rows, func() time.Time { return d.now })
	d.now = d.now.Add(time.Hour) // its use is worth writing down
	if _, err := other.Session(t.Context(), opened.Token, false); err != nil {
		t.Fatal(err)
	}
	if err := d.SignOut(t.Context(), opened.Caller); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Session(t.Context(), opened.Token, true); err != nil {
		t.Errorf("another node looks again before it has to: %v", err)
	}
	d.now = d.now.Add(3 * time.Second)
	if _, err := other.Session(t.Context(), opened.Token, true); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("another node still lets it in after 3 s: %v", err)
	}
	rows, err := d.rows.Rows(t.Context(), run.RowQuery{Kind: "session", Limit: 10})
	if err != nil || len(rows) != 0 {
		t.Errorf("%d sessions are stored, %v", len(rows), err)
	}
}

// TestUnknownTokensCostTheSameWork as those whose key opens nothing any more.
func TestUnknownTokensCostTheSameWork(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "ada"})
	opened := d.signIn(t, key.Secret)
	if _, err := d.Revoke(t.Context(), "default", key.ID); err != nil {
		t.Fatal(err)
	}
	work := func(token string) (lookups int, said string) {
		before := d.rows.lookups
		_, err := d.Session(t.Context(), token, true)
		return d.rows.lookups - before, problem.From(err).Detail
	}
	n, said := work(opened.Token)
	m, other := work("nobody's token")
	if n != m || n == 0 || said != other {
		t.Errorf("revoked: %d look-ups, %q; unknown: %d, %q", n, said, m, other)
	}
}

func TestLinks(t *testing.T) {
	d := newDesk(t)
	admin := d.admin(t)
	link := func() string {
		token, until, err := d.Link(t.Context(), &admin)
		if err != nil || !until.Equal(d.now.Add(auth.LinkLife)) {
			t.Fatalf("until %v, %v", until, err)
		}
		return token
	}
	use := func(token string) error {
		opened, err := d.SignInByLink(t.Context(), token, nil)
		if err == nil && d.wantSignedIn(t, opened.Token).KeyID != "key_admin" {
			t.Errorf("signed in as %+v", opened.Caller)
		}
		return err
	}
	first := link()
	if err := use(first); err != nil {
		t.Fatal(err)
	}
	refused := map[string]string{"used": first, "unknown": "x", "empty": ""}
	refused["expired"] = link()
	d.now = d.now.Add(auth.LinkLife)
	var oldest string
	for i := range 65 {
		d.now = d.now.Add(time.Second)
		if token := link(); i == 0 {
			oldest = token
		}
	}
	refused["crowded out"] = oldest
	for name, token := range refused {
		if err := use(token); !problem.Is(err, problem.Unauthenticated) {
			t.Errorf("%s: %v", name, err)
		}
	}
	at := link()
	restarted := auth.NewBook(d.rows, func() time.Time { return d.now })
	if _, err := restarted.SignInByLink(t.Context(), at, nil); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("after a restart: %v", err)
	}
	// What the admin key was when the link is used is what counts.
	atStart, err := d.AdminLink(t.Context())
	if err != nil || atStart == "" {
		t.Fatalf("%q, %v", atStart, err)
	}
	if _, err := d.EnsureAdmin(t.Context(), "another one of sixteen"); err != nil {
		t.Fatal(err)
	}
	if err := use(atStart); err != nil {
		t.Error(err)
	}
	void := link()
	if _, err := d.Revoke(t.Context(), "default", "key_admin"); err != nil {
		t.Fatal(err)
	}
	if err := use(void); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("of a revoked key: %v", err)
	}
	if token, err := d.AdminLink(t.Context()); err != nil || token != "" {
		t.Errorf("a link for a revoked key: %q, %v", token, err)
	}
}
