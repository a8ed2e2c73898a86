package river_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/queue/queuetest"
	"errand/internal/queue/river"
	"errand/internal/run"
	"errand/internal/store/postgres"
	"errand/internal/store/postgres/pgtest"
)

// wired is a store and a queue as the program puts them together.
type wired struct {
	store  *postgres.Store
	writer *river.Writer
	queue  *river.Queue
}

func wire(t testing.TB, cfg river.Config) *wired {
	t.Helper()
	var w wired
	var err error
	if w.writer, err = river.NewWriter(river.Routes{"advance": river.Runs}, nil, nil); err != nil {
		t.Fatal(err)
	}
	if w.store, err = postgres.Open(t.Context(), postgres.Config{DSN: pgtest.Database(t), Jobs: w.writer.Insert, Queue: w.writer}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if err := river.Migrate(t.Context(), w.store.Pool(), nil); err != nil {
		t.Fatal(err)
	}
	cfg.Pool, cfg.Writer, cfg.Node = w.store.Pool(), w.writer, fmt.Sprintf("node-%d", nodes.Add(1))
	if w.queue, err = river.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.store.OnJobs(w.queue.Poke)
	if err := w.queue.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.queue.Close(context.Background()) })
	return &w
}

// begin is the commit that makes a run.
func begin(n uint64, jobs ...run.Job) run.Commit {
	at := time.UnixMilli(1_800_000_000_000)
	id := run.NewID(at, 0, n)
	event := run.Event{Seq: 1, ID: n, At: at, Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{Project: "default", Model: "offline/rules"}}}
	for i := range jobs {
		jobs[i].Run = id
	}
	return run.Commit{Jobs: jobs, Runs: []run.Append{{ID: id, Events: []run.Event{event}, Summary: run.Summary{
		ID: id, Project: "default", Status: run.Queued, Seq: 1, Live: true, CreatedAt: at, UpdatedAt: at,
	}}}}
}

// TestStore: a job that a commit brings runs, told of by the store; that of a commit
// which is refused does not.
func TestStore(t *testing.T) {
	t.Parallel()
	ran := make(chan run.Job, 10)
	w := wire(t, river.Config{Poll: time.Hour, Handlers: queuetest.Handlers{"advance": func(_ context.Context, job run.Job) error { ran <- job; return nil }}})
	for n := uint64(1); n <= 3; n++ {
		job := run.Job{Kind: "advance", Due: time.Now()}
		if err := w.store.Append(t.Context(), begin(n, job)); err != nil {
			t.Fatal(err)
		}
		if err := w.store.Append(t.Context(), begin(n, job)); err == nil {
			t.Fatal("a run was made twice")
		}
		if got, want := await(t, ran).Run, begin(n).Runs[0].ID; got != want {
			t.Errorf("the job of run %s ran, want %s", got, want)
		}
	}
	eventually(t, w.store.Pool(), nothingLeft)
	if rows := count(t, w.store.Pool(), "true"); rows != 3 {
		t.Errorf("%d jobs were written, want 3", rows)
	}
}

// BenchmarkAdvance is what it costs to give new runs to whoever is free, by a job
// that is written with the run's first event, done and deleted, against runs without
// jobs: 32 clients, each waiting for its commit.
func BenchmarkAdvance(b *testing.B) {
	for _, with := range []bool{false, true} {
		b.Run(fmt.Sprintf("job=%v", with), func(b *testing.B) {
			var done atomic.Int64
			w := wire(b, river.Config{Workers: map[string]int{river.Runs: 1000}, Handlers: queuetest.Handlers{
				"advance": func(context.Context, run.Job) error { done.Add(1); return nil },
			}})
			var next, want atomic.Int64
			b.SetParallelism(16)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					c := begin(uint64(next.Add(1)))
					if with {
						want.Add(1)
						c = begin(c.Runs[0].Events[0].ID, run.Job{Kind: "advance", Due: time.Now()})
					}
					if err := w.store.Append(b.Context(), c); err != nil {
						b.Error(err)
					}
				}
			})
			for done.Load() < want.Load() {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
			stats := w.store.Stats()
			b.ReportMetric(float64(stats.Commits)/float64(stats.Groups), "commits/group")
		})
	}
}

// TestPurge: a run's jobs go with the run, jobs of no run are found and dropped, and what
// is left of runs that are gone is counted.
func TestPurge(t *testing.T) {
	t.Parallel()
	w := wire(t, river.Config{Handlers: queuetest.Handlers{"other": func(context.Context, run.Job) error { return nil }}})
	later := time.Now().Add(time.Hour)
	made := begin(1, run.Job{Kind: "advance", Due: later}, run.Job{Kind: "advance", Due: later})
	line := &made.Runs[0].Summary
	line.Status, line.Live, line.EndedAt = run.Completed, false, line.CreatedAt
	if err := w.store.Append(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	stray := run.Job{Kind: "advance", Run: run.ID{9}, Due: later}
	if err := w.store.Append(t.Context(), run.Commit{Jobs: []run.Job{{Kind: "loose", Due: later, Data: []byte("{}")}, stray}}); err != nil {
		t.Fatal(err)
	}
	if waiting, err := w.store.Jobs(t.Context(), 0); err != nil || len(waiting) != 4 {
		t.Errorf("%d jobs wait, want 4: %+v, %v", len(waiting), waiting, err)
	}
	loose, err := w.store.LooseJobs(t.Context(), 0, 10)
	if err != nil || len(loose) != 1 || loose[0].Kind != "loose" {
		t.Fatalf("%+v, %v", loose, err)
	}
	if behind, err := w.store.LooseJobs(t.Context(), loose[0].ID, 10); err != nil || len(behind) != 0 {
		t.Errorf("behind the last: %+v, %v", behind, err)
	}
	if err := w.store.FinishJob(t.Context(), loose[0].ID); err != nil {
		t.Fatal(err)
	}
	if count, err := w.store.Strays(t.Context()); err != nil || count != 1 {
		t.Errorf("%d jobs of runs that are not there, %v", count, err)
	}
	// Two jobs, an event and a line, three at a time.
	for _, want := range []int{3, 1} {
		if removed, err := w.store.Purge(t.Context(), []run.ID{line.ID}, 3); err != nil || removed != want {
			t.Errorf("%d removed, %v, want %d", removed, err, want)
		}
	}
	left, err := w.queue.Jobs(t.Context(), 0)
	if err != nil || len(left) != 1 || left[0].Run != stray.Run {
		t.Errorf("left: %+v, %v", left, err)
	}
	if owners, err := w.store.Owners(t.Context()); err != nil || len(owners) != 0 {
		t.Errorf("owners: %q, %v", owners, err)
	}
}
