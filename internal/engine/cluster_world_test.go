package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/queue/local"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// cluster is several engines over one store, with a bus between them that may lose,
// delay and repeat what it carries, leases that run out, and one queue of jobs.
type cluster struct {
	*world // its engine is the first node's
	dice   *dice
	lossy  atomic.Int32             // of a hundred words, how many are lost; as many come twice
	browse func(*node, string) bool // which node drives which class; nil = each drives all
	class  func(*run.Spec) string   //
	words  atomic.Int64             // told
	told   func([]byte)
	answer atomic.Int32                             // milliseconds until a commit is answered, at the most
	idle   atomic.Bool                              // no job is done
	check  atomic.Pointer[func(*run.Commit, *node)] // hears of each commit before it is written
	wrote  func(*run.Commit, *node)                 // … and after
	most   int                                      // MaxActive
	retry  func(error, int) (bool, time.Duration)

	mu     sync.Mutex
	nodes  []*node
	living map[string]time.Time // when each lease runs out
	made   int                  // names
	jobs   *local.Queue
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// node is an engine and its wires.
type node struct {
	*memory.Store
	c       *cluster
	engine  *engine.Engine
	name    atomic.Pointer[string]
	renewed atomic.Pointer[time.Time]
	cut     atomic.Bool // from the store, from the bus, and from the leases
	asleep  atomic.Bool // it renews no lease
	leaving atomic.Bool // it takes no jobs any more
	dead    atomic.Bool // for good
	ctx     context.Context
	kill    context.CancelFunc
}

var errCut = errors.New("no route to host")

func (n *node) Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error) {
	n.c.delay(5)
	if n.cut.Load() {
		return nil, errCut
	}
	return n.Store.Load(ctx, id, after, limit)
}

func (n *node) Summary(ctx context.Context, id run.ID) (run.Summary, error) {
	n.c.delay(5)
	if n.cut.Load() {
		return run.Summary{}, errCut
	}
	return n.Store.Summary(ctx, id)
}

func (n *node) Row(ctx context.Context, kind, project, id string) (run.Row, error) {
	if n.cut.Load() {
		return run.Row{}, errCut
	}
	return n.Store.Row(ctx, kind, project, id)
}

// watch has a story hear of each commit before it is written; nil = no more.
func (c *cluster) watch(check func(*run.Commit, *node)) {
	if check == nil {
		c.check.Store(nil)
		return
	}
	c.check.Store(&check)
}

func (n *node) Submit(c run.Commit, done func(error)) {
	for i := range c.Runs {
		if c.Runs[i].Epoch != 0 && !n.alive() {
			n.c.t.Errorf("a driver appends whose node is not alive to the others: %v", c.Runs[i].Events)
		}
	}
	go func() {
		n.c.delay(20)
		if check := n.c.check.Load(); check != nil {
			(*check)(&c, n)
		}
		if n.cut.Load() {
			done(errCut)
			return
		}
		n.Store.Submit(c, func(err error) {
			go func() {
				if err == nil {
					n.c.tell(n, &c)
				}
				if err == nil && n.c.wrote != nil {
					n.c.wrote(&c, n)
				}
				n.c.delay(max(int(n.c.answer.Load()), 20))
				if n.cut.Load() {
					err = errCut // the answer is lost
				}
				done(err)
			}()
		})
	}()
}

func (n *node) seqs(ctx context.Context, ids []run.ID) (map[run.ID]int64, error) {
	found := map[run.ID]int64{}
	for _, id := range ids {
		line, err := n.Summary(ctx, id)
		if err == nil {
			found[id] = line.Seq
		} else if !problem.Is(err, problem.NotFound) {
			return nil, err
		}
	}
	return found, nil
}

func (n *node) places(ctx context.Context, lanes []run.LaneID) (map[run.LaneID]run.Places, error) {
	n.c.delay(5)
	if n.cut.Load() {
		return nil, errCut
	}
	return n.Store.Places(ctx, lanes)
}

func (n *node) waiting(ctx context.Context) (map[string]int, error) {
	if n.cut.Load() {
		return nil, errCut
	}
	return n.Store.Waiting(ctx)
}

func (n *node) alive() bool { return time.Since(*n.renewed.Load()) < 3*time.Second }

// inCluster runs a test in virtual time over some engines.
func inCluster(t *testing.T, nodes int, models engine.Models, seed uint64, test func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{
			world: &world{t: t, tools: newLedger(), models: models},
			dice:  &dice{rand: rand.New(rand.NewPCG(seed, 9))}, living: map[string]time.Time{}, most: 20,
		}
		c.store = memory.New(memory.Config{Now: time.Now, Refuse: c.lawful})
		ctx, stop := context.WithCancel(t.Context())
		c.stop = stop
		for range nodes {
			c.join()
		}
		if nodes > 0 {
			c.world.engine = c.nodes[0].engine
		}
		c.jobs = local.New(local.Config{Store: c.store, Now: time.Now, Workers: 64, Handlers: map[string]func(context.Context, run.Job) error{
			engine.AdvanceJob: c.advance(engine.AdvanceJob), engine.AdvanceKind("browser"): c.advance("browser"),
			engine.DeadlineJob: func(ctx context.Context, job run.Job) error {
				return c.any("").engine.Deadline(ctx, job)
			},
		}})
		c.jobs.Start()
		c.done.Go(func() { c.keep(ctx) })
		defer c.close()
		test(t, c)
	})
}

// lawful checks each commit directly before it is written: only who may drive a run
// does, and nobody takes it from another node that has it.
func (c *cluster) lawful(commit *run.Commit) error {
	for i := range commit.Runs {
		a := &commit.Runs[i]
		line, err := c.store.Summary(context.Background(), a.ID)
		if err != nil || a.Epoch == 0 || line.Seq != a.Expected || len(a.Events) == 0 {
			continue
		}
		driven := slices.ContainsFunc(a.Events, func(e run.Event) bool { return e.Type == run.RunDriven })
		lapsed := slices.ContainsFunc(a.Events, func(e run.Event) bool { return e.Type == run.ApprovalExpired })
		switch {
		case driven && line.Driver != "" && line.Driver != a.Summary.Driver && a.Summary.Driver != "":
			c.t.Errorf("%q takes a run that %q drives: %s", a.Summary.Driver, line.Driver, c.log(a.ID))
		case !driven && line.Epoch == a.Epoch && line.Driver == "" && !lapsed:
			c.t.Errorf("a driver appends %s that has let the run go: %s", a.Events[0].Type, c.log(a.ID))
		}
	}
	return nil
}

func (c *cluster) close() {
	gone, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, n := range c.nodes {
		n.kill()
	}
	c.jobs.Close(gone)
	for _, n := range c.nodes {
		n.engine.Close(gone)
	}
	c.stop()
	c.done.Wait()
	time.Sleep(2 * time.Hour)
	c.store.Close()
}

// join adds a node.
func (c *cluster) join() *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := &node{Store: c.store, c: c}
	n.ctx, n.kill = context.WithCancel(context.Background())
	name := c.register(n)
	retry := c.retry
	if retry == nil {
		retry = func(error, int) (bool, time.Duration) { return true, time.Second }
	}
	n.engine = engine.New(engine.Config{
		Log: n, Rows: n, Models: c.models, Tools: c.tools, Now: time.Now, MaxActive: c.most, Retry: retry,
		Cluster: &engine.Cluster{
			Node: name, Alive: n.alive, Seqs: n.seqs, Places: n.places, Waiting: n.waiting,
			Class: func(s *run.Spec) string {
				if c.class == nil {
					return ""
				}
				return c.class(s)
			},
			Works: func(class string) bool { return c.browse == nil || c.browse(n, class) },
			Tell: func(word []byte) {
				c.words.Add(1)
				if c.told != nil {
					c.told(word)
				}
				c.post(n, func(other *node) { other.engine.Hear(word) })
			},
		},
	})
	n.engine.Start(c.t.Context())
	c.nodes = append(c.nodes, n)
	return n
}

// register gives a node a name and a lease. The lock is held.
func (c *cluster) register(n *node) string {
	c.made++
	name, now := fmt.Sprintf("node%d", c.made), time.Now()
	n.name.Store(&name)
	n.renewed.Store(&now)
	c.living[name] = now.Add(4 * time.Second)
	return name
}

// delay holds something up by up to so many milliseconds.
func (c *cluster) delay(most int) { time.Sleep(time.Duration(c.dice.IntN(most)) * time.Millisecond) }

// tell is what the store tells the other nodes after a commit.
func (c *cluster) tell(from *node, commit *run.Commit) {
	for i := range commit.Runs {
		a := &commit.Runs[i]
		c.post(from, func(other *node) { other.engine.Heard(a.ID, a.Expected+int64(len(a.Events))) })
	}
}

// post brings a word to all others, or not, or twice.
func (c *cluster) post(from *node, bring func(*node)) {
	c.mu.Lock()
	others := slices.Clone(c.nodes)
	c.mu.Unlock()
	for _, other := range others {
		if other == from || from.cut.Load() {
			continue
		}
		times := 1
		switch lossy := int(c.lossy.Load()); {
		case c.dice.IntN(100) < lossy:
			times = 0
		case c.dice.IntN(100) < lossy:
			times = 2
		}
		for range times {
			wait := time.Duration(c.dice.IntN(30)) * time.Millisecond
			time.AfterFunc(wait, func() {
				if !other.cut.Load() {
					bring(other)
				}
			})
		}
	}
}

// keep renews leases, and takes the runs of nodes whose lease has run out.
func (c *cluster) keep(ctx context.Context) {
	for sleep(ctx, time.Second) {
		c.mu.Lock()
		for _, n := range c.nodes {
			if n.cut.Load() || n.dead.Load() || n.asleep.Load() {
				continue
			}
			if _, lives := c.living[*n.name.Load()]; lives {
				now := time.Now()
				n.renewed.Store(&now)
				c.living[*n.name.Load()] = now.Add(4 * time.Second)
			} else {
				n.engine.Evict(c.register(n))
			}
		}
		for name, until := range c.living {
			if time.Since(until) > time.Second {
				delete(c.living, name)
			}
		}
		living := maps.Clone(c.living)
		c.mu.Unlock()
		c.takeOver(living)
	}
}

// takeOver takes away the runs of nodes that do not live.
func (c *cluster) takeOver(living map[string]time.Time) {
	c.store.Recent(context.Background(), time.Time{}, func(line *run.Summary) {
		if _, lives := living[line.Driver]; line.Driver == "" || lives {
			return
		}
		freed := *line
		freed.Driver = ""
		job := &run.Job{Kind: engine.AdvanceJob, Run: line.ID, Due: time.Now()}
		c.store.Append(context.Background(), run.Commit{Runs: []run.Append{{ // if it fails, the next round sees the run again
			ID: line.ID, Epoch: line.Epoch, Expected: line.Seq, Summary: freed, Orphan: job,
		}}})
	})
}

// any is some node that works for the class.
func (c *cluster) any(class string) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	var able []*node
	for _, n := range c.nodes {
		if !n.dead.Load() && !n.leaving.Load() && (c.browse == nil || class != "browser" || c.browse(n, class)) {
			able = append(able, n)
		}
	}
	return able[c.dice.IntN(len(able))]
}

// advance performs an advance job on some node, until that dies.
func (c *cluster) advance(class string) func(context.Context, run.Job) error {
	return func(ctx context.Context, job run.Job) error {
		if c.idle.Load() {
			p := problem.New(problem.Overloaded, "The queue is slow.")
			p.RetryAfter = time.Second
			return p
		}
		n := c.any(class)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(n.ctx, cancel)()
		c.delay(30)
		return n.engine.Advance(ctx, job)
	}
}

// die ends a node as kill -9 does.
func (c *cluster) die(n *node) {
	n.cut.Store(true)
	n.dead.Store(true)
	n.kill()
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	n.engine.Close(gone)
}

// leave ends a node as SIGTERM does, with so much patience for calls under way.
func (c *cluster) leave(n *node, patience time.Duration) {
	gone, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	n.leaving.Store(true)
	n.kill() // its queue stops first
	n.engine.Close(gone)
	n.cut.Store(true)
	n.dead.Store(true)
	c.mu.Lock()
	delete(c.living, *n.name.Load())
	c.mu.Unlock()
}

// orphans checks what always holds: a run that needs a driver has one who lives, or may
// be found not to, or a job that asks for one.
func (c *cluster) orphans() {
	c.t.Helper()
	jobs, _ := c.store.Jobs(context.Background(), 0)
	c.store.Recent(context.Background(), time.Time{}, func(line *run.Summary) {
		asked := slices.ContainsFunc(jobs, func(job run.Job) bool {
			return job.Run == line.ID && (job.Kind == engine.AdvanceJob || job.Kind == engine.AdvanceKind("browser"))
		})
		now, _ := c.store.Summary(context.Background(), line.ID)
		if now.Live && now.Driver == "" && !asked && now.Seq == line.Seq {
			c.t.Errorf("nobody drives %s (%s), and nobody is asked to: %s", line.ID, now.Status, c.log(line.ID))
		}
	})
}

// quiet checks what holds when nothing happens any more.
func (c *cluster) quiet() {
	c.t.Helper()
	c.orphans()
	c.store.Recent(context.Background(), time.Time{}, func(line *run.Summary) {
		drives := ""
		for _, n := range c.nodes {
			if !n.dead.Load() && n.engine.Drives(line.ID) {
				drives += *n.name.Load()
			}
		}
		if line.Driver != drives {
			c.t.Errorf("the line of %s (%s) says that %q drives it, and %q does: %s", line.ID, line.Status, line.Driver, drives, c.log(line.ID))
		}
	})
}

// eventually waits until the run has the status, wherever it is driven.
func (c *cluster) eventually(id run.ID, want run.Status) run.State {
	c.t.Helper()
	var s run.State
	for range 1200 {
		s = run.Fold(id, c.events(id))
		if s.Status == want {
			return s
		}
		time.Sleep(100 * time.Millisecond)
		c.orphans()
	}
	c.t.Fatalf("the run is %s, want %s: %s", s.Status, want, c.log(id))
	return s
}

// decide approves or rejects on a node, as often as it takes.
func (c *cluster) decide(n *node, id run.ID, approve bool, actions ...string) {
	c.t.Helper()
	if _, err := n.engine.Decide(c.t.Context(), "p", id, engine.Decision{Actions: actions, Approve: approve}); err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) createOn(n *node, s run.Spec) run.ID {
	c.t.Helper()
	state, err := n.engine.Create(c.t.Context(), engine.NewRun{Spec: s})
	if err != nil {
		c.t.Fatal(err)
	}
	return state.ID
}

// driver is the node that the run's line names.
func (c *cluster) driver(id run.ID) *node {
	line, _ := c.store.Summary(context.Background(), id)
	for _, n := range c.nodes {
		if *n.name.Load() == line.Driver {
			return n
		}
	}
	return nil
}
