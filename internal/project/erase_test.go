package project_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/project"
	"errand/internal/run"
)

// furnish makes a project with something of everything, and returns a key of it.
func (d *desk) furnish(name string) (secret string) {
	d.Helper()
	admin, err := d.book.Authenticate(d.Context(), "correct horse battery")
	if err != nil {
		d.Fatal(err)
	}
	for range 3 {
		issued, err := d.book.Create(d.Context(), admin, auth.Draft{Name: "ci", Project: name}, nil)
		if err != nil {
			d.Fatal(err)
		}
		secret = issued.Secret
	}
	if _, err := d.book.SignIn(d.Context(), secret, nil); err != nil { // which leaves rows of its use and of the session
		d.Fatal(err)
	}
	for n := range 4 {
		d.past(name, 100+10*len(d.files.of)+n, time.Duration(n)*day, nil) // the first is at work
	}
	gone := d.past(name, 200+len(d.files.of), day, nil)
	line, err := d.Summary(d.Context(), gone)
	if err != nil {
		d.Fatal(err)
	}
	line.Deleted = true
	c := run.Commit{
		Runs: []run.Append{{ID: gone, Expected: line.Seq, Summary: line}},
		Rows: []run.RowWrite{
			{Row: run.Row{Kind: "agent", Project: name, ID: "a", Name: "clerk", Data: []byte(`{}`)}},
			{Row: run.Row{Kind: "decide_link", ID: "link of " + name, Data: mustJSON(d.T, map[string]string{"project": name})}},
			{Row: run.Row{Kind: "webhook_project", ID: name, Data: []byte(`{}`)}},
		},
		Jobs: []run.Job{
			{Kind: "loose", Due: d.now.Add(day), Data: mustJSON(d.T, map[string]string{"project": name, "id": "x"})},
			{Kind: "server", Due: d.now.Add(day), Data: []byte(`{"turn":1}`)},
		},
		Spend: []run.Spend{{Account: run.Account{Project: name, Day: "2026-06-11", Model: "m"}, Runs: 5}},
	}
	if err := d.Store.Append(d.Context(), c); err != nil {
		d.Fatal(err)
	}
	return secret
}

func (d *desk) erase(name string) error {
	d.Helper()
	admin, err := d.book.Authenticate(d.Context(), "correct horse battery")
	if err != nil {
		d.Fatal(err)
	}
	job, err := d.keeper.NewErasure(name)
	if err != nil {
		d.Fatal(err)
	}
	_, err = d.book.BeginErasure(d.Context(), admin, name, job)
	return err
}

// left is what there is of a project, anywhere.
func (d *desk) left(name string) map[string]int {
	d.Helper()
	found := map[string]int{}
	count := func(what string, n int) {
		if n > 0 {
			found[what] = n
		}
	}
	kinds, err := d.Kinds(d.Context(), name)
	if err != nil {
		d.Fatal(err)
	}
	count("kinds", len(kinds))
	count("runs", len(d.runs(name)))
	count("files", len(d.files.of[name]))
	sessions, err := d.Rows(d.Context(), run.RowQuery{Kind: "session"})
	if err != nil {
		d.Fatal(err)
	}
	for _, row := range sessions {
		var stood struct{ Secret string }
		if err := json.Unmarshal(row.Data, &stood); err != nil {
			d.Fatal(err)
		}
		if _, err := d.RowByName(d.Context(), "key", "", stood.Secret); err != nil {
			found["sessions of no key"]++
		}
	}
	for _, kind := range []string{"project", "decide_link", "webhook_project", "key", "key_use", "key_former"} {
		rows, err := d.Rows(d.Context(), run.RowQuery{Kind: kind})
		if err != nil {
			d.Fatal(err)
		}
		for _, row := range rows {
			if row.ID == name || project.Owner(row.Data) == name || kind == "key_use" && row.ID != "key_admin" {
				found[kind]++
			}
		}
	}
	jobs, err := d.Store.Jobs(d.Context(), 0)
	if err != nil {
		d.Fatal(err)
	}
	for _, job := range jobs {
		if project.Owner(job.Data) == name {
			found["jobs"]++
		}
		if _, err := d.Summary(d.Context(), job.Run); err != nil && !job.Run.IsZero() {
			found["jobs of runs"]++
		}
	}
	return found
}

func TestAProjectIsErased(t *testing.T) {
	d := newDesk(t, 0)
	secret := d.furnish("gone")
	d.furnish("stays")
	before := d.left("stays")
	if before["jobs"] == 0 || before["kinds"] != 2 || before["runs"] != 5 || before["key"] != 3 {
		t.Fatalf("a project has %v", before)
	}
	if err := d.erase("gone"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.book.Authenticate(t.Context(), secret); !problem.Is(err, problem.Unauthenticated) {
		t.Errorf("a key of it opens (%v)", err)
	}
	if p, err := d.book.Project(t.Context(), "gone"); err != nil || p.Erasure == nil || p.Erasure.ByName != "admin" {
		t.Errorf("it is %+v, error %v", p, err)
	}
	if err := d.erase("gone"); err != nil || len(d.jobs("project.erase")) != 1 {
		t.Errorf("to erase it twice: %v; %d jobs", err, len(d.jobs("project.erase")))
	}
	d.work("project.erase")
	delete(before, "key_use") // of the other's keys, which are not told apart
	after := d.left("stays")
	delete(after, "key_use")
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("another project has lost something (-before +after):\n%s", diff)
	}
	d.wantGone("gone")
	if spent, err := d.Spent(t.Context(), "gone", "2026-01-01", "2026-12-31"); err != nil || len(spent) != 1 || spent[0].Runs != 5 {
		t.Errorf("what it has spent is %+v (%v)", spent, err)
	}
	if _, err := d.book.AddProject(t.Context(), "gone", nil); err != nil {
		t.Errorf("its name is not free: %v", err)
	}
	row := run.RowWrite{Row: run.Row{Kind: "agent", Project: "gone", ID: "a", Data: []byte(`{}`)}}
	if err := d.Append(t.Context(), run.Commit{Rows: []run.RowWrite{row}}); err != nil {
		t.Errorf("the new project of that name is shut: %v", err)
	}
}

func (d *desk) wantGone(name string) {
	d.Helper()
	left := d.left(name)
	delete(left, "key_use")
	if len(left) > 0 {
		d.Errorf("of %s there is left %v", name, left)
	}
	lines, err := d.Audits(d.Context(), name, 0, 0)
	if err != nil {
		d.Fatal(err)
	}
	ends := 0
	for i := range lines {
		if lines[i].Action == "project.erased" {
			ends++
			if lines[i].Actor != "key_admin" || lines[i].ActorName != "admin" {
				d.Errorf("the line says that %q (%q) has erased it", lines[i].Actor, lines[i].ActorName)
			}
		}
	}
	if ends != 1 {
		d.Errorf("%d lines say that it was erased: %q", ends, d.lines(name))
	}
}

// TestAnErasureIsCutOff crashes it after each of its writes, and goes on.
func TestAnErasureIsCutOff(t *testing.T) {
	for cut := 0; ; cut++ {
		d := newDesk(t, 0)
		d.furnish("gone")
		if err := d.erase("gone"); err != nil {
			t.Fatal(err)
		}
		d.mu.Lock()
		d.writes = cut
		d.mu.Unlock()
		whole := d.work("project.erase")
		d.mu.Lock()
		d.writes = -1
		d.mu.Unlock()
		d.work("project.erase")
		d.wantGone("gone")
		if t.Failed() {
			t.Fatalf("cut after %d writes", cut)
		}
		if whole {
			if cut < 20 {
				t.Errorf("an erasure made %d writes", cut)
			}
			return
		}
	}
}

func TestWhatCantBeErased(t *testing.T) {
	d := newDesk(t, 0)
	d.add("other", -1)
	if err := d.erase("default"); !problem.Is(err, problem.Conflict) {
		t.Errorf("the project of the admin key: %v", err)
	}
	if err := d.erase("nobody"); !problem.Is(err, problem.NotFound) {
		t.Errorf("a project that is not there: %v", err)
	}
	job, err := d.keeper.NewErasure("other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.book.BeginErasure(t.Context(), auth.Caller{Project: "other", KeyID: "key_1"}, "other", job); !problem.Is(err, problem.Conflict) {
		t.Errorf("the caller's own project: %v", err)
	}
	if len(d.jobs("project.erase")) != 0 {
		t.Error("something is to be erased")
	}
	days := 3
	if err := d.erase("other"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.book.SetRetention(t.Context(), "other", &days); !problem.Is(err, problem.Conflict) {
		t.Errorf("to change one that is being erased: %v", err)
	}
	admin, err := d.book.Authenticate(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.book.Create(t.Context(), admin, auth.Draft{Name: "late", Project: "other"}, nil); !problem.Is(err, problem.Conflict) {
		t.Errorf("a key for one that is being erased: %v", err)
	}
}

// TestNobodyComesIn while a project is erased: neither rows nor runs, but for what
// runs that are about to end still write.
func TestNobodyComesIn(t *testing.T) {
	gate := project.NewGate()
	row := run.Commit{Rows: []run.RowWrite{{Row: run.Row{Kind: "agent", Project: "gone", ID: "a"}}}}
	begin := run.Commit{Runs: []run.Append{{Summary: run.Summary{Project: "gone"}}}}
	goesOn := run.Commit{Runs: []run.Append{{Expected: 3, Summary: run.Summary{Project: "gone"}}}}
	for name, c := range map[string]*run.Commit{"row": &row, "run": &begin, "event": &goesOn} {
		if err := gate.Check(t.Context(), c); err != nil {
			t.Errorf("%s before: %v", name, err)
		}
	}
	gate.Shut("gone")
	for name, c := range map[string]*run.Commit{"row": &row, "run": &begin} {
		if err := gate.Check(t.Context(), c); !problem.Is(err, problem.Conflict) {
			t.Errorf("%s: %v, want a conflict", name, err)
		}
		if err := gate.Check(project.Pass(t.Context()), c); err != nil {
			t.Errorf("%s with a pass: %v", name, err)
		}
	}
	if err := gate.Check(t.Context(), &goesOn); err != nil {
		t.Errorf("an event of a run: %v", err)
	}
	other := run.Commit{Rows: []run.RowWrite{{Row: run.Row{Kind: "agent", Project: "other", ID: "a"}}}}
	if err := gate.Check(t.Context(), &other); err != nil {
		t.Errorf("another project: %v", err)
	}
	made := run.Commit{Rows: []run.RowWrite{{Row: run.Row{Kind: "project", ID: "gone"}, Expect: run.MustNotExist}}}
	gate.Written(&made)
	if err := gate.Check(t.Context(), &row); err != nil {
		t.Errorf("a new project of that name: %v", err)
	}
}

// TestAnErasureLooksOnceMore when other nodes know that the project is shut.
func TestAnErasureLooksOnceMore(t *testing.T) {
	looks := map[time.Duration]int{}
	for _, settle := range []time.Duration{0, 50 * time.Millisecond} {
		d := newDeskOf(t, 0, settle)
		d.furnish("gone")
		if err := d.erase("gone"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		late := false
		d.onClear = func() {
			if looks[settle]++; settle > 0 && !late && time.Since(began) > settle { // by another node
				late = true
				d.past("gone", 300, 0, nil)
			}
		}
		d.work("project.erase")
		if d.wantGone("gone"); late != (settle > 0) {
			t.Errorf("something came late: %v", late)
		}
	}
	if looks[0] >= looks[50*time.Millisecond] {
		t.Errorf("it looked %v times", looks)
	}
}

// TestALateRunIsErased: a run that was on its way when the project was shut.
func TestALateRunIsErased(t *testing.T) {
	d := newDesk(t, 0)
	d.furnish("gone")
	if err := d.erase("gone"); err != nil {
		t.Fatal(err)
	}
	late := false
	d.onClear = func() {
		if !late {
			late = true
			d.past("gone", 300, 0, nil)
		}
	}
	d.work("project.erase")
	if d.wantGone("gone"); !late {
		t.Error("no run came late")
	}
	if slices.Contains(d.lines("gone"), "project.erasing") != true {
		t.Error("nothing says who has begun it")
	}
}
