package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// Seeds of a storm over three nodes: they die, are cut off for a while, are told to
// stop, and come again; words between them get lost; people order what they like on any
// of them, and readers wander. What holds in it is what is promised for one node, and
// that no run that needs a driver is left without one and without a job.
func TestClusterStorm(t *testing.T) {
	seeds := uint64(80)
	if testing.Short() {
		seeds = 15
	}
	for seed := range seeds {
		dice := &atomic.Pointer[dice]{}
		model := talkative(nil)
		model.Pace = func(ctx context.Context, _ run.Request, _ run.Delta) error {
			sleep(ctx, time.Duration(dice.Load().IntN(100))*time.Millisecond)
			return ctx.Err()
		}
		inCluster(t, 3, model, seed, func(t *testing.T, c *cluster) {
			dice.Store(c.dice)
			c.storm()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (c *cluster) storm() {
	c.lossy.Store(int32(c.dice.IntN(60)))
	var made sync.Map
	c.tools.behave = func(ctx context.Context, call run.ToolCall) (string, error) {
		if _, again := made.LoadOrStore(call.Run.String()+call.Action, true); again && call.Tool.Class == run.Once {
			c.t.Errorf("%s of %s was made twice: %s", call.Action, call.Run, c.log(call.Run))
		}
		if !sleep(ctx, time.Duration(c.dice.IntN(1000))*time.Millisecond) {
			return "", problem.New(problem.ToolUnknown, "cut")
		}
		return "done " + call.Action, nil
	}
	var ids []run.ID
	for range 4 {
		s := spec("send")
		if c.dice.IntN(2) == 0 {
			s.GateTimeout = 3
		}
		ids = append(ids, c.createOn(c.any(""), s))
	}
	calm := &atomic.Bool{}
	var readers sync.WaitGroup
	for _, id := range ids {
		readers.Go(func() { c.drift(id, calm) })
	}
	for range 60 {
		c.delay(500)
		c.mishap()
		if n := c.any(""); !n.cut.Load() {
			w := world{t: c.t, engine: n.engine}
			stormyCommand(&w, c.dice, ids[c.dice.IntN(len(ids))])
		}
		c.orphans()
	}
	for _, n := range c.nodes {
		if !n.dead.Load() {
			n.cut.Store(false)
		}
	}
	time.Sleep(time.Minute)
	calm.Store(true)
	c.world.engine = c.any("").engine
	for _, id := range ids {
		c.settled(id)
	}
	readers.Wait()
	time.Sleep(20 * time.Second)
	c.quiet()
}

// mishap is what befalls a node, if it does.
func (c *cluster) mishap() {
	n := c.any("")
	switch c.dice.IntN(20) {
	case 0:
		c.die(n)
		c.join()
	case 1:
		c.leave(n, time.Duration(c.dice.IntN(3000))*time.Millisecond)
		c.join()
	case 2, 3:
		n.cut.Store(true)
		time.AfterFunc(time.Duration(c.dice.IntN(12_000))*time.Millisecond, func() {
			if !n.dead.Load() {
				n.cut.Store(false)
			}
		})
	}
}

// drift reads a run's stream to its end, on any nodes: each event comes once and in
// order, and the text of each step is the reply's.
func (c *cluster) drift(id run.ID, calm *atomic.Bool) {
	at, seq, said := engine.Cursor{}, int64(0), map[int]string{}
	for range 3000 {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Duration(1+c.dice.IntN(3000))*time.Millisecond)
		for u, err := range c.any("").engine.Watch(ctx, "p", id, at) {
			if err != nil {
				if calm.Load() {
					c.t.Error(err)
				}
				break
			}
			switch {
			case u.Reset:
				said[u.Cursor.Step] = ""
			case u.Delta != nil && u.Delta.Kind == run.TextDelta:
				said[u.Cursor.Step] += u.Delta.Text
			case u.Event != nil:
				if seq++; u.Event.Seq != seq {
					c.t.Errorf("event %d came where %d was due: %s", u.Event.Seq, seq, c.log(id))
				}
				if r := u.Event.Responded; r != nil && said[r.Step] != "" && said[r.Step] != r.Reply.Text {
					c.t.Errorf("step %d reads %q, its reply is %q", r.Step, said[r.Step], r.Reply.Text)
				}
			}
			if at = u.Cursor; u.Event != nil && u.Event.Type == run.RunFinished {
				cancel()
				return
			}
		}
		cancel()
		c.delay(1000)
	}
	c.t.Errorf("the stream does not end: %s", c.log(id))
}
