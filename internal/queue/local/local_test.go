package local_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"errand/internal/problem"
	"errand/internal/queue/local"
	"errand/internal/queue/queuetest"
	"errand/internal/run"
	"errand/internal/store/memory"
	"errand/internal/store/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// jobStore is what the tests need of a store.
type jobStore interface {
	local.Store
	Append(ctx context.Context, c run.Commit) error
	Close() error
}

// subject is a queue over a store that outlives it.
type subject struct {
	*local.Queue
	store    jobStore
	handlers queuetest.Handlers
}

func start(s jobStore, handlers queuetest.Handlers) *subject {
	q := local.New(local.Config{Store: s, Handlers: handlers, Workers: 4})
	q.Start()
	return &subject{q, s, handlers}
}

func (s *subject) Add(ctx context.Context, jobs ...run.Job) error {
	return s.store.Append(ctx, run.Commit{Jobs: jobs})
}

func (s *subject) Left(ctx context.Context) ([]run.Job, error) { return s.store.Jobs(ctx, 0) }

func (s *subject) Close(ctx context.Context) { s.Queue.Close(ctx) }

func (s *subject) Restart(ctx context.Context) {
	s.Close(ctx)
	*s = *start(s.store, s.handlers)
}

func harness(open func(t *testing.T) jobStore) queuetest.Harness {
	return queuetest.Harness{Open: func(t *testing.T, handlers queuetest.Handlers) queuetest.Queue {
		s := start(open(t), handlers)
		t.Cleanup(func() {
			s.Close(context.Background())
			if err := s.store.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}}
}

func TestOverMemory(t *testing.T) {
	queuetest.Run(t, harness(func(*testing.T) jobStore { return memory.New(memory.Config{}) }))
}

func TestOverSQLite(t *testing.T) {
	queuetest.Run(t, harness(func(t *testing.T) jobStore {
		s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}))
}

// counted counts how often the queue looks into its store.
type counted struct {
	*memory.Store
	looks     atomic.Int64
	meanwhile atomic.Pointer[func()] // happens once while the queue looks
}

func (c *counted) Jobs(ctx context.Context, limit int) ([]run.Job, error) {
	c.looks.Add(1)
	jobs, err := c.Store.Jobs(ctx, limit)
	if meanwhile := c.meanwhile.Swap(nil); meanwhile != nil {
		(*meanwhile)()
	}
	return jobs, err
}

// TestIdle: a queue with nothing to do does nothing, and one that waits for a far
// time hardly more.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: memory.New(memory.Config{})}
		ran := make(chan time.Time, 10)
		q := start(s, queuetest.Handlers{"x": func(context.Context, run.Job) error { ran <- time.Now(); return nil }})
		time.Sleep(24 * time.Hour)
		if looks := s.looks.Load(); looks != 1 {
			t.Errorf("%d looks into an empty store in a day, want the first one", looks)
		}
		due := time.Now().Add(time.Hour)
		if err := q.Add(t.Context(), run.Job{Kind: "x", Due: due}); err != nil {
			t.Fatal(err)
		}
		if at := <-ran; !at.Equal(due) {
			t.Errorf("ran at %v, want %v", at, due)
		}
		synctest.Wait()
		if looks := s.looks.Load(); looks > 20 {
			t.Errorf("%d looks while waiting for an hour", looks)
		}
		before := s.looks.Load()
		time.Sleep(24 * time.Hour)
		if looks := s.looks.Load() - before; looks != 0 {
			t.Errorf("%d looks after the last job", looks)
		}
		q.Close(t.Context())
	})
}

// TestFullDisk: a job that is done but can't be marked so is not done again.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		s := memory.New(memory.Config{Refuse: func(*run.Commit) error {
			if full.Load() {
				return problem.New(problem.StorageFull, "The disk is full.")
			}
			return nil
		}})
		ran := 0
		q := start(s, queuetest.Handlers{"once": func(context.Context, run.Job) error {
			ran++
			full.Store(true)
			return nil
		}})
		if err := q.Add(t.Context(), run.Job{Kind: "once", Due: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		full.Store(false)
		time.Sleep(time.Hour)
		if left, err := s.Jobs(t.Context(), 0); err != nil || len(left) != 0 || ran != 1 {
			t.Errorf("ran %d times, %d left, error %v", ran, len(left), err)
		}
		q.Close(t.Context())
	})
}

// TestRoomWhileLooking: workers that become free while the queue looks have seen
// nobody wait for them, and what waits must not be forgotten.
func TestRoomWhileLooking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &counted{Store: memory.New(memory.Config{})}
		release := make(chan bool)
		var quick atomic.Int64
		q := start(s, queuetest.Handlers{
			"slow":  func(context.Context, run.Job) error { <-release; return nil },
			"quick": func(context.Context, run.Job) error { quick.Add(1); return nil },
		})
		for range 4 {
			if err := q.Add(t.Context(), run.Job{Kind: "slow", Due: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		meanwhile := func() {
			close(release)
			time.Sleep(time.Second) // virtual: until all that can happen has happened
		}
		s.meanwhile.Store(&meanwhile)
		const count = 10
		var jobs []run.Job
		for range count {
			jobs = append(jobs, run.Job{Kind: "quick", Due: time.Now()})
		}
		if err := q.Add(t.Context(), jobs...); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if ran := quick.Load(); ran != count {
			t.Errorf("%d jobs ran, want %d", ran, count)
		}
		q.Close(t.Context())
	})
}
