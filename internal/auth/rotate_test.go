package auth_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/auth"
	"errand/internal/problem"
)

// With an overlap both secrets open the same key, for as long as it says; a second
// rotation ends the oldest at once, and a revocation all of them.
func TestRotate(t *testing.T) {
	d := newDesk(t)
	first := d.issue(t, auth.Draft{Name: "ci", Scopes: []string{"runs:read"}})
	second, err := d.Rotate(t.Context(), d.admin(t), first.ID, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{first.Secret, second.Secret} {
		if caller, err := d.Authenticate(t.Context(), secret); err != nil || caller.KeyID != first.ID {
			t.Errorf("within the overlap: %+v, %v", caller, err)
		}
	}
	d.now = d.now.Add(time.Hour)
	wantRefused(t, d, first.Secret)
	third, err := d.Rotate(t.Context(), d.admin(t), first.ID, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	fourth, err := d.Rotate(t.Context(), d.admin(t), first.ID, time.Hour, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRefused(t, d, second.Secret)
	if _, err := d.Authenticate(t.Context(), third.Secret); err != nil {
		t.Errorf("the secret before: %v", err)
	}
	if _, err := d.Revoke(t.Context(), auth.DefaultProject, first.ID); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, d, third.Secret)
	wantRefused(t, d, fourth.Secret)
	if _, err := d.Rotate(t.Context(), d.admin(t), first.ID, -time.Second, nil); !problem.Is(err, problem.InvalidRequest) {
		t.Errorf("an overlap below 0: %v", err)
	}
}

// A use is written at most once in five minutes, and shown as it was seen.
func TestLastUse(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "ci"})
	written := func() int64 {
		row, err := d.rows.Row(t.Context(), "key_use", "", key.ID)
		if err != nil {
			t.Fatal(err)
		}
		return row.Version
	}
	for range 4 {
		if _, err := d.Authenticate(t.Context(), key.Secret); err != nil {
			t.Fatal(err)
		}
		d.now = d.now.Add(time.Minute)
	}
	if n := written(); n != 1 {
		t.Errorf("written %d times in four minutes", n)
	}
	d.now = d.now.Add(time.Minute)
	if _, err := d.Authenticate(t.Context(), key.Secret); err != nil || written() != 2 {
		t.Errorf("after five minutes: version %d, %v", written(), err)
	}
	d.now = d.now.Add(time.Minute)
	if _, err := d.Authenticate(t.Context(), key.Secret); err != nil {
		t.Fatal(err)
	}
	keys, err := d.List(t.Context(), auth.DefaultProject)
	if err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		if keys[i].ID == key.ID && !keys[i].Used.Equal(d.now) {
			t.Errorf("used %v; it is %v", keys[i].Used, d.now)
		}
	}
}

func TestWhatAKeyIsFor(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "narrow", Agents: []string{"agt_1"}, Limits: auth.Limits{PerMinute: 60, AtOnce: 2}})
	caller, err := d.Authenticate(t.Context(), key.Secret)
	if err != nil || !caller.For("agt_1") || caller.For("agt_2") || caller.For("") || caller.Limits != key.Limits {
		t.Errorf("%+v, %v", caller, err)
	}
	if n := d.AtOnce(t.Context(), key.ID); n != 2 {
		t.Errorf("%d runs at once", n)
	}
	if admin := d.admin(t); !admin.For("") || d.AtOnce(t.Context(), admin.KeyID) != 0 {
		t.Errorf("%+v is narrowed", admin)
	}
	_, err = d.Create(t.Context(), d.admin(t), auth.Draft{Name: "x", Limits: auth.Limits{PerMinute: -1}}, nil)
	if !problem.Is(err, problem.InvalidRequest) {
		t.Errorf("a limit below 0: %v", err)
	}
}

func TestAddProject(t *testing.T) {
	d := newDesk(t)
	if _, err := d.AddProject(t.Context(), "accounting", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddProject(t.Context(), "accounting", nil); !problem.Is(err, problem.Conflict) {
		t.Errorf("again: %v", err)
	}
	if _, err := d.AddProject(t.Context(), "No Name", nil); !problem.Is(err, problem.InvalidRequest) {
		t.Errorf("a bad name: %v", err)
	}
	all, err := d.Projects(t.Context(), "", 10)
	var names []string
	for i := range all {
		names = append(names, all[i].Name)
	}
	if diff := cmp.Diff([]string{"accounting", "default"}, names); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

// What is done to keys leaves lines, and none of them has a secret.
func TestLines(t *testing.T) {
	d := newDesk(t)
	key := d.issue(t, auth.Draft{Name: "ci"})
	if _, err := d.Rotate(t.Context(), d.admin(t), key.ID, 0, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Revoke(t.Context(), auth.DefaultProject, key.ID); err != nil {
		t.Fatal(err)
	}
	lines, err := d.rows.Audits(t.Context(), "", 0, 0)
	var did []string
	for i := range lines {
		did = append(did, lines[i].Action+" "+string(lines[i].Data[:10]))
	}
	want := []string{`key.created {"name":"a`, `key.created {"name":"c`, `key.rotated {"name":"c`, `key.revoked {"name":"c`}
	if diff := cmp.Diff(want, did); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}
