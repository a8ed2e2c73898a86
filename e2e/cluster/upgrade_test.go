//go:build unix

package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/e2e/rig"
)

// firstOfSeveral is the commit since which several nodes can share a database: the
// oldest program that a rolling upgrade may begin with.
const firstOfSeveral = "9feb071d277fffd96c5ce181f264a956a13453ff"

// oldProgram builds the program as it was then, from the history of this checkout. Where
// there is no such history the upgrade is one from today's program to itself.
func oldProgram(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	dir := t.TempDir()
	tree := filepath.Join(dir, "old.tar")
	root, err := exec.CommandContext(ctx, "git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		t.Logf("this is no checkout of a repository, so there is one version only: %v", err)
		return ""
	}
	archive := exec.CommandContext(ctx, "git", "-C", strings.TrimSpace(string(root)), "archive", "-o", tree, firstOfSeveral)
	if said, err := archive.CombinedOutput(); err != nil {
		t.Logf("this checkout has no history back to %s, so there is one version only: %v\n%s", firstOfSeveral, err, said)
		return ""
	}
	if said, err := exec.CommandContext(ctx, "tar", "-x", "-f", tree, "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	path := filepath.Join(dir, "errand-old")
	// Without the race detector, and as the rest is built: then most of it is there.
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", path, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", firstOfSeveral, err, said)
	}
	return path
}

// traffic is clients that order runs all the time, from all nodes but one.
type traffic struct {
	f    *fleet
	stop chan bool
	done sync.WaitGroup

	mu   sync.Mutex
	away *member // a load balancer sends nobody there
	ids  []string
}

// drives begins with it. Each run calls a tool once and says something.
func (f *fleet) drives() *traffic {
	l := &traffic{f: f, stop: make(chan bool)}
	l.done.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-l.stop:
				return
			case <-time.After(25 * time.Millisecond):
			}
			l.order(n)
		}
	})
	return l
}

func (l *traffic) order(n int) {
	l.mu.Lock() // a node is taken out of service when nobody is at it
	defer l.mu.Unlock()
	m := l.f.members[n%len(l.f.members)]
	if m != l.away {
		r := m.order(rig.Steps(fmt.Sprintf("traffic %d", n), `book.once {}`, rig.Say("on and on and on")), uses("book.once"))
		l.ids = append(l.ids, r.ID)
	}
}

// replaces puts another program in a node's place, while the others serve.
func (l *traffic) replaces(m *member, program string) {
	l.f.T.Helper()
	l.mu.Lock()
	l.away = m
	l.mu.Unlock()
	if code := m.Terminate(); code != 0 {
		l.f.T.Errorf("exit code %d\n%s", code, tail(m.Log()))
	}
	m.program = program
	m.start()
	l.mu.Lock()
	l.away = nil
	l.mu.Unlock()
	rig.Pause(300 * time.Millisecond)
}

// ends ends the traffic, and holds that each run has ended well, with one call.
func (l *traffic) ends() {
	l.f.T.Helper()
	close(l.stop)
	l.done.Wait()
	for _, id := range l.ids {
		if r := l.f.settle(id); r.Status != "completed" || l.f.called("book.once", id) != 1 {
			l.f.T.Errorf("%s is %s after %d calls: %+v", id, r.Status, l.f.called("book.once", id), r.Pending)
		}
	}
	l.f.T.Logf("%d runs while nodes were replaced", len(l.ids))
}

// TestUpgrade: nodes of the oldest version that can share a database serve beside those
// of today's, on today's tables, are restarted there, and are replaced one by one. Runs
// are ordered, read, decided on and handed over between the two all the while; a job of
// a kind that nobody knows yet is left alone by all.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	old := oldProgram(t)
	f := newFleet(t, 0)
	for range 3 {
		f.place(nil).program = old
		f.members[len(f.members)-1].start()
	}
	f.Model.Paces(10 * time.Millisecond)
	f.members[0].c.Tool(f.World, "book.once", "once")
	was := ask[int](f, "SELECT max(version) FROM errand_schema")
	waits := f.members[1].order(rig.Steps("waits", `book.once {}`, rig.Say("Booked.")), gated("book.once"))
	l := f.drives()
	l.replaces(f.members[0], "")
	t.Logf("the tables were of version %d, and are of version %d", was, ask[int](f, "SELECT max(version) FROM errand_schema"))
	unknown := f.later()
	between(t, f, f.members[0], f.members[1])
	between(t, f, f.members[1], f.members[0])
	l.replaces(f.members[1], old) // an old node starts on the new tables
	between(t, f, f.members[2], f.members[0])
	f.members[0].c.Until(waits.ID, "awaiting_approval")
	f.members[2].approve(waits)
	l.replaces(f.members[1], "")
	l.replaces(f.members[2], "")
	l.ends()
	if n := f.called("book.once", f.members[1].c.Until(waits.ID, "completed").ID); n != 1 {
		t.Errorf("a run from before the upgrade called %d times", n)
	}
	if state := ask[string](f, "SELECT state::text || attempt FROM river_job WHERE id = $1", unknown); state != "available0" {
		t.Errorf("a job of a later version's is %s", state)
	}
}

// later writes a job as a later version would: of a kind and a queue of its own.
func (f *fleet) later() (id int64) {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, f.dsn)
	if err != nil {
		f.T.Fatal(err)
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `INSERT INTO river_job (args, kind, max_attempts, metadata, priority, queue, scheduled_at)
		VALUES ('{"kind":"of_tomorrow"}', 'errand', 100, '{}', 1, 'of_tomorrow', now()) RETURNING id`).Scan(&id)
	if err != nil {
		f.T.Fatal(err)
	}
	return id
}

// between: a run is ordered on one node, read on the other and from the middle on the
// first, paused and resumed there, and approved on the other.
func between(t *testing.T, f *fleet, a, b *member) {
	t.Helper()
	words := strings.TrimSpace(strings.Repeat("größer und ", 30))
	r := a.order(rig.Steps("between", `book.once {}`, rig.Say("%s", words)), gated("book.once"))
	var whole, late told
	here := b.c.Stream(r.ID, "")
	a.c.Until(r.ID, "awaiting_approval")
	b.c.Post("/v1/runs/"+r.ID+"/pause", nil, nil)
	a.c.Post("/v1/runs/"+r.ID+"/resume", nil, nil)
	b.approve(r)
	whole.hears(t, here, func() bool { return whole.deltas > 5 })
	late = told{events: append([]rig.Event(nil), whole.events...), text: map[int]string{}, last: whole.last}
	for step, text := range whole.text {
		late.text[step] = text
	}
	late.hears(t, a.c.Stream(r.ID, late.last), func() bool { return late.ended })
	whole.hears(t, here, func() bool { return whole.ended })
	log := b.c.Events(r.ID)
	for name, o := range map[string]*told{"on one": &whole, "on both": &late} {
		if err := o.exact(log); err != nil {
			t.Errorf("read %s: %v", name, err)
		}
	}
	if n := f.called("book.once", r.ID); n != 1 {
		t.Errorf("%d calls", n)
	}
}
