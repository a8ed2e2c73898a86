//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// line is a connection that a test can damage.
type line struct {
	net.Conn
	deaf *atomic.Bool // what the server sends is not read, and the connection ends
	mute *atomic.Bool // what is sent does not arrive
	keep *atomic.Bool // the server is not told of the end
}

var errCut = errors.New("the line was cut")

func (l line) Read(b []byte) (int, error) {
	if l.deaf.Load() {
		return 0, errCut
	}
	n, err := l.Conn.Read(b)
	if l.deaf.Load() {
		return 0, errCut
	}
	return n, err
}

func (l line) Write(b []byte) (int, error) {
	if l.mute.Load() {
		return len(b), nil
	}
	return l.Conn.Write(b)
}

func (l line) Close() error {
	if l.keep.Load() {
		return nil
	}
	return l.Conn.Close()
}

// TestLostConnections breaks the writer's connection at each point of a group: what
// is answered is what is there, and it is there once.
func TestLostConnections(t *testing.T) {
	for _, story := range []struct {
		name             string
		point            string
		deaf, mute, keep bool
		quick            bool // in one round trip
	}{
		{"before anything is sent", "lock", true, true, false, false},
		{"the locks' answer is lost", "lock", true, false, false, false},
		{"the commit does not arrive", "commit", true, true, false, false},
		{"the commit's answer is lost", "commit", true, false, false, false},
		{"the server does not hear of the end", "commit", true, true, true, false},
		{"one round trip, which does not arrive", "commit", true, true, false, true},
		{"one round trip, whose answer is lost", "commit", true, false, false, true},
		{"one round trip, and the server does not hear of the end", "commit", true, true, true, true},
		{"one round trip that arrives, and the server does not hear of the end", "commit", true, false, true, true},
	} {
		t.Run(story.name, func(t *testing.T) {
			var deaf, mute, keep atomic.Bool
			var mu sync.Mutex
			var dialled []net.Conn
			s := open(t, Config{})
			s.writer.address = s.writer.address.Copy()
			s.writer.address.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, address)
				if err != nil {
					return nil, err
				}
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, conn)
				deaf.Store(false)
				mute.Store(false)
				defer keep.Store(false)
				return line{conn, &deaf, &mute, &keep}, nil
			}
			t.Cleanup(func() {
				for _, conn := range dialled {
					conn.Close()
				}
			})
			commit(t, s, run.Commit{Runs: []run.Append{created(1)}})
			broken := false
			s.writer.fault = func(point string, _ *pgx.Conn) {
				if point == story.point && !broken {
					broken = true
					keep.Store(story.keep)
					mute.Store(story.mute)
					deaf.Store(story.deaf)
				}
			}
			c := run.Commit{Runs: []run.Append{message(1, 1, 42), created(2)},
				Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", ID: "t"}}}, Spend: []run.Spend{{Account: run.Account{Project: "p", Day: "2026-03-01"}, Runs: 1}}}
			if story.quick {
				c.Rows = nil
			}
			commit(t, s, c)
			if !broken {
				t.Fatal("nothing was broken")
			}
			checkOnce(t, s, !story.quick)
		})
	}
}

// late is a connection that can break when an answer has come.
type late struct {
	net.Conn
	deaf *atomic.Bool
}

func (l late) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if l.deaf.Load() {
		return 0, errCut
	}
	return n, err
}

// TestTakenOver loses the answers of commits that arrive, and asks a server for them that
// has taken over meanwhile, and has given their numbers to transactions of its own: what
// has left an event is found by that, and of what has left none nobody says that it is
// there, or that it is not.
func TestTakenOver(t *testing.T) {
	s := open(t, Config{})
	var deaf atomic.Bool
	s.writer.address = s.writer.address.Copy()
	s.writer.address.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		deaf.Store(false)
		return late{conn, &deaf}, err
	}
	row := func(id string) []run.RowWrite { return []run.RowWrite{{Row: run.Row{Kind: "tool", ID: id}}} }
	// lose commits after another commit that has all statements prepared.
	lose := func(n int, c run.Commit) error {
		commit(t, s, run.Commit{Runs: []run.Append{created(n)}, Rows: row(fmt.Sprint(n))})
		lost := false
		s.writer.fault = func(point string, _ *pgx.Conn) {
			if point == "commit" && !lost {
				lost = true
				s.writer.session.timeline = "of another server"
				deaf.Store(true)
			}
		}
		return s.Append(t.Context(), c)
	}
	if err := lose(1, run.Commit{Runs: []run.Append{created(2)}, Rows: row("with an event")}); err != nil {
		t.Errorf("what has left an event, and is there: %v", err)
	}
	if err := lose(3, run.Commit{Rows: row("alone")}); !problem.Is(err, problem.Internal) {
		t.Errorf("what has left nothing to look for: %v, want that nobody knows", err)
	}
	if line, err := s.Summary(t.Context(), runID(2)); err != nil || line.Seq != 1 {
		t.Errorf("%+v, %v", line, err)
	}
}

func checkOnce(t *testing.T, s *Store, rows bool) {
	t.Helper()
	events, err := s.Load(t.Context(), runID(1), 0, 0)
	if err != nil || len(events) != 2 || events[1].ID != 42 {
		t.Errorf("events %+v, error %v", events, err)
	}
	if row, err := s.Row(t.Context(), "tool", "", "t"); rows && (err != nil || row.Version != 1) {
		t.Errorf("the row is %+v, error %v", row, err)
	}
	if spent, err := s.Spent(t.Context(), "p", "2026-03-01", "2026-03-01"); err != nil || len(spent) != 1 || spent[0].Runs != 1 {
		t.Errorf("spent %+v, error %v", spent, err)
	}
}

// TestServerCrash ends the server in the middle of commits, and starts it again: what
// was answered with nil is there, and what was answered with an error that says so is
// not.
func TestServerCrash(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{})
	s := open(t, Config{DSN: server.Database(t)})
	const clients = 8
	var next, failed atomic.Int64
	ended := make(chan bool)
	answers := sync.Map{}
	var wait sync.WaitGroup
	for range clients {
		wait.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				n := int(next.Add(1))
				err := s.Append(t.Context(), run.Commit{Runs: []run.Append{created(n)}})
				answers.Store(n, err == nil)
				if err != nil {
					failed.Add(1)
					if !problem.Is(err, problem.Overloaded) && !problem.Is(err, problem.Internal) {
						t.Errorf("run %d: %v", n, err)
					}
				}
			}
		})
	}
	waitFor(t, func() bool { return next.Load() > 200 })
	server.Crash(t)
	waitFor(t, func() bool { return failed.Load() > 0 })
	_, err := s.Summary(t.Context(), runID(1))
	mustBeBusy(t, err)
	server.Up(t)
	at := next.Load()
	waitFor(t, func() bool { return next.Load() > at+200 })
	close(ended)
	wait.Wait()
	there, lost := 0, 0
	answers.Range(func(key, value any) bool {
		_, err := s.Summary(t.Context(), runID(key.(int)))
		if value.(bool) && err != nil {
			t.Errorf("run %d was acknowledged and is lost: %v", key, err)
		}
		if err == nil {
			there++
		} else {
			lost++
		}
		return true
	})
	t.Logf("%d runs are there, %d were refused", there, lost)
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// mustBeBusy fails unless the error is one that callers can act on.
func mustBeBusy(t *testing.T, err error) {
	t.Helper()
	if own := problem.From(err); err == nil || own.Code != problem.Overloaded || own.RetryAfter == 0 {
		t.Errorf("a read that is not answered fails with %v, want what says when to try again", err)
	}
}

// TestSlowRead reads for longer than a statement may take.
func TestSlowRead(t *testing.T) {
	s := open(t, Config{DSN: pgtest.Database(t) + "&statement_timeout=50"})
	mustBeBusy(t, s.query(t.Context(), func(pgx.Rows) error { return nil }, "SELECT pg_sleep(60)"))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.query(gone, func(pgx.Rows) error { return nil }, "SELECT 1")
	if !errors.Is(err, context.Canceled) || problem.Is(err, problem.Overloaded) {
		t.Errorf("whoever asks has gone: %v", err)
	}
}

func waitFor(t *testing.T, what func() bool) {
	t.Helper()
	deadline := time.After(60 * time.Second)
	for !what() {
		select {
		case <-deadline:
			t.Fatal("it does not come")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestReadOnlyServer names two servers, of which the first one only reads, as one does
// from which another has taken over: the second one is used.
func TestReadOnlyServer(t *testing.T) {
	standby := pgtest.Start(t, pgtest.Options{NoSync: true, Settings: []string{"default_transaction_read_only=on"}})
	only := fmt.Sprintf("postgres://errand@127.0.0.1:%d/postgres?sslmode=disable", standby.Port())
	if s, err := Open(t.Context(), Config{DSN: only}); err == nil {
		s.Close()
		t.Error("a server that only reads is good enough")
	}
	dsn := pgtest.Database(t)
	both := strings.Replace(dsn, "@", fmt.Sprintf("@127.0.0.1:%d,", standby.Port()), 1)
	operator, err := pgx.Connect(t.Context(), only+"&default_transaction_read_only=off")
	if err != nil {
		t.Fatal(err)
	}
	defer operator.Close(t.Context())
	// A database of the same name, so that nothing but its reading tells it apart.
	if _, err := operator.Exec(t.Context(), "CREATE DATABASE "+dsn[strings.LastIndex(dsn, "/")+1:strings.Index(dsn, "?")]); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{DSN: both})
	commit(t, s, run.Commit{Runs: []run.Append{created(1)}})
	for range 3 {
		if _, err := s.Summary(t.Context(), runID(1)); err != nil {
			t.Error(err)
		}
	}
}

// TestLockedLine has somebody who is no node hold the line of one run for long: its
// commit fails, in its time, and those of others in its group don't.
func TestLockedLine(t *testing.T) {
	s := open(t, Config{DSN: pgtest.Database(t) + "&lock_timeout=100"})
	commit(t, s, run.Commit{Runs: []run.Append{created(1), created(2)}})
	holder, err := s.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Rollback(t.Context())
	if _, err := holder.Exec(t.Context(), "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT FROM runs WHERE id = '"+runID(1).String()+"' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	answers := [3]error{}
	var wait sync.WaitGroup
	held := make(chan bool)
	var tries atomic.Int64
	s.writer.fault = func(point string, _ *pgx.Conn) {
		if point == "lock" {
			tries.Add(1)
		}
	}
	s.Submit(run.Commit{Runs: []run.Append{created(9)}}, func(error) { <-held }) // until all are in one group
	for n, c := range []run.Append{message(1, 1, 7), message(2, 1, 8), created(3)} {
		wait.Add(1)
		s.Submit(run.Commit{Runs: []run.Append{c}}, func(err error) { answers[n] = err; wait.Done() })
	}
	close(held)
	wait.Wait()
	if answers[1] != nil || answers[2] != nil {
		t.Errorf("the others in the group: %v, %v", answers[1], answers[2])
	}
	mustBeBusy(t, answers[0])
	if n := tries.Load(); n > 7 { // the first group, two of all, two of the one, and one of each other
		t.Errorf("it was waited for %d times", n)
	}
}

// TestFrozenNode stops one node in the middle of a transaction: its locks are gone
// before another one's patience is.
func TestFrozenNode(t *testing.T) {
	dsn := pgtest.Database(t)
	frozen, other := open(t, Config{DSN: dsn}), open(t, Config{DSN: dsn})
	commit(t, frozen, run.Commit{Runs: []run.Append{created(1)}})
	stopped, goOn := make(chan bool), make(chan bool)
	var once sync.Once
	frozen.writer.fault = func(point string, _ *pgx.Conn) {
		if point == "commit" {
			once.Do(func() { close(stopped); <-goOn })
		}
	}
	answer := make(chan error, 1)
	frozen.Submit(run.Commit{Runs: []run.Append{message(1, 1, 1)}}, func(err error) { answer <- err })
	<-stopped
	began := time.Now()
	commit(t, other, run.Commit{Runs: []run.Append{message(1, 1, 2)}})
	if took := time.Since(began); took > 10*idleInTransaction {
		t.Errorf("another node waited %v for the locks of a frozen one", took)
	}
	close(goOn)
	if err := <-answer; !errors.Is(err, run.ErrConflict) {
		t.Errorf("the node that was frozen is told %v, want a conflict", err)
	}
}

// TestStandby: the writer asks no server for the outcome of a commit that only follows
// another one, which may have what this one lacks.
func TestStandby(t *testing.T) {
	dsn := pgtest.Database(t)
	conn, err := pgx.Connect(t.Context(), dsn+"&search_path=follows,pg_catalog,public")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `CREATE SCHEMA follows; CREATE FUNCTION follows.pg_current_wal_lsn() RETURNS pg_lsn LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'recovery is in progress' USING ERRCODE = '55000'; END $$`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whoAmI(t.Context(), conn); !isLost(err) {
		t.Errorf("a server in recovery is taken for one that decides: %v", err)
	}
}
