package river_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/problem"
	"errand/internal/queue/queuetest"
	"errand/internal/queue/river"
	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// victimEnv makes a process of these tests the one that TestKilledNode kills.
const victimEnv = "ERRAND_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(victimEnv); dsn != "" {
		victim(dsn)
	}
	pgtest.Main(m)
}

// nodes numbers the nodes of all tests: no two processes have the same name.
var nodes atomic.Int64

// open returns connections to a database with River's tables.
func open(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return prepared(t, pgtest.Database(t))
}

func prepared(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cfg.MaxConns = 10
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	if err := river.Migrate(t.Context(), pool, nil); err != nil {
		t.Fatal(err)
	}
	return pool
}

// node is a queue as queuetest sees one.
type node struct {
	*river.Queue
	t      testing.TB
	writer *river.Writer
	cfg    river.Config
}

// join starts a node that looks into its queues often, so that tests need not wait.
func join(t testing.TB, pool *pgxpool.Pool, routes river.Routes, cfg river.Config) *node {
	t.Helper()
	writer, err := river.NewWriter(routes, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Pool, cfg.Writer = pool, writer
	if cfg.Poll == 0 {
		cfg.Poll = 20 * time.Millisecond
	}
	n := &node{t: t, writer: writer, cfg: cfg}
	n.start()
	t.Cleanup(func() { n.Close(context.Background()) })
	return n
}

func (n *node) start() {
	n.t.Helper()
	if n.cfg.Node == "" {
		n.cfg.Node = fmt.Sprintf("node-%d", nodes.Add(1))
	}
	var err error
	if n.Queue, err = river.New(n.cfg); err != nil {
		n.t.Fatal(err)
	}
	if err := n.Start(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) Add(ctx context.Context, jobs ...run.Job) error {
	defer n.Poke()
	return pgx.BeginFunc(ctx, n.cfg.Pool, func(tx pgx.Tx) error { return n.writer.Insert(ctx, tx, jobs) })
}

func (n *node) Left(ctx context.Context) ([]run.Job, error) { return n.Jobs(ctx, 0) }

func (n *node) Close(ctx context.Context) {
	if err := n.Queue.Close(ctx); err != nil {
		n.t.Error(err)
	}
}

func (n *node) Restart(ctx context.Context) {
	n.Close(ctx)
	n.cfg.Node = ""
	n.start()
}

// TestQueue: what every queue does, once with all kinds in one queue, where they
// share its workers, and once with a queue for each kind.
func TestQueue(t *testing.T) {
	together := river.Routes{}
	for _, kind := range []string{"count", "a", "b", "c", "d", "flaky", "limited", "known", "unknown", "bad", "quick", "slow", "first", "last", "endless", "later", "cut"} {
		together[kind] = river.Timers
	}
	// Nothing here is about the disk, which others may keep busy for longer than the
	// suite waits between two jobs.
	server := pgtest.Start(t, pgtest.Options{NoSync: true})
	for name, routes := range map[string]river.Routes{"together": together, "apart": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			queuetest.Run(t, queuetest.Harness{Real: true, Open: func(t *testing.T, handlers queuetest.Handlers) queuetest.Queue {
				limits := map[string]int{}
				for kind := range handlers {
					limits[routes.Queue(kind)] = 4
				}
				return join(t, prepared(t, server.Database(t)), routes, river.Config{Handlers: handlers, Workers: limits})
			}})
		})
	}
}

// TestApart: a node works on the queues that it has workers for, and on no kind of
// job that it does not know, whose tries are untouched when a node comes that does.
func TestApart(t *testing.T) {
	t.Parallel()
	pool := open(t)
	routes := river.Routes{"drive": river.Runs, "drive.browser": river.Browsers}
	ran := make(chan string, 10)
	does := func(name string) func(context.Context, run.Job) error {
		return func(_ context.Context, job run.Job) error {
			ran <- fmt.Sprintf("%s by %s after %d", job.Kind, name, job.Tries)
			return nil
		}
	}
	old := join(t, pool, routes, river.Config{
		Workers:  map[string]int{river.Browsers: 0},
		Handlers: queuetest.Handlers{"drive": does("old"), "drive.browser": does("old")},
	})
	now := time.Now()
	if err := old.Add(t.Context(), run.Job{Kind: "drive.browser", Due: now}, run.Job{Kind: "new.kind", Due: now}, run.Job{Kind: "drive", Due: now}); err != nil {
		t.Fatal(err)
	}
	if got := await(t, ran); got != "drive by old after 0" {
		t.Error(got)
	}
	// It has looked into its queue, and would have into the others. It is not in the
	// way of what follows.
	eventually(t, pool, "SELECT count(*) = 2 FROM river_job WHERE state = 'available' AND attempt = 0")
	backlogs, err := old.Backlogs(t.Context())
	if err != nil || len(backlogs) != 2 || backlogs[0].Queue != river.Browsers || backlogs[1].Queue != "kind-new-kind" || backlogs[1].Jobs != 1 || backlogs[1].Oldest <= 0 {
		t.Errorf("what waits: %+v, error %v", backlogs, err)
	}
	join(t, pool, routes, river.Config{
		Workers:  map[string]int{river.Runs: 0},
		Handlers: queuetest.Handlers{"drive": does("new"), "drive.browser": does("new"), "new.kind": does("new")},
	})
	got := []string{await(t, ran), await(t, ran)}
	slices.Sort(got)
	if want := []string{"drive.browser by new after 0", "new.kind by new after 0"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
}

// TestPoke: new jobs are told of, by nodes that do none themselves too; nobody has
// to look for them.
func TestPoke(t *testing.T) {
	t.Parallel()
	pool := open(t)
	ran := make(chan run.Job)
	join(t, pool, nil, river.Config{Poll: time.Hour, Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error { ran <- job; return nil }}})
	front := join(t, pool, nil, river.Config{})
	for range 5 {
		if err := front.Add(t.Context(), run.Job{Kind: "x", Due: time.Now()}); err != nil {
			t.Fatal(err)
		}
		await(t, ran)
	}
}

// TestFarOff: a job that River's leader has to fetch from far ahead is in time too,
// and so is one that waits long after a failure.
func TestFarOff(t *testing.T) {
	t.Parallel()
	pool := open(t)
	type call struct {
		run.Job
		at time.Time
	}
	ran := make(chan call, 10)
	n := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error {
		ran <- call{job, time.Now()}
		if job.Tries == 0 {
			limited := problem.New(problem.RateLimited, "Later, please.")
			limited.RetryAfter = 6 * time.Second
			return limited
		}
		return nil
	}}})
	due := time.Now().Add(6 * time.Second).Truncate(time.Millisecond)
	if err := n.Add(t.Context(), run.Job{Kind: "x", Due: due}); err != nil {
		t.Fatal(err)
	}
	first := await(t, ran)
	if early := due.Sub(first.at); early > 0 || !first.Due.Equal(due) {
		t.Errorf("%v early, due %v, want %v", early, first.Due, due)
	}
	second := await(t, ran)
	if gap := second.at.Sub(first.at); gap < 6*time.Second || second.Tries != 1 {
		t.Errorf("again after %v and %d tries", gap, second.Tries)
	}
}

// TestBytes: a job comes out as it went in, whatever jsonb thinks of it.
func TestBytes(t *testing.T) {
	t.Parallel()
	pool := open(t)
	ran := make(chan run.Job, 1)
	n := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error { ran <- job; return nil }}})
	for _, data := range []string{"", "{\"b\": 1, \"a\": 1.00, \"b\": \"\\u0000\"}", "\x00\xff not JSON"} {
		want := run.Job{Kind: "x", Run: run.ID{7}, Data: []byte(data), Tries: 2}
		if err := n.Add(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		got := await(t, ran)
		if got.Kind != want.Kind || got.Run != want.Run || got.Tries != want.Tries || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestUnreadable: a row that nobody can read is nobody's to throw away.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	pool := open(t)
	join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(context.Context, run.Job) error { return nil }}})
	if _, err := pool.Exec(t.Context(), `INSERT INTO river_job (kind, args, queue, max_attempts) VALUES ('errand', '{"kind": 5}', 'kind-x', 32767)`); err != nil {
		t.Fatal(err)
	}
	eventually(t, pool, "SELECT state = 'retryable' AND scheduled_at > now() + interval '50 minutes' FROM river_job")
}

// TestEarly: a job that is told to come again later has not failed, and is not worth a
// line: those of all runs that wait for room come round every few seconds.
func TestEarly(t *testing.T) {
	t.Parallel()
	pool := open(t)
	var log bytes.Buffer
	done := make(chan bool)
	n := join(t, pool, nil, river.Config{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error {
			if job.Tries == 2 {
				close(done)
				return nil
			}
			early := problem.New(problem.Overloaded, "There is no room.")
			early.RetryAfter = time.Millisecond
			return early
		}},
	})
	if err := n.Add(t.Context(), run.Job{Kind: "x"}); err != nil {
		t.Fatal(err)
	}
	await(t, done)
	n.Close(t.Context())
	if log.Len() > 0 {
		t.Errorf("the log has %s", log.String())
	}
}

// skewed returns connections to a database whose clock goes before this machine's by so
// much, or behind it.
func skewed(t *testing.T, by string) *pgxpool.Pool {
	dsn := pgtest.Database(t)
	if _, err := prepared(t, dsn).Exec(t.Context(), `CREATE SCHEMA clock; CREATE FUNCTION clock.now() RETURNS timestamptz STABLE LANGUAGE sql AS
		$$ SELECT pg_catalog.now() + interval '`+by+`' $$`); err != nil {
		t.Fatal(err)
	}
	return prepared(t, dsn+"&search_path=clock,pg_catalog,public")
}

// TestOtherClock: a job comes again when it was told to, and one that is due later when
// it is due, wherever the database's clock and this machine's stand, by which River
// reckons.
func TestOtherClock(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"2 s", "1 h", "-1 h"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			pool, later := skewed(t, by), make(chan bool, 9)
			join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(context.Context, run.Job) error {
				early := problem.New(problem.Overloaded, "It is not time yet.")
				early.RetryAfter = time.Second
				return early
			}, "y": func(context.Context, run.Job) error { later <- true; return nil }}})
			began := time.Now()
			if _, err := pool.Exec(t.Context(), `INSERT INTO river_job (kind, args, queue, max_attempts, state, scheduled_at) VALUES
				('errand', '{"kind": "x"}', 'kind-x', 32767, 'available', now()),
				('errand', '{"kind": "y"}', 'kind-y', 32767, 'scheduled', now() + interval '1 s'),
				('errand', '{"kind": "y"}', 'kind-y', 32767, 'scheduled', now() + interval '5 min')`); err != nil {
				t.Fatal(err)
			}
			eventually(t, pool, "SELECT count(*) = 1 FROM river_job WHERE (metadata->>'failures')::int >= 3")
			if took := time.Since(began); took < 1900*time.Millisecond {
				t.Errorf("in %v it came three times, told to come each second", took)
			}
			await(t, later) // its row may be gone at once: see clock
			eventually(t, pool, "SELECT count(*) = 1 FROM river_job WHERE queue = 'kind-y' AND finalized_at IS NULL")
			if len(later) > 0 {
				t.Error("a job ran minutes before it was due")
			}
		})
	}
}

// TestDoneGoes: the rows of jobs that are done don't pile up.
func TestDoneGoes(t *testing.T) {
	t.Parallel()
	pool := open(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO river_job (kind, args, queue, state, finalized_at)
		SELECT 'errand', '{}', 'kind-x', 'completed', now() - age FROM unnest('{10 s,2 min,1 day}'::interval[]) AS age`); err != nil {
		t.Fatal(err)
	}
	join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(context.Context, run.Job) error { return nil }}})
	eventually(t, pool, "SELECT count(*) = 1 FROM river_job")
}

// TestForget: what waits for a run goes with it, what is being done stays.
func TestForget(t *testing.T) {
	t.Parallel()
	pool := open(t)
	began, release := make(chan bool), make(chan bool)
	n := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(context.Context, run.Job) error { began <- true; <-release; return nil }}})
	t.Cleanup(func() { close(release) })
	gone, kept := run.ID{1}, run.ID{2}
	later := time.Now().Add(time.Hour)
	if err := n.Add(t.Context(), run.Job{Kind: "x", Run: gone, Due: time.Now()}, run.Job{Kind: "a", Run: gone, Due: later}, run.Job{Kind: "b", Run: gone, Due: later}, run.Job{Kind: "c", Run: kept, Due: later}, run.Job{Kind: "d", Due: later}); err != nil {
		t.Fatal(err)
	}
	<-began
	for _, want := range []int{1, 1, 0} {
		err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			removed, err := n.writer.Forget(t.Context(), tx, gone, 1)
			if removed != want {
				t.Errorf("%d removed, want %d", removed, want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	left, err := n.Jobs(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, job := range left {
		kinds = append(kinds, job.Kind)
	}
	if want := []string{"x", "c", "d"}; !slices.Equal(kinds, want) {
		t.Errorf("left %q, want %q", kinds, want)
	}
	if first, err := n.Jobs(t.Context(), 1); err != nil || len(first) != 1 || first[0].Kind != "x" {
		t.Errorf("the first of them: %+v, error %v", first, err)
	}
}

// TestServerCrash: jobs that are done while the database is away are done, and the
// node works on when it is back.
func TestServerCrash(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, pgtest.Options{})
	pool := prepared(t, server.Database(t))
	began, release := make(chan bool, 1000), make(chan bool)
	n := join(t, pool, nil, river.Config{Poll: time.Hour, Handlers: queuetest.Handlers{"x": func(context.Context, run.Job) error { began <- true; <-release; return nil }}})
	if err := n.Add(t.Context(), run.Job{Kind: "x", Due: time.Now()}); err != nil {
		t.Fatal(err)
	}
	await(t, began)
	server.Crash(t)
	close(release)
	server.Up(t)
	eventually(t, pool, nothingLeft)
	if len(began) != 0 {
		t.Error("it ran again")
	}
	// It hears of new jobs again, as soon as it has a connection to hear them by.
	for end := time.Now().Add(patience); len(began) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it hears nothing any more")
		}
		if err := n.Add(t.Context(), run.Job{Kind: "x", Due: time.Now()}); err != nil {
			t.Log("a connection of before the crash: ", err)
		}
	}
	eventually(t, pool, nothingLeft)
}

// TestConfig: what can't work is said at once.
func TestConfig(t *testing.T) {
	t.Parallel()
	pool := open(t)
	writer, err := river.NewWriter(river.Routes{"bad": "no such name!"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	nothing := func(context.Context, run.Job) error { return nil }
	for name, cfg := range map[string]river.Config{
		"no pool":      {Writer: writer, Node: "n"},
		"no writer":    {Pool: pool, Node: "n"},
		"no node":      {Pool: pool, Writer: writer},
		"long node":    {Pool: pool, Writer: writer, Node: strings.Repeat("n", 101), Handlers: queuetest.Handlers{"x": nothing}},
		"workers":      {Pool: pool, Writer: writer, Node: "n", Handlers: queuetest.Handlers{"x": nothing}, Workers: map[string]int{"kind-y": 1}},
		"queue's name": {Pool: pool, Writer: writer, Node: "n", Handlers: queuetest.Handlers{"bad": nothing}},
	} {
		if _, err := river.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A node without handlers tells of jobs and does none.
	q, err := river.New(river.Config{Pool: pool, Writer: writer, Node: "front"})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := q.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
