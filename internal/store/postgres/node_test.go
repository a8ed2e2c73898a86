//go:build unix

package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/store/postgres/pgtest"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func runID(n int) run.ID { return run.NewID(start.Add(time.Duration(n)*time.Second), 0, 7) }

// created begins a run.
func created(n int) run.Append {
	id := runID(n)
	line := run.Summary{ID: id, Project: "p", Dialect: "native", Status: run.Running, Seq: 1, Epoch: 1, Live: true, CreatedAt: id.Time(), UpdatedAt: id.Time()}
	spec := run.Spec{Project: "p", Dialect: "native", Model: "m"}
	return run.Append{ID: id, Epoch: 1, Summary: line, Events: []run.Event{{Seq: 1, ID: uint64(n)<<32 | 1<<63, At: start, Type: run.RunCreated, Created: &run.Created{Spec: spec}}}}
}

// message goes on a run that stands at seq.
func message(n int, seq int64, id uint64) run.Append {
	a := created(n)
	a.Epoch, a.Expected, a.Summary.Seq = 0, seq, seq+1
	a.Events = []run.Event{{Seq: seq + 1, ID: id, At: start, Type: run.RunStarted}}
	return a
}

func commit(t testing.TB, s *Store, c run.Commit) {
	t.Helper()
	if err := s.Append(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// TestNodes lets four nodes write to the same runs, rows, accounts and audit log at
// once, each again and again until its commit is taken.
func TestNodes(t *testing.T) {
	dsn := pgtest.Database(t)
	const nodes, writers, facts, runs = 4, 3, 20, 3
	var stores []*Store
	for range nodes {
		stores = append(stores, open(t, Config{DSN: dsn}))
	}
	for n := range runs {
		commit(t, stores[0], run.Commit{Runs: []run.Append{created(n)}})
	}
	var ids, conflicts atomic.Int64
	var wait sync.WaitGroup
	for _, s := range stores {
		for w := range writers {
			wait.Go(func() {
				for fact := range facts {
					for mine := ids.Add(1); ; conflicts.Add(1) {
						c, err := contend(t, s, (fact+w)%runs, uint64(mine))
						if err == nil {
							err = s.Append(t.Context(), c)
						}
						var row *run.RowConflict
						if err == nil {
							break
						}
						if !errors.Is(err, run.ErrConflict) && !errors.As(err, &row) {
							t.Error(err)
							return
						}
					}
				}
			})
		}
	}
	wait.Wait()
	t.Logf("%d commits were refused and made again", conflicts.Load())
	checkContended(t, stores[1], runs, nodes*writers*facts)
}

// contend is a commit that two runs, a row, an account and the audit log have a part in.
func contend(t *testing.T, s *Store, n int, id uint64) (c run.Commit, err error) {
	for i, m := range []int{n, (n + 1) % 3} {
		line, err := s.Summary(t.Context(), runID(m))
		if err != nil {
			return c, err
		}
		c.Runs = append(c.Runs, message(m, line.Seq, id<<1|uint64(i)))
	}
	row, err := s.Row(t.Context(), "counter", "p", "c")
	if err != nil && !problem.Is(err, problem.NotFound) {
		return c, err
	}
	c.Rows = []run.RowWrite{{Row: run.Row{Kind: "counter", Project: "p", ID: "c", Name: "the counter"}, Expect: row.Version}}
	c.Spend = []run.Spend{{Account: run.Account{Project: "p", Day: "2026-03-01"}, Runs: 1}}
	c.Audit = []run.Audit{{At: start, Project: "p", Action: "tried"}}
	return c, nil
}

func checkContended(t *testing.T, s *Store, runs, commits int) {
	t.Helper()
	seen := map[uint64]bool{}
	for n := range runs {
		events, err := s.Load(t.Context(), runID(n), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range events {
			if events[i].Seq != int64(i)+1 || seen[events[i].ID] {
				t.Errorf("run %d: event %d is numbered %d, seen before: %v", n, i, events[i].Seq, seen[events[i].ID])
			}
			seen[events[i].ID] = true
		}
	}
	if want := 2*commits + runs; len(seen) != want {
		t.Errorf("%d events, want %d", len(seen), want)
	}
	if row, err := s.RowByName(t.Context(), "counter", "p", "the counter"); err != nil || row.Version != int64(commits) {
		t.Errorf("the row is at version %d, want %d (error %v)", row.Version, commits, err)
	}
	if spent, err := s.Spent(t.Context(), "p", "2026-03-01", "2026-03-01"); err != nil || len(spent) != 1 || spent[0].Runs != commits {
		t.Errorf("spent %+v, want %d runs in one sum (error %v)", spent, commits, err)
	}
	lines, err := s.Audits(t.Context(), "", 0, 0)
	if err != nil || len(lines) != commits {
		t.Errorf("%d lines in the audit log, want %d (error %v)", len(lines), commits, err)
	}
	var before [32]byte
	for i := range lines {
		if lines[i].Seq != int64(i)+1 || lines[i].Hash != store.Chain(before, &lines[i]) {
			t.Fatalf("line %d of the audit log breaks the chain", i+1)
		}
		before = lines[i].Hash
	}
}

// TestNodesInOneRoundTrip lets nodes append to the same runs from what they remember of
// them, which is mostly wrong, and to runs of their own, where it is right.
func TestNodesInOneRoundTrip(t *testing.T) {
	dsn := pgtest.Database(t)
	const nodes, facts = 3, 60
	var stores []*Store
	for range nodes {
		stores = append(stores, open(t, Config{DSN: dsn}))
	}
	commit(t, stores[0], run.Commit{Runs: []run.Append{created(0)}})
	var wait sync.WaitGroup
	for i, s := range stores {
		mine := i + 1
		commit(t, s, run.Commit{Runs: []run.Append{created(mine)}})
		wait.Go(func() {
			for fact := range facts {
				id := uint64(mine*1000 + fact)
				commit(t, s, run.Commit{Runs: []run.Append{message(mine, int64(fact+1), id)}})
				for {
					line, err := s.Summary(t.Context(), runID(0))
					if err == nil {
						err = s.Append(t.Context(), run.Commit{Runs: []run.Append{message(0, line.Seq, id<<20)}})
					}
					if err == nil {
						break
					}
					if !errors.Is(err, run.ErrConflict) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	quicks := int64(0)
	for n := range nodes + 1 {
		want := facts + 1
		if n == 0 {
			want = nodes*facts + 1
		} else {
			quicks += stores[n-1].writer.quicks.Load()
		}
		events, err := stores[0].Load(t.Context(), runID(n), 0, 0)
		if err != nil || len(events) != want {
			t.Errorf("run %d has %d events, want %d (error %v)", n, len(events), want, err)
		}
		for i := range events {
			if events[i].Seq != int64(i)+1 {
				t.Errorf("run %d: event %d is numbered %d", n, i, events[i].Seq)
			}
		}
	}
	if quicks < nodes*facts/2 {
		t.Errorf("%d groups took one round trip: a node's own runs should", quicks)
	}
}

// TestStaleMemory has one node change what another one remembers: by events, by a
// driver's word alone, by a deletion. What is not so any more is never written upon.
func TestStaleMemory(t *testing.T) {
	dsn := pgtest.Database(t)
	one, two := open(t, Config{DSN: dsn}), open(t, Config{DSN: dsn})
	for n, change := range []func(a *run.Append){
		func(a *run.Append) {
			a.Events = []run.Event{{Seq: 2, ID: 77, At: start, Type: run.RunStarted}}
		},
		func(a *run.Append) { a.Epoch, a.Summary.Driver = 1, "south" },
		func(a *run.Append) { a.Summary.Deleted = true },
	} {
		commit(t, one, run.Commit{Runs: []run.Append{created(n)}})
		a := created(n)
		a.Epoch, a.Expected, a.Events = 0, 1, nil
		change(&a)
		a.Summary.Seq += int64(len(a.Events))
		commit(t, two, run.Commit{Runs: []run.Append{a}})
		err := one.Append(t.Context(), run.Commit{Runs: []run.Append{message(n, 1, 5)}})
		if n == 1 { // the log has not moved
			line, err2 := one.Summary(t.Context(), runID(n))
			if err != nil || err2 != nil || line.Driver != "south" || line.Seq != 2 {
				t.Errorf("change %d: %v, %v; the driver is %q", n, err, err2, line.Driver)
			}
		} else if !errors.Is(err, run.ErrConflict) {
			t.Errorf("change %d: %v, want a conflict", n, err)
		}
	}
}

// TestFirstComers lets nodes make the same run and the same row at once: one makes
// them, the others are told of a conflict.
func TestFirstComers(t *testing.T) {
	dsn := pgtest.Database(t)
	var stores []*Store
	for range 4 {
		stores = append(stores, open(t, Config{DSN: dsn}))
	}
	for n := range 30 {
		var made, refused atomic.Int64
		var wait sync.WaitGroup
		for i, s := range stores {
			wait.Go(func() {
				c := run.Commit{Runs: []run.Append{created(n)}}
				if n%2 == 1 {
					c = run.Commit{Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", Project: "p", ID: fmt.Sprint(i), Name: fmt.Sprint("name ", n)}, Expect: run.AnyVersion}}}
				}
				var row *run.RowConflict
				switch err := s.Append(t.Context(), c); {
				case err == nil:
					made.Add(1)
				case errors.Is(err, run.ErrConflict), errors.As(err, &row):
					refused.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if made.Load() != 1 || refused.Load() != 3 {
			t.Fatalf("commit %d was taken from %d nodes and refused to %d", n, made.Load(), refused.Load())
		}
	}
}

// TestJobsOfOthers hands jobs to another queue, in the transaction of their events.
func TestJobsOfOthers(t *testing.T) {
	refuse := errors.New("no such queue")
	s := open(t, Config{Jobs: func(ctx context.Context, tx pgx.Tx, jobs []run.Job) error {
		for i := range jobs {
			if jobs[i].Kind == "bad" {
				return refuse
			}
			// A savepoint is what a queue may use.
			if err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO nodes VALUES ($1, '', 0, now(), now(), '')", jobs[i].Kind)
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	}})
	answers := make([]error, 9)
	var wait sync.WaitGroup
	for n := range answers {
		c := run.Commit{Runs: []run.Append{created(n)}, Jobs: []run.Job{{Kind: fmt.Sprint("job ", n)}}}
		if n == 4 {
			c.Jobs[0].Kind = "bad"
		}
		wait.Add(1)
		s.Submit(c, func(err error) { answers[n] = err; wait.Done() })
	}
	wait.Wait()
	for n, err := range answers {
		if n == 4 != errors.Is(err, refuse) || n != 4 && err != nil {
			t.Errorf("commit %d: %v", n, err)
		}
		_, missing := s.Summary(t.Context(), runID(n))
		if (missing != nil) != (n == 4) {
			t.Errorf("run %d: %v", n, missing)
		}
	}
	count := 0
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM nodes WHERE id LIKE 'job%'").Scan(&count); err != nil || count != 8 {
		t.Errorf("%d jobs were handed over, want 8 (error %v)", count, err)
	}
	if jobs, err := s.Jobs(t.Context(), 0); err != nil || len(jobs) != 0 {
		t.Errorf("jobs %v in the store's own table, error %v", jobs, err)
	}
}

// TestNews has two nodes hear of each other's commits and not of their own.
func TestNews(t *testing.T) {
	type news struct {
		id  run.ID
		seq int64
	}
	dsn := pgtest.Database(t)
	heard := [2]chan news{make(chan news, 1000), make(chan news, 1000)}
	var stores [2]*Store
	for i := range stores {
		stores[i] = open(t, Config{DSN: dsn, Heard: func(id run.ID, seq int64) { heard[i] <- news{id, seq} }})
	}
	const count = 300 // more than one payload holds
	var all run.Commit
	for n := range count {
		all.Runs = append(all.Runs, created(n))
	}
	listening(t, stores[1], 2)
	commit(t, stores[0], all)
	got := map[run.ID]int64{}
	for len(got) < count {
		select {
		case one := <-heard[1]:
			got[one.id] = one.seq
		case <-time.After(time.Minute):
			t.Fatalf("heard of %d runs, want %d", len(got), count)
		}
	}
	if got[runID(7)] != 1 {
		t.Errorf("run 7 is said to stand at %d", got[runID(7)])
	}
	commit(t, stores[1], run.Commit{Runs: []run.Append{message(7, 1, 99)}})
	if one := <-heard[0]; one != (news{runID(7), 2}) {
		t.Errorf("heard %+v", one)
	}
	if len(heard[1]) > 0 {
		t.Errorf("a node hears of what it has done itself: %+v", <-heard[1])
	}
}

// TestMissedNews: who listens is told when there may have been news that it has not
// heard: another node says so, or the connection broke.
func TestMissedNews(t *testing.T) {
	dsn := pgtest.Database(t)
	missed := make(chan bool, 1000)
	hear := func(run.ID, int64) {}
	north := open(t, Config{DSN: dsn, Heard: hear})
	next := func(what string) {
		t.Helper()
		select {
		case <-missed:
		case <-time.After(time.Minute):
			t.Fatalf("%s: nobody was told", what)
		}
	}
	south := open(t, Config{DSN: dsn, Heard: hear, Missed: func() { missed <- true }})
	next("before it listened")
	north.Miss()
	next("another node says so")
	if _, err := south.pool.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"); err != nil {
		t.Fatal(err)
	}
	next("the connection broke")
}

// listening waits until so many connections listen.
func listening(t *testing.T, s *Store, want int) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		count := 0
		err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'").Scan(&count)
		if err != nil {
			t.Fatal(err)
		}
		if count >= want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%d connections listen, want %d", count, want)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
