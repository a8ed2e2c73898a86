package engine_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// Runs of a lane come to three nodes, of which one dies or leaves in the middle, words
// between them get lost, some rest for a person: never more are at work than may, and
// all get through.
func TestClusterLaneOverDeaths(t *testing.T) {
	for seed := range uint64(18) {
		var k track
		inCluster(t, 3, k.model(), seed, func(t *testing.T, c *cluster) {
			k = track{}
			c.lossy.Store(int32(seed % 3 * 20))
			var ids []run.ID
			for i := range 12 {
				ids = append(ids, c.createOn(c.nodes[i%3], laneSpec(strconv.Itoa(i), run.Lane{Name: "robot", Max: 2})))
				c.delay(200)
			}
			switch seed % 3 {
			case 1:
				c.die(c.nodes[seed%2])
			case 2:
				c.leave(c.nodes[seed%2], time.Duration(seed%4)*time.Second)
			}
			for _, id := range ids {
				c.eventually(id, run.Completed)
			}
			if k.top > 2 {
				t.Errorf("seed %d: %d at work at once, want 2 at most", seed, k.top)
			}
			if k.top < 2 {
				t.Errorf("seed %d: the second place was never used", seed)
			}
			time.Sleep(10 * time.Second)
			c.quiet()
		})
		if t.Failed() {
			t.FailNow()
		}
	}
}

// As many as there are places are at work all the time: a place that is free on one node
// is taken on another within moments, and within two seconds if nobody hears of it.
func TestClusterLaneHandsOver(t *testing.T) {
	for lossy, within := range map[int32]time.Duration{0: 200 * time.Millisecond, 100: 2500 * time.Millisecond} {
		var k track
		inCluster(t, 2, k.model(), 3, func(t *testing.T, c *cluster) {
			k = track{}
			c.idle.Store(true) // no job helps
			c.lossy.Store(lossy)
			lane := run.Lane{Name: "robot", Max: 1}
			first := c.createOn(c.nodes[0], laneSpec("first", lane))
			second := c.createOn(c.nodes[1], laneSpec("second", lane))
			if s, err := c.nodes[1].engine.Get(t.Context(), "p", second); err != nil || s.Status != run.Queued {
				t.Errorf("the second is %s, %v", s.Status, err)
			}
			c.eventually(first, run.Completed)
			began := time.Now()
			s := c.eventually(second, run.Completed)
			if took := s.EndedAt.Sub(began); took > time.Second+within {
				t.Errorf("with %d of 100 words lost, the next ended after %v", lossy, took)
			}
			c.idle.Store(false)
		})
	}
}

// A place that is free goes to the next on the same node at once, though the store has
// said before that there is none; and it is not asked again and again meanwhile.
func TestClusterLaneKeepsStill(t *testing.T) {
	long := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		seconds, _ := strconv.Atoi(req.Messages[0].Text)
		sleep(ctx, time.Duration(seconds)*time.Second)
		return script.Say("ok"), ctx.Err()
	})
	inCluster(t, 2, long, 3, func(t *testing.T, c *cluster) {
		c.idle.Store(true)
		a, b := c.nodes[0], c.nodes[1]
		lane := run.Lane{Name: "robot", Max: 2}
		c.createOn(a, laneSpec("20", lane))
		first := c.createOn(b, laneSpec("7", lane))
		next := c.createOn(b, laneSpec("1", lane))
		time.Sleep(500 * time.Millisecond) // off the beat in which nodes look
		if n := c.store.Stats().Conflicts; n > 2 {
			t.Errorf("in half a second the store has turned %d away", n)
		}
		ended := c.eventually(first, run.Completed).EndedAt
		if took := c.eventually(next, run.Completed).EndedAt.Sub(ended); took > 1300*time.Millisecond {
			t.Errorf("the next one ended %v after the first", took)
		}
		if n := c.store.Stats().Conflicts; n > 4 {
			t.Errorf("in 8 seconds the store has turned %d away", n)
		}
		c.idle.Store(false)
	})
}

// A run that waited on another node, and has long ended, holds up nobody here.
func TestClusterLaneForgets(t *testing.T) {
	long := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		seconds, _ := strconv.Atoi(req.Messages[0].Text)
		sleep(ctx, time.Duration(seconds)*time.Second)
		return script.Say("ok"), ctx.Err()
	})
	for seed := range uint64(10) {
		inCluster(t, 2, long, seed, func(t *testing.T, c *cluster) {
			c.idle.Store(true)
			c.lossy.Store(int32(seed % 2 * 50))
			a, b := c.nodes[0], c.nodes[1]
			lane := run.Lane{Name: "robot", Max: 2}
			c.createOn(a, laneSpec("60", lane))
			c.createOn(b, laneSpec("5", lane))
			c.eventually(c.createOn(b, laneSpec("1", lane)), run.Completed)
			began := time.Now()
			last := c.eventually(c.createOn(a, laneSpec("1", lane)), run.Completed)
			if took := last.EndedAt.Sub(began); took > 2500*time.Millisecond {
				t.Errorf("seed %d: a run with a place for it took %v", seed, took)
			}
			c.idle.Store(false)
		})
	}
}

// A run that gets its place while its node looks who waits does not wait there any more.
func TestClusterLaneSeesItsOwn(t *testing.T) {
	long := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		seconds, _ := strconv.Atoi(req.Messages[0].Text)
		sleep(ctx, time.Duration(seconds)*time.Second)
		return script.Say("ok"), ctx.Err()
	})
	inCluster(t, 2, long, 1, func(t *testing.T, c *cluster) {
		c.idle.Store(true)
		lane := run.Lane{Name: "robot", Max: 2}
		var ids []run.ID
		for _, seconds := range []string{"2", "20", "90", "1"} {
			ids = append(ids, c.createOn(c.nodes[0], laneSpec(seconds, lane)))
		}
		c.watch(func(commit *run.Commit, _ *node) {
			if a := &commit.Runs[0]; a.ID == ids[2] && a.Summary.Driver != "" {
				time.Sleep(1500 * time.Millisecond) // a look comes in between
			}
		})
		second := c.eventually(ids[1], run.Completed).EndedAt
		if took := c.eventually(ids[3], run.Completed).EndedAt.Sub(second); took > 5*time.Second {
			t.Errorf("the last run ended %v after there was a place", took)
		}
		c.idle.Store(false)
	})
}

// Work that a conversation on one node starts finds no room where those of another wait.
func TestClusterLaneOfDetachedWork(t *testing.T) {
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		if req.Model == "worker" {
			sleep(ctx, 10*time.Second)
			return script.Say("Done."), ctx.Err()
		}
		return script.Call("confirm", `{"goals":"three reports"}`), ctx.Err()
	})
	inCluster(t, 2, model, 1, func(t *testing.T, c *cluster) {
		s := talk("chat/1")
		s.Tethered = false
		s.Handoffs[0].Spec.Lane = &run.Lane{Name: "robot", Max: 1, Queue: 1}
		for range 2 {
			busy := laneSpec("busy", *s.Handoffs[0].Spec.Lane)
			busy.Model = "worker"
			c.createOn(c.nodes[0], busy)
		}
		ended := c.eventually(c.createOn(c.nodes[1], s), run.Completed)
		if a := ended.Turns[0].Actions[0]; a.Outcome != run.Errored || a.Child != nil || !strings.Contains(a.Output, "as many as may") {
			t.Errorf("the handoff ended with %s %q", a.Outcome, a.Output)
		}
	})
}

// A driver whose claim did not get through asks for its place again: another may have it.
func TestClusterLaneAfterALostClaim(t *testing.T) {
	var k track
	inCluster(t, 2, k.model(), 3, func(t *testing.T, c *cluster) {
		k = track{}
		c.idle.Store(true)
		a, b := c.nodes[0], c.nodes[1]
		lane := run.Lane{Name: "robot", Max: 1}
		first := c.createOn(a, laneSpec("first", lane))
		second := c.createOn(b, laneSpec("second", lane))
		c.watch(func(commit *run.Commit, n *node) {
			if n == b && commit.Runs[0].Summary.Driver != "" {
				b.cut.Store(true)
			}
		})
		for !b.cut.Load() {
			sleep(t.Context(), time.Millisecond)
		}
		c.watch(nil)
		third := c.createOn(a, laneSpec("third", lane))
		b.cut.Store(false)
		c.idle.Store(false)
		for _, id := range []run.ID{first, second, third} {
			c.eventually(id, run.Completed)
		}
		if k.top != 1 {
			t.Errorf("%d at work at once: %s", k.top, k.said())
		}
	})
}

// A run that rests gives its place to one on another node, and waits for one to go on.
func TestClusterLaneIsLeft(t *testing.T) {
	var mu sync.Mutex
	now, top := 0, 0
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		mu.Lock()
		now++
		top = max(top, now)
		mu.Unlock()
		sleep(ctx, time.Second)
		mu.Lock()
		now--
		mu.Unlock()
		if req.Messages[0].Text == "gated" && req.Step == 1 {
			return script.Call("send", `{}`), ctx.Err()
		}
		return script.Say("ok"), ctx.Err()
	})
	for seed := range uint64(10) {
		inCluster(t, 2, model, seed, func(t *testing.T, c *cluster) {
			now, top = 0, 0
			lane := run.Lane{Name: "robot", Max: 1}
			spec := laneSpec("gated", lane)
			spec.Gates = []string{"send"}
			gated := c.createOn(c.nodes[0], spec)
			var others []run.ID
			for i := range 4 {
				others = append(others, c.createOn(c.nodes[i%2], laneSpec(strconv.Itoa(i), lane)))
			}
			c.eventually(gated, run.AwaitingApproval)
			c.decide(c.nodes[1], gated, true, "act_01")
			if _, err := c.nodes[0].engine.Cancel(t.Context(), "p", others[0], run.Cancel{}); err != nil {
				t.Error(err)
			}
			c.eventually(gated, run.Completed)
			for _, id := range others[1:] {
				c.eventually(id, run.Completed)
			}
			if top > 1 {
				t.Errorf("seed %d: %d at work at once", seed, top)
			}
			time.Sleep(10 * time.Second)
			c.quiet()
		})
	}
}

// Who waits longest goes first, more or less, on whichever node it was started: it is
// passed by others until its job has come round the nodes, with a second for each run.
func TestClusterLaneInOrder(t *testing.T) {
	for seed := range uint64(10) {
		var k track
		inCluster(t, 3, k.model(), seed, func(t *testing.T, c *cluster) {
			k = track{}
			var ids []run.ID
			for i := range 40 {
				ids = append(ids, c.createOn(c.nodes[c.dice.IntN(3)], laneSpec(strconv.Itoa(i), run.Lane{Name: "robot", Max: 1, Priority: int(seed % 3)})))
				time.Sleep(10 * time.Millisecond)
			}
			for _, id := range ids {
				c.eventually(id, run.Completed)
			}
			for at, text := range strings.Fields(k.said()) {
				if n, _ := strconv.Atoi(text); at > n+8 {
					t.Errorf("seed %d: %d came as number %d: %s", seed, n, at, k.said())
				}
			}
		})
	}
}

// Who has a higher priority goes first within a second or two, whichever node it waits
// on, and who has a lower one last.
func TestClusterLaneByPriority(t *testing.T) {
	for seed := range uint64(10) {
		var k track
		inCluster(t, 3, k.model(), seed, func(t *testing.T, c *cluster) {
			k = track{}
			var ids []run.ID
			for i, priority := range []int{5, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 9} {
				lane := run.Lane{Name: "robot", Max: 1, Priority: priority}
				ids = append(ids, c.createOn(c.nodes[c.dice.IntN(3)], laneSpec(strconv.Itoa(i), lane)))
				time.Sleep(10 * time.Millisecond)
			}
			for _, id := range ids {
				c.eventually(id, run.Completed)
			}
			order := strings.Fields(k.said())
			if at := slices.Index(order, "11"); at > 3 {
				t.Errorf("seed %d: the highest came as number %d: %s", seed, at, order)
			}
			if at := min(slices.Index(order, "1"), slices.Index(order, "2")); at < 6 {
				t.Errorf("seed %d: a low one came as number %d: %s", seed, at, order)
			}
		})
	}
}

// No more wait than may, over all nodes; what one that is turned away was to write is
// not written.
func TestClusterLaneQueueFull(t *testing.T) {
	var k track
	inCluster(t, 2, k.model(), 5, func(t *testing.T, c *cluster) {
		k = track{}
		lane := run.Lane{Name: "robot", Max: 1, Queue: 2}
		row := func(id string) []run.RowWrite {
			return []run.RowWrite{{Row: run.Row{Kind: "note", Project: "p", ID: id, Data: []byte(`{}`)}, Expect: run.MustNotExist}}
		}
		var ids []run.ID
		for i := range 3 {
			made, err := c.nodes[i%2].engine.Create(t.Context(), engine.NewRun{Spec: laneSpec(strconv.Itoa(i), lane), Rows: row(strconv.Itoa(i))})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.store.Row(t.Context(), "note", "p", strconv.Itoa(i)); err != nil {
				t.Errorf("what comes with run %d: %v", i, err)
			}
			if want := map[bool]run.Status{true: run.Running, false: run.Queued}[i == 0]; made.Status != want {
				t.Errorf("run %d is %s, want %s", i, made.Status, want)
			}
			ids = append(ids, made.ID)
		}
		for i, n := range c.nodes {
			_, err := n.engine.Create(t.Context(), engine.NewRun{Spec: laneSpec("much", lane), Rows: row("much")})
			if !problem.Is(err, problem.RateLimited) || problem.From(err).RetryAfter == 0 {
				t.Errorf("one too many on node %d: %v", i, err)
			}
		}
		if _, err := c.store.Row(t.Context(), "note", "p", "much"); !problem.Is(err, problem.NotFound) {
			t.Errorf("what came with it: %v", err)
		}
		for _, id := range ids {
			c.eventually(id, run.Completed)
		}
		if c.eventually(c.createOn(c.nodes[1], laneSpec("again", lane)), run.Completed); strings.Contains(k.said(), "much") || k.top > 1 {
			t.Errorf("at work were %s, %d at once", k.said(), k.top)
		}
	})
}

// A full queue is that of all nodes: what waits on one is not let in on another, once it
// has had a second to hear of it; and there is room again when some have ended.
func TestClusterQueueFull(t *testing.T) {
	var ends chan struct{}
	model := script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
		select {
		case <-ends:
		case <-ctx.Done():
		}
		return script.Say("ok"), ctx.Err()
	})
	inCluster(t, 0, model, 5, func(t *testing.T, c *cluster) {
		ends, c.most = make(chan struct{}), 1
		a, b := c.join(), c.join()
		c.idle.Store(true)
		var ids []run.ID
		more := func(n *node, count int) {
			for range count {
				ids = append(ids, c.createOn(n, spec()))
			}
			time.Sleep(1100 * time.Millisecond)
		}
		refused := func(n *node) error {
			_, err := n.engine.Create(t.Context(), engine.NewRun{Spec: spec()})
			if err == nil {
				t.Error("one too many was let in")
			}
			return err
		}
		more(a, 1)
		more(b, 1)
		more(a, 6)
		more(b, 4)
		for _, n := range []*node{a, b} {
			if err := refused(n); !problem.Is(err, problem.Overloaded) || problem.From(err).RetryAfter == 0 {
				t.Errorf("one too many: %v", err)
			}
		}
		other := spec()
		other.Project = "other"
		if _, err := b.engine.Create(t.Context(), engine.NewRun{Spec: other}); err != nil {
			t.Errorf("another project, for which there are places: %v", err)
		}
		c.idle.Store(false)
		close(ends)
		for _, id := range ids {
			c.eventually(id, run.Completed)
		}
		time.Sleep(1100 * time.Millisecond)
		more(a, 3)
		for _, id := range ids {
			c.eventually(id, run.Completed)
		}
	})
}
