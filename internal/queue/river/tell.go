package river

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// News of jobs are sent after the commit that brought them, from here, and not by
// River in the event's transaction: a transaction that notifies takes a lock, until
// it is on disk, that all others with notifications wait for.
const (
	// tellEvery is how long news wait for company.
	tellEvery = 5 * time.Millisecond
	// freshFor is how long after its insertion a job may be committed and still be
	// told of. What takes longer is found at the next poll.
	freshFor = 500 * time.Millisecond
	// tellWithin bounds one notification, for a server that does not answer.
	tellWithin = 5 * time.Second
)

// tell is a notification as River's clients listen for it, for several queues. It is
// gone anyway if the server crashes, so nobody waits for the disk.
const tell = `SELECT set_config('synchronous_commit', 'off', true),
	pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text) FROM unnest($1::text[]) AS queue`

// news notes which queues got jobs that are due. The zero value has none.
type news struct {
	mu  sync.Mutex
	got map[string]time.Time // the queue's last job
}

func (n *news) note(queue string, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.got == nil {
		n.got = map[string]time.Time{}
	}
	n.got[queue] = at
}

// queues returns who got some lately. They stay for a while, because who asks does
// not know whether all of them are committed yet.
func (n *news) queues(now time.Time) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := slices.Sorted(maps.Keys(n.got))
	maps.DeleteFunc(n.got, func(_ string, at time.Time) bool { return now.Sub(at) > freshFor })
	return all
}

// teller tells all nodes of new jobs, when it is poked.
type teller struct {
	pool   *pgxpool.Pool
	writer *Writer
	log    *slog.Logger
	wake   chan struct{}
	ctx    context.Context
	stop   context.CancelFunc
	done   sync.WaitGroup
}

func newTeller(pool *pgxpool.Pool, writer *Writer, log *slog.Logger) *teller {
	t := &teller{pool: pool, writer: writer, log: log, wake: make(chan struct{}, 1)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

func (t *teller) start() { t.done.Go(t.loop) }

func (t *teller) close() {
	t.stop()
	t.done.Wait()
}

func (t *teller) poke() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *teller) loop() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-t.wake:
		case <-t.ctx.Done():
			return
		}
		pause.Reset(tellEvery)
		select {
		case <-pause.C:
		case <-t.ctx.Done():
			return
		}
		if queues := t.writer.news.queues(t.writer.now()); len(queues) > 0 {
			t.tell(queues)
		}
	}
}

// tell sends the news. Those that don't arrive delay and lose nothing, so that a
// server that is away is not worth a line for each: whoever writes to it says so.
func (t *teller) tell(queues []string) {
	ctx, cancel := context.WithTimeout(t.ctx, tellWithin)
	defer cancel()
	if _, err := t.pool.Exec(ctx, tell, queues); err != nil && t.ctx.Err() == nil {
		t.log.Debug("news of jobs were not sent", "queues", queues, "error", err)
	}
}
