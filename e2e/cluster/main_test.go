//go:build unix

// Package cluster tests several nodes over one PostgreSQL from outside: real programs,
// a real database, and between each node and the database a link that can be cut.
//
// It promises that each story has nodes, a model's endpoint and tools of its own, that
// nodes are ended, frozen and cut off one by one, by their own process ids, and that
// chance comes from a seed that is printed: ERRAND_SEED sets it.
//
// To change what a fleet is made of, edit this file; what the storm does and for how
// long, storm_test.go.
package cluster

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/e2e/rig"
	"errand/internal/store/postgres/pgtest"
)

// TestMain lets some stories run at the same time, however few the cores: most of what
// they do is to wait for leases. With more, nodes would take each other's time, and
// leases run out for it.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	rig.Main(m)
}

// steady is how long after their start nodes may declare others dead, and a little.
const steady = 6 * time.Second

// fleet is several nodes over one database.
type fleet struct {
	*rig.World
	dsn     string
	db      *pgtest.Server
	members []*member
}

// member is a place for a node: its data directory and its link to the database stay
// when the process in it is another one.
type member struct {
	*rig.Server
	c    *rig.Client
	f    *fleet
	link *link
	data string
	env  map[string]string
	// program is another one than the one that is tested; arguments are more of them.
	program   string
	arguments []string
}

// newFleet makes a world with a database, and starts this many nodes.
func newFleet(t *testing.T, nodes int) *fleet {
	t.Helper()
	// Nothing here pulls the plug of a machine: what a killed process has written is there.
	// Six fleets on one disk would wait for it longer than a node's lease lasts.
	f := &fleet{World: rig.New(t), db: pgtest.Start(t, pgtest.Options{NoSync: true, Settings: []string{"max_connections=100"}})}
	f.dsn = f.db.Database(t)
	f.Env["ERRAND_LOG_LEVEL"] = "info" // a failed test shows who was declared dead
	for range nodes {
		f.join(nil)
	}
	t.Cleanup(func() {
		for i, m := range f.members {
			m.thaw()
			m.link.heal()
			m.Kill()
			if t.Failed() && testing.Verbose() {
				t.Logf("node %d:\n%s", i, tail(m.Log()))
			}
		}
	})
	return f
}

// database is where the database listens.
func (f *fleet) database() string { return fmt.Sprintf("127.0.0.1:%d", f.db.Port()) }

func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}

// join adds a node, with these settings beside the usual ones.
func (f *fleet) join(env map[string]string) *member {
	f.T.Helper()
	m := f.place(env)
	m.start()
	return m
}

// place makes a place for a node.
func (f *fleet) place(env map[string]string) *member {
	f.T.Helper()
	m := &member{f: f, env: env, data: filepath.Join(f.Dir, fmt.Sprintf("node%d", len(f.members)))}
	m.link = newLink(f.T, "127.0.0.1", f.database())
	if err := os.Mkdir(m.data, 0o700); err != nil {
		f.T.Fatal(err)
	}
	if len(f.members) > 0 { // all nodes have the key of the first
		key, err := os.ReadFile(filepath.Join(f.members[0].data, "seal.key"))
		if err == nil {
			err = os.WriteFile(filepath.Join(m.data, "seal.key"), key, 0o600)
		}
		if err != nil {
			f.T.Fatal(err)
		}
	}
	f.members = append(f.members, m)
	return m
}

// start starts a process in the member's place.
func (m *member) start() {
	m.f.T.Helper()
	m.launch()
	if err := m.Ready(); err != nil {
		m.f.T.Fatalf("%v\n%s", err, m.Log())
	}
	m.c = m.Client()
}

func (m *member) launch() {
	m.f.T.Helper()
	at, err := url.Parse(m.f.dsn)
	if err != nil {
		m.f.T.Fatal(err)
	}
	at.Host = m.link.address()
	usual := maps.Clone(m.f.Env)
	m.f.Env["ERRAND_DATA"], m.f.Env["ERRAND_STORE"] = m.data, at.String()
	maps.Copy(m.f.Env, m.env)
	m.f.Program = m.program
	m.Server = m.f.Launch(m.arguments...)
	m.f.Env, m.f.Program = usual, ""
}

func (m *member) freeze() { _ = syscall.Kill(m.PID(), syscall.SIGSTOP) } // our own child, not waited for yet
func (m *member) thaw()   { _ = syscall.Kill(m.PID(), syscall.SIGCONT) }

// ask asks the database for one value.
func ask[T any](f *fleet, query string, args ...any) (value T) {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, f.dsn)
	if err != nil {
		f.T.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, query, args...).Scan(&value); err != nil {
		f.T.Fatal(err)
	}
	return value
}

// soon fails the test unless something holds within so long, and returns how long it
// took.
func (f *fleet) soon(what string, within time.Duration, holds func() bool) time.Duration {
	f.T.Helper()
	for began := time.Now(); ; rig.Pause(20 * time.Millisecond) {
		if holds() {
			return time.Since(began)
		}
		if time.Since(began) > within {
			f.T.Fatalf("%s: not within %v", what, within)
		}
	}
}

// order starts a run in the background.
func (m *member) order(prompt string, more map[string]any) rig.Run {
	m.f.T.Helper()
	var r rig.Run
	body := map[string]any{"model": "auto", "background": true, "prompt": prompt}
	for name, value := range more {
		body[name] = value
	}
	m.c.Post("/v1/runs", body, &r)
	return r
}

// uses is the part of a run's order that gives it tools.
func uses(tools ...string) map[string]any { return map[string]any{"tools": tools} }

// gated is a run's part that gives it a tool which a person has to approve.
func gated(tool string) map[string]any {
	return map[string]any{"tools": []string{tool}, "approval": map[string]any{"required_for": []string{tool}}}
}

func (m *member) approve(r rig.Run) {
	m.f.T.Helper()
	m.c.Post("/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": m.c.Run(r.ID).Actions()}, nil)
}

// called counts the calls of a tool for a run.
func (f *fleet) called(tool, id string) (count int) {
	for _, call := range f.Tools.Ledger(tool) {
		if call.Run == id {
			count++
		}
	}
	return count
}

// asked counts the calls of the model for the runs whose prompts begin so.
func (f *fleet) asked(title string) (count int) {
	for _, call := range f.Model.Calls() {
		if strings.HasPrefix(call.Prompt(), title) {
			count++
		}
	}
	return count
}
