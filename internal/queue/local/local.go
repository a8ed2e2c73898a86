// Package local runs jobs on one machine: work for later or elsewhere, kept in
// the store's job table and done by a handler per kind.
//
// What it promises:
//   - A job runs at least once, not before it is due. It is deleted when its
//     handler returns nil, in a commit of its own, so a crash in between runs it
//     again: handlers must bear that.
//   - A handler's error is another try, later each time. A handler that wants no
//     more returns nil; Job.Tries says how often it has failed.
//   - Jobs survive restarts. A handler that Close interrupts has not failed.
//   - It looks into the store when jobs come, when one is due, and when a worker
//     is free that was missing, and at no other time.
//
// To change when a failed job comes back, edit queue.Delay; to give a kind its
// handler, edit the wiring in internal/app.
package local

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"errand/internal/queue"
	"errand/internal/run"
)

// Store is where jobs are kept.
type Store interface {
	// Jobs returns the jobs that are due first, in that order, due or not.
	Jobs(ctx context.Context, limit int) ([]run.Job, error)
	// FinishJob deletes a job.
	FinishJob(ctx context.Context, id int64) error
	// RetryJob makes a job due again at the given time and counts a failed try.
	RetryJob(ctx context.Context, id int64, due time.Time) error
	// OnJobs names the function to call when there are new jobs or new times.
	OnJobs(poke func())
}

// Config is what a Queue needs. Store must be set.
type Config struct {
	Store    Store
	Handlers queue.Handlers
	Now      func() time.Time // nil = time.Now
	Logger   *slog.Logger     // nil = none
	Workers  int              // handlers at once; 0 = 16
}

// longestSleep bounds how late a job is after the machine slept or its clock was
// set, which timers don't notice.
const longestSleep = 5 * time.Minute

// Queue runs jobs. Make one with New, call Start, and Close at the end.
type Queue struct {
	cfg  Config
	wake chan struct{}
	ctx  context.Context // of the handlers
	stop context.CancelFunc

	looking   context.Context // ends when no new job may start
	stopLooks context.CancelFunc
	done      sync.WaitGroup // the loop and the handlers

	mu      sync.Mutex // guards what follows
	running map[int64]bool
	behind  bool // a due job has found no free worker
}

// New returns a queue that runs nothing yet.
func New(cfg Config) *Queue {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Workers == 0 {
		// Handlers mostly wait for others: a few more than there are cores.
		cfg.Workers = 16
	}
	q := &Queue{cfg: cfg, wake: make(chan struct{}, 1), running: map[int64]bool{}}
	q.ctx, q.stop = context.WithCancel(context.Background())
	q.looking, q.stopLooks = context.WithCancel(q.ctx)
	return q
}

// Start begins with the jobs that are due. It returns at once.
func (q *Queue) Start() {
	q.cfg.Store.OnJobs(q.Poke)
	q.done.Go(q.loop)
}

// Poke makes the queue look for due jobs. The store does it after each commit
// that brought some. It never blocks.
func (q *Queue) Poke() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Close starts no more jobs and waits for the handlers under way. When ctx ends
// first their contexts end too; what they did not finish runs again after the
// next Start of a queue over the same store.
func (q *Queue) Close(ctx context.Context) error {
	q.stopLooks()
	idle := make(chan struct{})
	go func() {
		q.done.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	q.stop()
	<-idle
	return nil
}

func (q *Queue) loop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-q.wake:
		case <-timer.C:
		case <-q.looking.Done():
			return
		}
		wait, err := q.look()
		switch {
		case q.looking.Err() != nil:
			return
		case err != nil:
			q.cfg.Logger.Error("the queue can't read its jobs", "error", err, "again_in", queue.FirstDelay)
			timer.Reset(queue.FirstDelay)
		case wait > 0:
			timer.Reset(min(wait, longestSleep))
		default:
			timer.Stop() // until somebody pokes
		}
	}
}

// look starts the jobs that are due, as far as there are workers, and returns how
// long it is until the next one is; zero = there is none to wait for.
func (q *Queue) look() (time.Duration, error) {
	// Who runs is noted before the jobs are read: a job that ends in between is
	// in the list still, and must not start again.
	q.mu.Lock()
	running := maps.Clone(q.running)
	q.behind = false
	q.mu.Unlock()
	// All that run are among the first, so one more than there are workers shows
	// whatever may start and when the next one is due.
	limit := q.cfg.Workers + 1
	jobs, err := q.cfg.Store.Jobs(q.looking, limit)
	if err != nil {
		return 0, err
	}
	now := q.cfg.Now()
	for _, job := range jobs {
		switch {
		case running[job.ID]:
		case job.Due.After(now):
			return job.Due.Sub(now), nil
		case !q.begin(job):
			return 0, nil // a worker that becomes free looks again
		}
	}
	if len(jobs) == limit {
		q.Poke() // workers became free meanwhile, and there may be more
	}
	return 0, nil
}

// begin gives the job to a worker, or notes that there is none. When the queue closes it
// begins nothing: a job that Close has just interrupted would seem to be one to start.
func (q *Queue) begin(job run.Job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.looking.Err() != nil {
		return false
	}
	if len(q.running) >= q.cfg.Workers {
		q.behind = true
		return false
	}
	q.running[job.ID] = true
	q.done.Go(func() {
		again := q.work(job)
		q.mu.Lock()
		delete(q.running, job.ID)
		again = again || q.behind
		q.mu.Unlock()
		if again {
			q.Poke()
		}
	})
	return true
}

// work runs the job's handler, stores how it ended, and reports whether the job
// will run again.
func (q *Queue) work(job run.Job) (again bool) {
	err := q.cfg.Handlers.Handle(q.ctx, job)
	if err == nil {
		q.insist(job, func(ctx context.Context) error { return q.cfg.Store.FinishJob(ctx, job.ID) })
		return false
	}
	if q.ctx.Err() != nil {
		return false // interrupted, not failed: it is as it was at the next start
	}
	delay := queue.Delay(job.Tries, err)
	q.cfg.Logger.Warn("a job failed", "kind", job.Kind, "job", job.ID, "tries", job.Tries+1, "again_in", delay, "error", err)
	due := q.cfg.Now().Add(delay)
	q.insist(job, func(ctx context.Context) error { return q.cfg.Store.RetryJob(ctx, job.ID, due) })
	return true
}

// insist stores how a job ended, however long that takes: to run it again because
// the disk is full would repeat what it does to others. Close interrupts the
// waits, not a write, for the same reason.
func (q *Queue) insist(job run.Job, write func(context.Context) error) {
	for tries := 0; ; tries++ {
		err := write(context.WithoutCancel(q.ctx))
		if err == nil {
			return
		}
		delay := queue.Delay(tries, err)
		q.cfg.Logger.Error("how a job ended can't be stored", "kind", job.Kind, "job", job.ID, "again_in", delay, "error", err)
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-q.looking.Done():
			timer.Stop()
			return // it runs again after the next start
		}
	}
}
