package auth_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

const adminSecret = "correct horse battery staple"

// desk is a Book over a store in memory, with a clock to turn and the rows that
// it writes and looks up to look at.
type desk struct {
	*auth.Book
	rows *counting
	now  time.Time
}

// counting counts look-ups and can hold one back.
type counting struct {
	*memory.Store
	lookups int
	during  func() // called inside the next look-up, after it has read
}

func (c *counting) RowByName(ctx context.Context, kind, project, name string) (run.Row, error) {
	c.lookups++
	row, err := c.Store.RowByName(ctx, kind, project, name)
	if hook := c.during; hook != nil {
		c.during = nil
		hook()
	}
	return row, err
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{now: time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)}
	clock := func() time.Time { return d.now }
	d.rows = &counting{Store: memory.New(memory.Config{Now: clock})}
	d.Book = auth.NewBook(d.rows, clock)
	if generated, err := d.EnsureAdmin(t.Context(), adminSecret); err != nil || generated != "" {
		t.Fatalf("EnsureAdmin = %q, %v", generated, err)
	}
	return d
}

func (d *desk) admin(t *testing.T) auth.Caller {
	t.Helper()
	caller, err := d.Authenticate(t.Context(), adminSecret)
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

func (d *desk) issue(t *testing.T, draft auth.Draft) auth.Issued {
	t.Helper()
	issued, err := d.Create(t.Context(), d.admin(t), draft, nil)
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

func TestAdmin(t *testing.T) {
	d := newDesk(t)
	caller := d.admin(t)
	if caller.Project != "default" || caller.KeyName != "admin" {
		t.Errorf("admin is %+v", caller)
	}
	for _, scope := range append(auth.Scopes(), "context:finance", "some tool's own") {
		if err := auth.Allow(caller, scope); err != nil {
			t.Errorf("admin may not %s: %v", scope, err)
		}
	}
	if _, err := d.rows.Row(t.Context(), "project", "", "default"); err != nil {
		t.Errorf("the default project is not there: %v", err)
	}
	t.Run("the same value changes nothing", func(t *testing.T) {
		before, _ := d.rows.Row(t.Context(), "key", "", caller.KeyID)
		if _, err := d.EnsureAdmin(t.Context(), adminSecret); err != nil {
			t.Fatal(err)
		}
		after, _ := d.rows.Row(t.Context(), "key", "", caller.KeyID)
		if before.Version != after.Version {
			t.Errorf("the key was written again: version %d, then %d", before.Version, after.Version)
		}
	})
	t.Run("another value replaces it at once", func(t *testing.T) {
		if _, err := d.EnsureAdmin(t.Context(), "sixteen or more!"); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, d, adminSecret)
		if _, err := d.Authenticate(t.Context(), "sixteen or more!"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a short value is refused", func(t *testing.T) {
		if _, err := d.EnsureAdmin(t.Context(), "only fifteen ch"); !problem.Is(err, problem.InvalidRequest) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("without a value a key that is there stays", func(t *testing.T) {
		if generated, err := d.EnsureAdmin(t.Context(), ""); err != nil || generated != "" {
			t.Errorf("EnsureAdmin = %q, %v", generated, err)
		}
	})
	t.Run("a revoked value does not come back", func(t *testing.T) {
		if _, err := d.Revoke(t.Context(), "default", caller.KeyID); err != nil {
			t.Fatal(err)
		}
		if _, err := d.EnsureAdmin(t.Context(), "sixteen or more!"); !problem.Is(err, problem.Conflict) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFirstStartGenerates(t *testing.T) {
	book := auth.NewBook(memory.New(memory.Config{}), nil)
	if empty, err := book.Empty(t.Context()); err != nil || !empty {
		t.Fatalf("Empty = %v, %v", empty, err)
	}
	secret, err := book.EnsureAdmin(t.Context(), "")
	if err != nil || !auth.LooksIssued(secret) {
		t.Fatalf("EnsureAdmin = %q, %v", secret, err)
	}
	if _, err := book.Authenticate(t.Context(), secret); err != nil {
		t.Error(err)
	}
	if empty, err := book.Empty(t.Context()); err != nil || empty {
		t.Errorf("Empty = %v, %v", empty, err)
	}
}

func TestAdminValueOfAnotherKey(t *testing.T) {
	d := newDesk(t)
	taken := d.issue(t, auth.Draft{Name: "ci"}).Secret
	if _, err := d.EnsureAdmin(t.Context(), taken); !problem.Is(err, problem.Conflict) {
		t.Errorf("got %v", err)
	}
}

// wantRefused checks that a secret gets the one answer, word for word.
func wantRefused(t *testing.T, d *desk, secret string) {
	t.Helper()
	_, err := d.Authenticate(t.Context(), secret)
	_, reference := d.Authenticate(t.Context(), "")
	if !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("Authenticate(%q) = %v", secret, err)
	} else if diff := cmp.Diff(reference.Error(), err.Error()); diff != "" {
		t.Errorf("the refusals differ (-missing +this):\n%s", diff)
	}
}

func TestRefusalsAreAlike(t *testing.T) {
	d := newDesk(t)
	expiring := d.issue(t, auth.Draft{Name: "expiring", Expires: d.now.Add(time.Minute)})
	revoked := d.issue(t, auth.Draft{Name: "revoked"})
	for _, secret := range []string{expiring.Secret, revoked.Secret} {
		if _, err := d.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Revoke(t.Context(), "default", revoked.ID); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(time.Minute)
	for name, secret := range map[string]string{
		"missing": "", "foreign": "sk_live_of_someone_else", "expired": expiring.Secret, "revoked": revoked.Secret,
	} {
		t.Run(name, func(t *testing.T) {
			before := d.rows.lookups
			wantRefused(t, d, secret)
			if looked := d.rows.lookups - before; looked != 4 {
				t.Errorf("%d look-ups for two refusals: each must cost the same", looked)
			}
		})
	}
}

func TestCache(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "busy", Expires: d.now.Add(2 * time.Second)})
	for range 5 {
		if _, err := d.Authenticate(t.Context(), key.Secret); err != nil {
			t.Fatal(err)
		}
	}
	if d.rows.lookups != 2 { // the admin's and this one's
		t.Errorf("%d look-ups, want 2", d.rows.lookups)
	}
	d.now = d.now.Add(2 * time.Second)
	wantRefused(t, d, key.Secret) // expired, though the look-up is still believed
}

func TestRevocationOnAnotherNode(t *testing.T) {
	d := newDesk(t)
	other := auth.NewBook(d.rows, func() time.Time { return d.now })
	key := d.issue(t, auth.Draft{Name: "shared"})
	if _, err := d.Authenticate(t.Context(), key.Secret); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Revoke(t.Context(), "default", key.ID); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(3 * time.Second)
	wantRefused(t, d, key.Secret)
}

func TestRevocationDuringLookup(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "raced"})
	d.rows.during = func() {
		if _, err := d.Revoke(t.Context(), "default", key.ID); err != nil {
			t.Error(err)
		}
	}
	if _, err := d.Authenticate(t.Context(), key.Secret); err != nil {
		t.Fatal(err) // it read before the revocation
	}
	wantRefused(t, d, key.Secret)
}

func TestSecretIsNotStored(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "quiet"})
	random := strings.Split(key.Secret, "_")[2]
	rows, err := d.rows.Rows(t.Context(), run.RowQuery{Kind: "key"})
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, secret := range []string{adminSecret, adminSecret[:8], random, random[6:]} {
			if bytes.Contains(row.Data, []byte(secret)) || strings.Contains(row.Name, secret) {
				t.Errorf("the row of %s holds %q", row.ID, secret)
			}
		}
	}
	if !strings.HasPrefix(key.Secret, key.Prefix) || len(key.Prefix) != len("sk_live_")+4 {
		t.Errorf("prefix %q of %q", key.Prefix, key.Secret)
	}
}

func TestLooksIssued(t *testing.T) {
	d := newDesk(t)
	secret := d.issue(t, auth.Draft{Name: "x"}).Secret
	if !auth.LooksIssued(secret) {
		t.Errorf("%q is not recognised", secret)
	}
	for i := range secret {
		changed := []byte(secret)
		changed[i] ^= 1
		if auth.LooksIssued(string(changed)) {
			t.Errorf("%q is taken for a secret", changed)
		}
	}
	if auth.LooksIssued(secret[:len(secret)-1]) || auth.LooksIssued("") {
		t.Error("a cut secret is taken for one")
	}
}

func TestCreateRefuses(t *testing.T) {
	d := newDesk(t)
	bounded := d.issue(t, auth.Draft{Name: "bounded", Scopes: []string{"keys:write", "runs:read"}})
	caller, err := d.Authenticate(t.Context(), bounded.Secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		maker  auth.Caller
		draft  auth.Draft
		code   problem.Code
		fields []string
		detail string
	}{
		{"no name", d.admin(t), auth.Draft{Name: "  "}, problem.InvalidRequest, []string{"name"}, "1 to 100"},
		{"no scopes", d.admin(t), auth.Draft{Name: "a", Scopes: []string{}}, problem.InvalidRequest, []string{"scopes"}, "at least one"},
		{"misspelt scope", d.admin(t), auth.Draft{Name: "a", Scopes: []string{"runs:read", "run:write"}}, problem.InvalidRequest, []string{"scopes[1]"}, `"runs:write"`},
		{"strange scope", d.admin(t), auth.Draft{Name: "a", Scopes: []string{"everything-at-once"}}, problem.InvalidRequest, []string{"scopes[0]"}, "audit:read"},
		{"empty scope", d.admin(t), auth.Draft{Name: "a", Scopes: []string{"runs:read", ""}}, problem.InvalidRequest, []string{"scopes[1]"}, "audit:read"},
		{"letters without ink", d.admin(t), auth.Draft{Name: "admin\u3164"}, problem.InvalidRequest, []string{"name"}, "can't be seen"},
		{"past", d.admin(t), auth.Draft{Name: "a", Expires: d.now}, problem.InvalidRequest, []string{"expires_at"}, "passed"},
		{"bad project", d.admin(t), auth.Draft{Name: "a", Project: "../etc"}, problem.InvalidRequest, []string{"project"}, "lower-case"},
		{"all at once", d.admin(t), auth.Draft{Scopes: []string{"x"}, Expires: d.now, Project: "A"}, problem.InvalidRequest, []string{"expires_at", "name", "project", "scopes[0]"}, ""},
		{"more than its maker has", caller, auth.Draft{Name: "a", Scopes: []string{"runs:write"}}, problem.ScopeDenied, nil, "runs:write"},
		{"another project", caller, auth.Draft{Name: "a", Project: "other"}, problem.ScopeDenied, nil, "admin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := d.Create(t.Context(), c.maker, c.draft, nil)
			got := problem.From(err)
			if got == nil || got.Code != c.code || !strings.Contains(got.Detail, c.detail) {
				t.Fatalf("got %v", err)
			}
			for _, field := range c.fields {
				if got.Fields[field] == "" {
					t.Errorf("%s is not told in %v", field, got.Fields)
				}
			}
			if len(got.Fields) != len(c.fields) {
				t.Errorf("told are %v, want %v", got.Fields, c.fields)
			}
		})
	}
}

func TestCreate(t *testing.T) {
	d := newDesk(t)
	remembered := run.RowWrite{Row: run.Row{Kind: "answer", Project: "default", ID: "1", Data: []byte("{}")}}
	key, err := d.Create(t.Context(), d.admin(t), auth.Draft{
		Name: " agent runner ", Project: "acme", Scopes: []string{"runs:write", "context:crm", "finance:read", "crm:edit"}, Known: []string{"crm:edit"},
	}, func(auth.Issued) ([]run.RowWrite, error) { return []run.RowWrite{remembered}, nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.rows.Row(t.Context(), "answer", "default", "1"); err != nil {
		t.Errorf("the row of also is not there: %v", err)
	}
	if _, err := d.rows.Row(t.Context(), "project", "", "acme"); err != nil {
		t.Errorf("the new project is not there: %v", err)
	}
	caller, err := d.Authenticate(t.Context(), key.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if caller.Project != "acme" || caller.KeyID != key.ID || caller.KeyName != "agent runner" {
		t.Errorf("caller is %+v", caller)
	}
	for scope, allowed := range map[string]bool{
		"runs:write": true, "context:crm": true, "context:finance": true, "crm:edit": true, "": true,
		"runs:read": false, "context:calendar": false, "admin": false,
	} {
		if err := auth.Allow(caller, scope); (err == nil) != allowed {
			t.Errorf("Allow(%q) = %v", scope, err)
		}
	}
	denied := problem.From(auth.Allow(caller, "runs:approve"))
	if denied.Code != problem.ScopeDenied || !strings.Contains(denied.Detail, "runs:approve") || !strings.Contains(denied.Detail, "context:crm") {
		t.Errorf("the denial %q must name what was asked for and granted", denied.Detail)
	}
	t.Run("a conflict of also creates nothing", func(t *testing.T) {
		_, err := d.Create(t.Context(), d.admin(t), auth.Draft{Name: "twice"},
			func(auth.Issued) ([]run.RowWrite, error) { return []run.RowWrite{remembered}, nil })
		if keys, _ := d.List(t.Context(), "default"); err == nil || len(keys) != 1 {
			t.Errorf("err = %v, %d keys", err, len(keys))
		}
	})
}

func TestDefaultScopes(t *testing.T) {
	d := newDesk(t)
	caller, err := d.Authenticate(t.Context(), d.issue(t, auth.Draft{Name: "usual"}).Secret)
	if err != nil {
		t.Fatal(err)
	}
	for scope, allowed := range map[string]bool{"runs:approve": true, "agents:execute": true, "context:finance": true, "keys:write": false, "admin": false} {
		if err := auth.Allow(caller, scope); (err == nil) != allowed {
			t.Errorf("Allow(%q) = %v", scope, err)
		}
	}
}

func TestListAndRevoke(t *testing.T) {
	d := newDesk(t)
	d.now = d.now.Add(time.Second)
	first := d.issue(t, auth.Draft{Name: "first"})
	d.now = d.now.Add(time.Second)
	second := d.issue(t, auth.Draft{Name: "second"})
	foreign := d.issue(t, auth.Draft{Name: "foreign", Project: "acme"})
	if _, err := d.Revoke(t.Context(), "default", first.ID); err != nil {
		t.Fatal(err)
	}
	keys, err := d.List(t.Context(), "default")
	if err != nil || len(keys) != 3 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if keys[1].ID != first.ID || keys[1].Revoked.IsZero() || keys[2].ID != second.ID || !keys[2].Revoked.IsZero() {
		t.Errorf("listed are %+v", keys)
	}
	for id, want := range map[string]problem.Code{first.ID: problem.Conflict, foreign.ID: problem.NotFound, "key_none": problem.NotFound} {
		if _, err := d.Revoke(t.Context(), "default", id); !problem.Is(err, want) {
			t.Errorf("Revoke(%s) = %v, want %s", id, err, want)
		}
	}
	if _, err := d.Authenticate(t.Context(), foreign.Secret); err != nil {
		t.Errorf("a foreign key was hurt: %v", err)
	}
}

func TestSealingKey(t *testing.T) {
	d := newDesk(t)
	one := d.admin(t)
	two, err := d.Authenticate(t.Context(), d.issue(t, auth.Draft{Name: "other"}).Secret)
	if err != nil {
		t.Fatal(err)
	}
	key := func(c auth.Caller, purpose, salt string) string {
		k, err := c.SealingKey(purpose, salt)
		if err != nil || len(k) != 32 {
			t.Fatalf("%d bytes, %v", len(k), err)
		}
		return string(k)
	}
	if key(one, "p", "s") != key(d.admin(t), "p", "s") {
		t.Error("the same request makes another key")
	}
	for name, other := range map[string]string{"salt": key(one, "p", "t"), "purpose": key(one, "q", "s"), "secret": key(two, "p", "s")} {
		if other == key(one, "p", "s") {
			t.Errorf("another %s makes the same key", name)
		}
	}
}

// TestGranted: what was ordered on a key's word is done with what the key has now,
// and not at all once it is void.
func TestGranted(t *testing.T) {
	d := newDesk(t)
	made := d.issue(t, auth.Draft{Name: "clock", Scopes: []string{"runs:write"}, Expires: d.now.Add(time.Hour)})
	if scopes, err := d.Granted(t.Context(), "default", made.ID); err != nil || len(scopes) != 1 || scopes[0] != "runs:write" {
		t.Errorf("%v, %v", scopes, err)
	}
	void := d.issue(t, auth.Draft{Name: "void"})
	if _, err := d.Revoke(t.Context(), "default", void.ID); err != nil {
		t.Fatal(err)
	}
	d.now = d.now.Add(2 * time.Hour)
	for name, at := range map[string][2]string{"expired": {"default", made.ID}, "revoked": {"default", void.ID}, "foreign": {"acme", "key_admin"}, "unknown": {"default", "key_none"}} {
		if scopes, err := d.Granted(t.Context(), at[0], at[1]); !problem.Is(err, problem.ScopeDenied) {
			t.Errorf("%s: %v, %v", name, scopes, err)
		}
	}
}
