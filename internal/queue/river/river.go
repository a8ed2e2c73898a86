// Package river runs jobs on many machines: what queue/local does for one, kept
// in PostgreSQL by River, which any number of nodes work on together.
//
// What it promises:
//   - A job is inserted in the transaction of the event that causes it, or not at
//     all. It runs at least once, not before it is due by the database's clock.
//     Two nodes may run it at the same time after one was thought dead: handlers
//     must bear that.
//   - A handler's error is another try, later each time and without end. Job.Tries
//     says how often it has failed. No job is ever discarded.
//   - A handler that Close interrupts has not failed: another node has the job at
//     once. What a dead node held goes on when somebody calls Takeover.
//   - A node leaves alone what it does not know: a kind of job that a newer release
//     brought waits for a node of that release.
//
// A Writer inserts and needs nothing but a transaction, so that a store can have it
// before there is anything that handles jobs. A Queue works.
//
// To change when a failed job comes back, edit queue.Delay; to change how jobs look
// in the database, edit task; to give a kind its queue or its handler, edit the
// wiring in internal/app.
package river

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"errand/internal/queue"
)

// Config is what a Queue needs. Pool, Writer and Node must be set.
type Config struct {
	// Pool connects to a database that Migrate has prepared. One connection is kept
	// for listening; the others are used for moments.
	Pool   *pgxpool.Pool
	Writer *Writer
	// Node names this process among all that ever ran on the database; at most 100
	// characters. Takeover is told of it.
	Node     string
	Handlers queue.Handlers
	// Workers is how many jobs of a queue this node does at once, by the queue's
	// name. A queue that is missing gets 16, one with 0 is left to other nodes. It is
	// an error to name one to which no kind in Handlers goes.
	Workers map[string]int
	Logger  *slog.Logger // nil = none
	// Poll is how often the node looks for jobs that are due in each of its queues,
	// which bounds how late a job is; 0 = a second. New jobs are told of besides.
	Poll time.Duration
}

const (
	// defaultWorkers is for queues of which nobody says anything: handlers mostly
	// wait for others, so a few more than there are cores.
	defaultWorkers = 16
	// defaultPoll keeps deadlines to the second, at the price of one small query
	// for each queue.
	defaultPoll = time.Second
	// cooldown is the shortest time between two looks into a queue, which bounds
	// how many jobs a node takes in a second: workers / cooldown.
	cooldown = 20 * time.Millisecond
	// keepDone is how long a row outlives its job. Nobody asks for it; a minute
	// keeps the table small and lets an operator see what just happened.
	keepDone = time.Minute
	// rescueAfter is the last net, below Takeover: a job that has been running this
	// long is given to somebody else as well. Runs may take hours.
	rescueAfter = 24 * time.Hour
)

// Queue works on jobs. Make one with New, call Start, and Close at the end.
type Queue struct {
	cfg    Config
	client *river.Client[pgx.Tx] // nil when this node works on no queue
	teller *teller
	clock  *clock
}

// New returns a queue that runs nothing yet.
func New(cfg Config) (*Queue, error) {
	if cfg.Pool == nil || cfg.Writer == nil || cfg.Node == "" {
		return nil, errors.New("making the queue: Pool, Writer and Node must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	q := &Queue{cfg: cfg, teller: newTeller(cfg.Pool, cfg.Writer, cfg.Logger), clock: &clock{now: cfg.Writer.now}}
	queues, err := q.queues()
	if err != nil {
		return nil, err
	}
	if len(queues) == 0 {
		return q, nil
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{handlers: cfg.Handlers, log: cfg.Logger}); err != nil {
		return nil, fmt.Errorf("making the queue: %w", err)
	}
	q.client, err = river.NewClient(riverpgxv5.New(cfg.Pool), &river.Config{
		ID: cfg.Node, Queues: queues, Workers: workers, Logger: calm(cfg.Logger),
		FetchCooldown: min(cooldown, cfg.Poll), FetchPollInterval: cfg.Poll,
		// A run takes as long as it takes; its limits are its own.
		JobTimeout: -1, RescueStuckJobsAfter: rescueAfter,
		MaxAttempts: maxAttempts, RetryPolicy: hourly{q.clock},
		CompletedJobRetentionPeriod: keepDone,
		// Neither happens but by somebody's hand, who may want it undone.
		CancelledJobRetentionPeriod: -1, DiscardedJobRetentionPeriod: -1,
		Test: river.TestConfig{Time: q.clock}, // its name: nothing here is a test
	})
	if err != nil {
		return nil, fmt.Errorf("making the queue: %w", err)
	}
	return q, nil
}

// queues are those that this node works on: where it knows a kind of job, and is
// not told to leave it to others. A limit for any other queue is a slip: the jobs
// that it was meant for would go unlimited.
func (q *Queue) queues() (map[string]river.QueueConfig, error) {
	known, queues := map[string]bool{}, map[string]river.QueueConfig{}
	for kind := range q.cfg.Handlers {
		name := q.cfg.Writer.routes.Queue(kind)
		known[name] = true
		count, said := q.cfg.Workers[name]
		if !said {
			count = defaultWorkers
		}
		if count > 0 {
			queues[name] = river.QueueConfig{MaxWorkers: count}
		}
	}
	for name := range q.cfg.Workers {
		if !known[name] {
			return nil, fmt.Errorf("making the queue: workers are named for %q, and no handler is for jobs that go there", name)
		}
	}
	return queues, nil
}

// Start begins with the jobs that are due. What an earlier process of the same name
// was doing is done again. It returns when the database has answered.
func (q *Queue) Start(ctx context.Context) error {
	if _, err := q.Takeover(ctx, q.cfg.Node); err != nil {
		return err
	}
	if err := q.clock.start(ctx, q.cfg.Pool, q.cfg.Logger); err != nil {
		return fmt.Errorf("reading the database's clock: %w", err)
	}
	if q.client != nil {
		// The jobs outlive ctx: Close ends them.
		if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
			q.clock.close()
			return fmt.Errorf("starting the queue: %w", err)
		}
	}
	q.teller.start()
	return nil
}

// Poke tells all nodes of the jobs that the Writer has inserted lately. The store
// does it after each commit that brought some: without it they are found at the
// next poll. It never blocks.
func (q *Queue) Poke() { q.teller.poke() }

// Rest starts no more jobs; the returned function waits for the handlers under way, as
// Close does. Others still hear of the jobs that this node inserts, until Close.
func (q *Queue) Rest(ctx context.Context) (wait func() error) {
	if q.client == nil {
		return func() error { return nil }
	}
	stopped := make(chan error, 1)
	go func() { stopped <- q.client.Stop(ctx) }()
	return func() error {
		if err := <-stopped; err == nil {
			return nil
		}
		if err := q.client.StopAndCancel(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("stopping the queue: %w", err)
		}
		return nil
	}
}

// Close starts no more jobs and waits for the handlers under way. When ctx ends
// first their contexts end too; what they did not finish is at once for others.
func (q *Queue) Close(ctx context.Context) error {
	defer q.clock.close()
	defer q.teller.close()
	return q.Rest(ctx)()
}
