package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/file"
	"errand/internal/node"
	"errand/internal/queue/local"
	"errand/internal/queue/river"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/schedule"
	"errand/internal/store/postgres"
	"errand/internal/webhook"
)

// performer works on jobs: queue/local's for one node alone, River's for several.
type performer interface {
	// Start begins; handlers may be called before it returns.
	Start(ctx context.Context) error
	// Close starts no more jobs, and waits for those under way until ctx ends.
	Close(ctx context.Context) error
}

// alone performs the jobs of the one node that a SQLite database has.
type alone struct{ *local.Queue }

// Start begins.
func (q alone) Start(context.Context) error {
	q.Queue.Start()
	return nil
}

func (a *assembly) performer() performer {
	if a.cluster != nil {
		return a.cluster
	}
	return alone{local.New(local.Config{Store: a.store, Now: a.now, Logger: a.logger, Handlers: a.handlers(), Workers: workers})}
}

// browserClass is the class of runs that need a browser, which not every node has.
const browserClass = "browser"

// classOf is the class of runs that a run belongs to, fixed with its spec.
func classOf(s *run.Spec) string {
	for i := range s.Tools {
		if strings.HasPrefix(s.Tools[i].Name, "browser.") {
			return browserClass
		}
	}
	return ""
}

// jobRoutes say which of River's queues a kind of job goes to. Kinds that are not here
// have queues of their own; see river.Routes before changing this.
func jobRoutes() river.Routes {
	routes := river.Routes{engine.AdvanceJob: river.Runs, engine.AdvanceKind(browserClass): river.Browsers}
	for _, kind := range []string{webhook.SendJob, webhook.WakeJob, robot.SendJob} {
		routes[kind] = river.Webhooks
	}
	for _, kind := range []string{
		engine.DeadlineJob, engine.BudgetJob, auth.RaisedJob, webhook.FanJob, robot.SettleJob, file.ExpireJob,
		schedule.FireJob, schedule.EndJob, schedule.DrainJob, schedule.FollowJob,
	} {
		routes[kind] = river.Timers
	}
	return routes
}

// cluster is what makes this server one of several over one PostgreSQL.
type cluster struct {
	a      *assembly
	store  *postgres.Store
	writer *river.Writer
	leases *postgres.Leases
	node   *node.Keeper
	shares *auth.Shares
	heed   heed
	echo   echo
	engine atomic.Pointer[engine.Engine]

	ctx context.Context // ends when no more jobs are to be begun
	end context.CancelFunc

	mu    sync.Mutex // guards what follows: it is made anew when the node gets another name
	queue *river.Queue
}

// openCluster opens the PostgreSQL that the settings name, with River's tables in it.
func (a *assembly) openCluster(ctx context.Context) (*cluster, error) {
	c := &cluster{a: a}
	c.ctx, c.end = context.WithCancel(context.Background())
	var err error
	if c.writer, err = river.NewWriter(jobRoutes(), a.now, a.logger); err != nil {
		return nil, err
	}
	c.store, err = postgres.Open(ctx, postgres.Config{
		DSN: a.cfg.Store.Reveal(), Now: a.now, Logger: a.logger, Wrote: a.metrics.Wrote, Jobs: c.writer.Insert, Queue: c.writer, Heard: c.heard, Missed: c.echo.missed, Hear: c.hear,
	})
	if err != nil {
		return nil, err
	}
	if err = river.Migrate(ctx, c.store.Pool(), a.logger); err == nil {
		c.leases, err = c.store.Leases(ctx, engine.AdvanceJob)
	}
	if err != nil {
		c.end()
		return nil, errors.Join(err, c.store.Close())
	}
	c.node = node.New(node.Config{
		Nodes: c.leases, Now: a.now, Address: whereabouts(a.cfg.Addr), Version: version(), Logger: a.logger, Dead: c.dead, Renamed: c.renamed,
	})
	return c, nil
}

// whereabouts say where a node is, to people who look at the list of nodes: all may
// listen on the same address, each on its own machine.
func whereabouts(addr string) string {
	machine, err := os.Hostname()
	if err != nil {
		return addr
	}
	return machine + " " + addr
}

// forEngine is what the engine needs to be one of several.
func (c *cluster) forEngine() *engine.Cluster {
	if c == nil {
		return nil
	}
	return &engine.Cluster{
		Node: c.node.Name(), Alive: c.node.Alive, Class: classOf, Works: c.works, Tell: c.store.Tell, Seqs: c.store.Seqs, Places: c.store.Places,
		Waiting: c.store.Waiting,
	}
}

// quota counts requests over all nodes; nil = there is one alone.
func (c *cluster) quota() wire.Quota {
	if c == nil {
		return nil
	}
	return c.store
}

// works reports whether this node drives runs of the class.
func (c *cluster) works(class string) bool {
	if class == browserClass {
		return c.a.cfg.Works(river.Browsers)
	}
	return c.a.cfg.Works(river.Runs)
}

func (c *cluster) heard(id run.ID, seq int64) {
	if e := c.engine.Load(); e != nil {
		e.Heard(id, seq)
	}
	c.echo.heard(id)
}

func (c *cluster) hear(word []byte) {
	if e := c.engine.Load(); e != nil {
		e.Hear(word)
	}
}

// Start joins the other nodes: from here on this one drives runs and performs jobs.
func (c *cluster) Start(ctx context.Context) error {
	c.engine.Store(c.a.engine)
	c.echo.start(c.a.store)
	if err := c.node.Start(ctx); err != nil {
		return err
	}
	c.shares.Start(ctx)
	c.heed.start(ctx, c.a)
	return c.perform(ctx, c.node.Name())
}

// perform begins to work on jobs under a node's name.
func (c *cluster) perform(ctx context.Context, name string) error {
	queue, err := river.New(river.Config{
		Pool: c.store.Pool(), Writer: c.writer, Node: name, Handlers: c.handlers(), Workers: c.workers(), Logger: c.a.logger,
	})
	if err != nil {
		return fmt.Errorf("making the queue: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil
	}
	if err := queue.Start(ctx); err != nil {
		return fmt.Errorf("starting the queue: %w", err)
	}
	c.queue = queue
	c.store.OnJobs(queue.Poke)
	return nil
}

func (c *cluster) handlers() map[string]func(context.Context, run.Job) error {
	all := c.a.handlers()
	all[engine.AdvanceJob], all[engine.AdvanceKind(browserClass)] = c.a.engine.Advance, c.a.engine.Advance
	return all
}

// workers is how much this node does at once: it stays with a run that it drives for
// as long as the run goes on, so there is a worker for each.
func (c *cluster) workers() map[string]int {
	most := map[string]int{river.Runs: c.a.mostActive(), river.Browsers: c.a.mostActive(), river.Webhooks: workers, river.Timers: workers}
	for queue := range most {
		if !c.a.cfg.Works(queue) {
			most[queue] = 0
		}
	}
	return most
}

// dead frees the jobs of a node that is about to be buried. What it committed last it
// may not have told anybody.
func (c *cluster) dead(ctx context.Context, name string) error {
	c.shares.Missing(name)
	c.store.Miss()
	c.echo.missed()
	c.mu.Lock()
	queue := c.queue
	c.mu.Unlock()
	if queue == nil {
		// Not to be buried by this one: nobody else would free its jobs then.
		return errors.New("this node works on no jobs now")
	}
	_, err := queue.Takeover(ctx, name)
	return err
}

const (
	// leaving is how long jobs under way may take to end when the node loses its name.
	leaving = 5 * time.Second
	// performAgain is the wait before jobs are begun with once more.
	performAgain = time.Second
)

// renamed goes on under another name, because the others have declared this node dead.
// The database that this was learned from may be gone again: until it lets the node
// work on jobs, the node does not join the others.
func (c *cluster) renamed(name string) {
	c.a.engine.Evict(name)
	c.shares.Restart()
	if err := c.limited(c.closeQueue); err != nil {
		c.a.logger.Warn("jobs of the node that this one was did not end in time", "error", err)
	}
	for c.ctx.Err() == nil {
		err := c.limited(func(ctx context.Context) error { return c.perform(ctx, name) })
		if err == nil {
			return
		}
		c.a.logger.Warn("this node can't work on jobs now; trying again", "node", name, "error", err)
		select {
		case <-time.After(performAgain):
		case <-c.ctx.Done():
		}
	}
}

// limited gives one part of leaving a name its time.
func (c *cluster) limited(part func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), leaving)
	defer cancel()
	return part(ctx)
}

func (c *cluster) closeQueue(ctx context.Context) error {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	if queue == nil {
		return nil
	}
	return queue.Close(ctx)
}

// quiesce begins no more jobs and lets those under way end, until ctx ends. The
// returned function waits for them. What the node's drivers let go of meanwhile is
// for others: the jobs that ask for new drivers would otherwise come back to it.
func (c *cluster) quiesce(ctx context.Context) (wait func() error) {
	if c == nil {
		return func() error { return nil }
	}
	c.end()
	c.mu.Lock()
	queue := c.queue
	c.mu.Unlock()
	if queue == nil {
		return func() error { return nil }
	}
	return queue.Rest(ctx)
}

// farewell is how long the others are tried to be told that this node leaves. It is
// not part of the time that calls have: they may have used all of it.
const farewell = 2 * time.Second

// Close ends the jobs and leaves the other nodes, who take over at once what this one
// still has.
func (c *cluster) Close(ctx context.Context) error {
	c.end()
	err := c.closeQueue(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	c.heed.close()
	err = errors.Join(err, c.shares.Close(ctx), c.node.Close(ctx))
	c.echo.stop()
	return err
}

// hangUp lets go of the connections that are not the store's own.
func (c *cluster) hangUp() { c.leases.Close() }
