package river_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/queue/queuetest"
	"errand/internal/queue/river"
	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// patience is longer than anything here takes, on a busy machine too.
const patience = 60 * time.Second

// await returns what comes through the channel.
func await[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

// eventually waits until the query, which returns one boolean, says yes. A connection of
// before a crash of the server may be found broken only now.
func eventually(t *testing.T, pool *pgxpool.Pool, query string, args ...any) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		var yes bool
		err := pool.QueryRow(t.Context(), query, args...).Scan(&yes)
		if yes {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never came true: %s (%v)", query, err)
		}
	}
}

const nothingLeft = "SELECT NOT EXISTS (SELECT FROM river_job WHERE finalized_at IS NULL)"

func count(t *testing.T, pool *pgxpool.Pool, where string) (n int) {
	t.Helper()
	if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM river_job WHERE "+where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestTwoNodes: what one node inserts both work on, and each job runs once.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	const jobs = 1000
	pool := open(t)
	var mu sync.Mutex
	by := map[string]int{}
	seen := map[string]int{}
	all := make(chan bool)
	start := func(name string) *node {
		return join(t, pool, nil, river.Config{
			Workers: map[string]int{"kind-count": 50},
			Handlers: queuetest.Handlers{"count": func(_ context.Context, job run.Job) error {
				mu.Lock()
				defer mu.Unlock()
				by[name]++
				if seen[string(job.Data)]++; len(seen) == jobs && seen[string(job.Data)] == 1 {
					close(all)
				}
				return nil
			}},
		})
	}
	one, two := start("one"), start("two")
	begun := time.Now()
	for i := range jobs / 10 {
		var some []run.Job
		for j := range 10 {
			some = append(some, run.Job{Kind: "count", Due: time.Now(), Data: fmt.Appendf(nil, "%d", i*10+j)})
		}
		if err := one.Add(t.Context(), some...); err != nil {
			t.Fatal(err)
		}
	}
	await(t, all)
	took := time.Since(begun)
	one.Close(t.Context())
	two.Close(t.Context())
	t.Logf("%d jobs in %d commits by two nodes: %v, %.0f a second", jobs, jobs/10, took.Round(time.Millisecond), jobs/took.Seconds())
	if by["one"] == 0 || by["two"] == 0 || by["one"]+by["two"] != jobs {
		t.Errorf("who did how many: %v, want %d between them", by, jobs)
	}
	if left := count(t, pool, "finalized_at IS NULL"); left != 0 {
		t.Errorf("%d jobs are left", left)
	}
}

// TestRollback: a job is there if its event is.
func TestRollback(t *testing.T) {
	t.Parallel()
	pool := open(t)
	ran := make(chan run.Job, 10)
	n := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error { ran <- job; return nil }}})
	no := errors.New("no")
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if err := n.writer.Insert(t.Context(), tx, []run.Job{{Kind: "x", Due: time.Now(), Data: []byte("never")}}); err != nil {
			return err
		}
		n.Poke()
		return no
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	if err := n.Add(t.Context(), run.Job{Kind: "x", Due: time.Now(), Data: []byte("it is")}); err != nil {
		t.Fatal(err)
	}
	if job := await(t, ran); string(job.Data) != "it is" {
		t.Errorf("%s ran", job.Data)
	}
	n.Close(t.Context())
	if all := count(t, pool, "true"); all != 1 || len(ran) != 0 {
		t.Errorf("%d rows, %d more runs", all, len(ran))
	}
}

// victim is the process that TestKilledNode kills.
func victim(dsn string) {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		log.Fatal(err)
	}
	writer, err := river.NewWriter(nil, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	q, err := river.New(river.Config{Pool: pool, Writer: writer, Node: "victim", Poll: 20 * time.Millisecond, Handlers: queuetest.Handlers{
		"held": func(context.Context, run.Job) error {
			fmt.Println("held")
			select {}
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Start(ctx); err != nil {
		log.Fatal(err)
	}
	time.Sleep(patience) // if nobody kills it
	os.Exit(1)
}

// TestKilledNode: what a node was doing when it was killed goes on elsewhere when
// somebody says so, and what it led is led.
func TestKilledNode(t *testing.T) {
	t.Parallel()
	pool := open(t)
	victim := exec.CommandContext(t.Context(), os.Args[0])
	victim.Env = append(os.Environ(), victimEnv+"="+pool.Config().ConnString())
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = victim.Process.Kill(); _ = victim.Wait() })
	eventually(t, pool, "SELECT EXISTS (SELECT FROM river_leader WHERE leader_id = 'victim')")

	ran := make(chan run.Job, 10)
	heir := join(t, pool, nil, river.Config{
		Workers:  map[string]int{"kind-held": 0}, // nothing before the takeover
		Handlers: queuetest.Handlers{"held": nil, "later": func(_ context.Context, job run.Job) error { ran <- job; return nil }},
	})
	if err := heir.Add(t.Context(), run.Job{Kind: "held", Due: time.Now(), Data: []byte("1")}, run.Job{Kind: "held", Due: time.Now(), Data: []byte("2"), Tries: 3}); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for held := 0; held < 2 && lines.Scan(); {
		if strings.Contains(lines.Text(), "held") {
			held++
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	killed := time.Now()
	if holders, err := heir.Holders(t.Context()); err != nil || len(holders) != 1 || holders[0] != "victim" {
		t.Errorf("those who hold jobs: %q, error %v", holders, err)
	}
	// Two that see it at once: each job is taken over by one of them.
	second := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"held": func(_ context.Context, job run.Job) error { ran <- job; return nil }}})
	var taken atomic.Int64
	var both sync.WaitGroup
	for _, n := range []*node{heir, second} {
		both.Go(func() {
			count, err := n.Takeover(t.Context(), "victim")
			if err != nil {
				t.Error(err)
			}
			taken.Add(int64(count))
		})
	}
	both.Wait()
	// Its time as the leader is over with that: River would let 15 s run out.
	var leads bool
	if err := pool.QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM river_leader WHERE leader_id = 'victim')").Scan(&leads); err != nil || leads {
		t.Errorf("the dead node leads on: %v, %v", leads, err)
	}
	if taken.Load() != 2 {
		t.Errorf("%d jobs taken over, want 2", taken.Load())
	}
	for range 2 {
		if job := await(t, ran); job.Kind != "held" || job.Tries != map[string]int{"1": 0, "2": 3}[string(job.Data)] {
			t.Errorf("%+v ran", job)
		}
	}
	t.Logf("its jobs ran %v after it was killed", time.Since(killed).Round(time.Millisecond))
	eventually(t, pool, "SELECT EXISTS (SELECT FROM river_leader WHERE leader_id <> 'victim')")
	eventually(t, pool, nothingLeft)
}

// TestFrozenNode: what a node says about a job that was taken from it is not heard,
// while its successor is at it.
func TestFrozenNode(t *testing.T) {
	t.Parallel()
	for name, says := range map[string]error{"done": nil, "failed": errors.New("no")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := open(t)
			began, thaw := make(chan run.Job, 1), make(chan bool)
			// With one worker it can't take the job itself.
			alone := map[string]int{"kind-x": 1}
			frozen := join(t, pool, nil, river.Config{Workers: alone, Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error {
				began <- job
				<-thaw
				return says
			}}})
			if err := frozen.Add(t.Context(), run.Job{Kind: "x", Due: time.Now()}); err != nil {
				t.Fatal(err)
			}
			first := await(t, began)
			ran, goOn := make(chan run.Job, 10), make(chan error)
			heir := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error {
				ran <- job
				return <-goOn
			}}})
			if _, err := heir.Takeover(t.Context(), frozen.cfg.Node); err != nil {
				t.Fatal(err)
			}
			second := await(t, ran)
			if second.ID == first.ID {
				t.Error("the job has its old id, by which the frozen node can end it")
			}
			close(thaw)
			frozen.Close(t.Context()) // all that it had to say is said
			if running := count(t, pool, "state = 'running'"); running != 1 {
				t.Errorf("%d jobs are being done, want that of the successor", running)
			}
			goOn <- errors.New("not yet")
			if third := await(t, ran); third.Tries != 1 || third.ID != second.ID {
				t.Errorf("%+v after a failure of %+v", third, second)
			}
			goOn <- nil
			eventually(t, pool, nothingLeft)
		})
	}
}

// TestHandOver: what a node that closes can't finish is at once for others.
func TestHandOver(t *testing.T) {
	t.Parallel()
	pool := open(t)
	began := make(chan bool)
	leaving := join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(ctx context.Context, _ run.Job) error {
		began <- true
		<-ctx.Done()
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}}})
	if err := leaving.Add(t.Context(), run.Job{Kind: "x", Due: time.Now()}); err != nil {
		t.Fatal(err)
	}
	<-began
	ran := make(chan run.Job, 1)
	join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(_ context.Context, job run.Job) error { ran <- job; return nil }}})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	leaving.Close(gone)
	if job := await(t, ran); job.Tries != 0 {
		t.Errorf("%d failures counted", job.Tries)
	}
}

// TestMigrate: nodes that start at the same time, on a new database and on one that
// is up to date.
func TestMigrate(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t)+"&pool_max_conns=20")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for range 2 {
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := river.Migrate(t.Context(), pool, nil); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if rows := count(t, pool, "true"); rows != 0 {
		t.Errorf("%d jobs", rows)
	}
}

// TestManyWait: what waits for next week is not looked at every five seconds.
func TestManyWait(t *testing.T) {
	t.Parallel()
	pool := open(t)
	if _, err := pool.Exec(t.Context(), `INSERT INTO river_job (kind, args, queue, state, scheduled_at)
		SELECT 'errand', '{}', 'kind-x', 'scheduled', now() + interval '7 days' FROM generate_series(1, 20000)`); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE river_job"); err != nil {
		t.Fatal(err)
	}
	join(t, pool, nil, river.Config{Handlers: queuetest.Handlers{"x": func(context.Context, run.Job) error { return nil }}})
	eventually(t, pool, "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 'river_job_errand_due'")
}
