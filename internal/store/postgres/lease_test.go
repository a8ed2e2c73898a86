//go:build unix

package postgres

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// leased opens the leases of a store.
func leased(t *testing.T, s *Store) *Leases {
	t.Helper()
	l, err := s.Leases(t.Context(), "advance")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// driven is a run that a node drives.
func driven(t *testing.T, s *Store, n int, node string, live bool) {
	t.Helper()
	a := created(n)
	a.Summary.Driver, a.Summary.Live = node, live
	commit(t, s, run.Commit{Runs: []run.Append{a}})
}

func dead(t *testing.T, l *Leases, grace time.Duration) []string {
	t.Helper()
	names, err := l.Dead(t.Context(), grace)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

// A node whose lease has run out loses its runs, once, to jobs in the same transaction;
// one that renews keeps them, whatever somebody has thought before.
func TestLeases(t *testing.T) {
	s := open(t, Config{})
	l := leased(t, s)
	ctx := t.Context()
	const long = 9 * time.Second // no lease may end much later than one made now would
	for name, lease := range map[string]time.Duration{"north": long, "south": -2 * time.Second} {
		if err := l.Enter(ctx, name, "127.0.0.1:1", "v1", lease); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Enter(ctx, "north", "", "", long); err == nil {
		t.Error("two nodes have one name")
	}
	for n, who := range []string{"north", "south", "south", "stranger", ""} {
		driven(t, s, n, who, true)
	}
	driven(t, s, 5, "south", false)
	if got := dead(t, l, time.Second); !slices.Equal(got, []string{"south", "stranger"}) {
		t.Fatalf("dead are %v", got)
	}
	if got := dead(t, l, time.Hour); !slices.Equal(got, []string{"stranger"}) {
		t.Errorf("for an hour dead are %v", got)
	}
	if runs, err := l.Bury(ctx, "north", 0); err != nil || runs != 0 {
		t.Errorf("somebody who lives was buried: %d, %v", runs, err)
	}
	now, next, err := l.Renew(ctx, "south", long)
	if err != nil || time.Since(now).Abs() > time.Minute || next.Sub(now) > long || next.Sub(now) < long-time.Minute {
		t.Errorf("renewed: %v, %v, %v", now, next, err)
	}
	if runs, err := l.Bury(ctx, "south", time.Second); err != nil || runs != 0 {
		t.Errorf("somebody who has renewed was buried: %d, %v", runs, err)
	}
	if _, _, err := l.Renew(ctx, "south", -time.Minute); err != nil {
		t.Fatal(err)
	}
	if taken := buryAtOnce(t, l, "south"); taken != 2 {
		t.Errorf("%d runs were taken, want 2", taken)
	}
	if runs, err := l.Bury(ctx, "stranger", time.Second); err != nil || runs != 1 {
		t.Errorf("a stranger's runs: %d, %v", runs, err)
	}
	if now, _, err := l.Renew(ctx, "south", time.Minute); err != nil || !now.IsZero() {
		t.Errorf("a buried node renews: %v, %v", now, err)
	}
	if _, next, err := l.Renew(ctx, "north", long); err != nil || !next.IsZero() {
		t.Errorf("a node that is alone: %v, %v", next, err)
	}
	jobs, err := s.Jobs(ctx, 0)
	if err != nil || len(jobs) != 3 || jobs[0].Kind != "advance" || jobs[0].Run.IsZero() {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
	for n, want := range []string{"north", "", "", "", "", "south"} {
		if line, err := s.Summary(ctx, runID(n)); err != nil || line.Driver != want {
			t.Errorf("run %d is driven by %q, want %q (%v)", n, line.Driver, want, err)
		}
	}
}

// buryAtOnce has four nodes bury the same one, and returns how many runs they took.
func buryAtOnce(t *testing.T, l *Leases, name string) int64 {
	var taken atomic.Int64
	var heirs sync.WaitGroup
	for range 4 {
		heirs.Go(func() {
			runs, err := l.Bury(context.Background(), name, time.Second)
			if err != nil {
				t.Error(err)
			}
			taken.Add(int64(runs))
		})
	}
	heirs.Wait()
	return taken.Load()
}

// A lease that ends too late was renewed before the clock was set back.
func TestClockSetBack(t *testing.T) {
	s := open(t, Config{})
	l, ctx := leased(t, s), t.Context()
	driven(t, s, 0, "north", true)
	if err := l.Enter(ctx, "north", "", "", time.Second); err != nil {
		t.Fatal(err)
	}
	// The clock is set back: what ends too late was renewed before.
	if _, _, err := l.Renew(ctx, "north", time.Hour); err != nil {
		t.Fatal(err)
	}
	if got := dead(t, l, time.Second); !slices.Equal(got, []string{"north"}) {
		t.Errorf("dead are %v", got)
	}
	seqs, err := s.Seqs(ctx, []run.ID{runID(0), runID(77)})
	if err != nil || len(seqs) != 1 || seqs[runID(0)] != 1 {
		t.Errorf("seqs %v, %v", seqs, err)
	}
}

// A node that leaves gives its runs away at once, and whoever keeps jobs elsewhere has
// them in the same transaction.
func TestLeave(t *testing.T) {
	dsn := pgtest.Database(t)
	s := open(t, Config{DSN: dsn})
	l := leased(t, s)
	if err := l.Enter(t.Context(), "north", "", "", time.Minute); err != nil {
		t.Fatal(err)
	}
	driven(t, s, 1, "north", true)
	if _, _, err := l.Renew(t.Context(), "north", 0); err != nil {
		t.Fatal(err)
	}
	if runs, err := l.Bury(t.Context(), "north", 0); err != nil || runs != 1 {
		t.Errorf("left: %d runs, %v", runs, err)
	}
}

// A node with so many runs that its burial takes longer than anybody waits is buried all
// the same: what one has given away before its time was up stays so, with the jobs, and
// the next one goes on with the rest.
func TestBuryInPortions(t *testing.T) {
	portions := 0
	var stop context.CancelFunc
	var asked []run.Job
	s := open(t, Config{Jobs: func(ctx context.Context, tx pgx.Tx, jobs []run.Job) error {
		if portions++; portions == 2 {
			stop() // time is up in the middle of the second one
			return ctx.Err()
		}
		asked = append(asked, jobs...)
		return nil
	}})
	l := leased(t, s)
	const runs = 2*takenAtOnce + 7
	var all run.Commit
	for n := range runs {
		a := created(n)
		a.Summary.Driver = "south"
		all.Runs = append(all.Runs, a)
	}
	commit(t, s, all)
	var ctx context.Context
	ctx, stop = context.WithCancel(t.Context())
	defer stop()
	if taken, err := l.Bury(ctx, "south", time.Second); err == nil || taken != takenAtOnce || len(asked) != takenAtOnce {
		t.Errorf("in its time it gave away %d runs with %d jobs, %v", taken, len(asked), err)
	}
	if got := dead(t, l, time.Second); !slices.Equal(got, []string{"south"}) {
		t.Errorf("dead are %v", got)
	}
	if taken, err := l.Bury(t.Context(), "south", time.Second); err != nil || taken != runs-takenAtOnce || len(asked) != runs {
		t.Errorf("then %d runs, %d jobs in all, %v", taken, len(asked), err)
	}
}

// Appends and takeovers that meet end in one of two ways: the append came first, and its
// run is taken as it left it; or it came second, and is found to be nobody's.
func TestBuryDuringAppends(t *testing.T) {
	s := open(t, Config{})
	l := leased(t, s)
	const runs = 40
	for n := range runs {
		driven(t, s, n, "south", true)
	}
	var writers sync.WaitGroup
	for n := range runs {
		writers.Go(func() {
			a := message(n, 1, uint64(n)+1)
			a.Epoch, a.Summary.Epoch, a.Summary.Driver = 1, 1, "south"
			if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
				t.Error(err)
			}
		})
	}
	sum := 0
	for range 20 {
		count, err := l.Bury(t.Context(), "south", time.Second)
		if err != nil {
			t.Error(err)
		}
		sum += count
	}
	writers.Wait()
	for len(dead(t, l, time.Second)) > 0 {
		count, err := l.Bury(t.Context(), "south", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		sum += count
	}
	jobs, err := s.Jobs(t.Context(), 0)
	if err != nil || len(jobs) != sum || sum < runs {
		t.Errorf("%d runs were taken of %d, with %d jobs, %v", sum, runs, len(jobs), err)
	}
	for n := range runs {
		if line, err := s.Summary(t.Context(), runID(n)); err != nil || line.Driver != "" || line.Seq != 2 {
			t.Errorf("run %d: %q, %d, %v", n, line.Driver, line.Seq, err)
		}
	}
}
