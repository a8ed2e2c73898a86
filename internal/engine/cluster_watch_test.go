package engine_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// Whoever waits on one node for a run that was approved on another does not hear how it
// stood before, although that node knows it well and has had no word.
func TestClusterWaitIsFresh(t *testing.T) {
	for seed := range uint64(100) {
		inCluster(t, 2, script.Steps(script.Call("send", `{}`), script.Say("ok")), seed, func(t *testing.T, c *cluster) {
			c.lossy.Store(100)
			a, b := c.nodes[0], c.nodes[1]
			reading, stop := context.WithCancel(t.Context())
			defer stop()
			approved := make(chan struct{})
			c.wrote = func(commit *run.Commit, n *node) {
				if n == a && commit.Runs[0].Summary.Pending > 0 {
					go func() { // its driver has not heard yet that it has come to rest
						c.delay(40)
						b.engine.Decide(t.Context(), "p", commit.Runs[0].ID, engine.Decision{Actions: []string{"act_01"}, Approve: true})
						close(approved)
					}()
				}
			}
			id := c.createOn(a, spec("send"))
			go func() {
				for range a.engine.Watch(reading, "p", id, engine.Cursor{}) {
				}
			}()
			<-approved
			if s, err := a.engine.Wait(t.Context(), "p", id); err != nil || s.Status != run.Completed {
				t.Errorf("seed %d: it waits for %s, %v", seed, s.Status, err)
			}
		})
		if t.Failed() {
			t.FailNow()
		}
	}
}

// The node on which a run is approved goes on with it at once, however slow the queue.
func TestClusterWakesItself(t *testing.T) {
	inCluster(t, 2, script.Steps(script.Call("send", `{}`), script.Say("ok")), 1, func(t *testing.T, c *cluster) {
		id := c.createOn(c.nodes[0], spec("send"))
		c.eventually(id, run.AwaitingApproval)
		c.idle.Store(true)
		c.decide(c.nodes[1], id, true, "act_01")
		time.Sleep(300 * time.Millisecond)
		if s := run.Fold(id, c.events(id)); s.Status != run.Completed {
			t.Errorf("the run is %s", s.Status)
		}
		c.idle.Store(false)
		time.Sleep(10 * time.Second)
		c.quiet()
	})
}

// What a reader on another node has seen of a reply can't be taken back by a failure,
// as if nobody had.
func TestClusterSeenIsSeen(t *testing.T) {
	for watched, want := range map[bool]run.Status{true: run.FailedStatus, false: run.Completed} {
		lost := problem.New(problem.ModelGarbled, "It broke off.")
		model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
			broken := script.Say("one two three four")
			if req.Attempt == 1 {
				broken.Deltas, broken.Err = script.Deltas(broken.Reply), lost
			}
			return broken, nil
		})
		model.Pace = slowly().Pace
		inCluster(t, 2, model, 1, func(t *testing.T, c *cluster) {
			id := c.createOn(c.nodes[0], spec())
			if watched {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				go func() {
					for range c.nodes[1].engine.Watch(ctx, "p", id, engine.Cursor{}) {
					}
				}()
			}
			c.eventually(id, want)
		})
	}
}

// A draft is sent only when what precedes it is on disk, and no longer than somebody
// reads it.
func TestClusterDraftIsAsked(t *testing.T) {
	inCluster(t, 2, slowly(script.Say(strings.Repeat("word ", 60))), 1, func(t *testing.T, c *cluster) {
		a, b := c.nodes[0], c.nodes[1]
		c.watch(func(commit *run.Commit, n *node) {
			if has(commit, run.RunCreated) {
				time.Sleep(3 * time.Second)
			}
		})
		c.told = func(said []byte) {
			var w struct {
				Run   run.ID
				After int64
				Text  string
			}
			if err := json.Unmarshal(said, &w); err != nil || len(said) > 7000 {
				t.Errorf("a word of %d bytes: %v", len(said), err)
			}
			if line, _ := c.store.Summary(t.Context(), w.Run); w.Text != "" && (w.After == 0 || line.Seq < w.After) {
				t.Errorf("after %d, of which %d are on disk: %q", w.After, line.Seq, w.Text)
			}
		}
		id := a.engine.NewID()
		go func() {
			for range 100 { // somebody who guesses that the run will be there
				if a.engine.Drives(id) {
					a.engine.Hear([]byte(`{"run":"` + id.String() + `","wanted":true,"read":true}`))
				}
				time.Sleep(50 * time.Millisecond)
			}
		}()
		a.engine.Create(t.Context(), engine.NewRun{ID: id, Spec: spec()})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for range b.engine.Watch(ctx, "p", id, engine.Cursor{}) {
		}
		time.Sleep(12 * time.Second)
		before := c.words.Load()
		time.Sleep(10 * time.Second)
		if more := c.words.Load() - before; more > 0 {
			t.Errorf("%d more words were told", more)
		}
		c.eventually(id, run.Completed)
	})
}

// A tethered run ends when its last reader has gone, on whatever node that was, and not
// before.
func TestClusterTether(t *testing.T) {
	for _, test := range []struct {
		first, second time.Duration // how long somebody reads, on the driving node and on another
		want          run.Status
	}{
		{5 * time.Second, time.Hour, run.Completed},
		{time.Hour, 5 * time.Second, run.Completed},
		{5 * time.Second, 10 * time.Second, run.CancelledStatus},
		{0, 5 * time.Second, run.CancelledStatus},
	} {
		inCluster(t, 2, slowly(script.Say(strings.Repeat("word ", 40))), 1, func(t *testing.T, c *cluster) {
			s := spec()
			s.Tethered = true
			id := c.createOn(c.nodes[0], s)
			for i, long := range []time.Duration{test.first, test.second} {
				if long == 0 {
					continue
				}
				ctx, cancel := context.WithTimeout(t.Context(), long)
				defer cancel()
				go func() {
					if i == 0 {
						c.nodes[i].engine.Wait(ctx, "p", id)
						return
					}
					for range c.nodes[i].engine.Watch(ctx, "p", id, engine.Cursor{}) {
					}
				}()
			}
			s2 := c.eventually(id, test.want)
			if lived := s2.UpdatedAt.Sub(s2.CreatedAt); test.want == run.CancelledStatus && lived > max(test.first, test.second)+12*time.Second {
				t.Errorf("it ended after %v", lived)
			}
		})
	}
}

// Who makes a run on a node that is declared dead meanwhile hears of it.
func TestClusterEvictedDuringCreate(t *testing.T) {
	inCluster(t, 2, script.Steps(script.Say("ok")), 1, func(t *testing.T, c *cluster) {
		c.watch(func(commit *run.Commit, n *node) {
			if n == c.nodes[0] {
				time.Sleep(30 * time.Second)
			}
		})
		id := c.nodes[0].engine.NewID()
		time.AfterFunc(3500*time.Millisecond, func() { c.nodes[0].asleep.Store(true) })
		time.AfterFunc(12*time.Second, func() { c.nodes[0].asleep.Store(false) })
		began := time.Now()
		_, err := c.nodes[0].engine.Create(t.Context(), engine.NewRun{ID: id, Spec: spec()})
		if took := time.Since(began); !problem.Is(err, problem.Overloaded) || took > 20*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		c.eventually(id, run.Completed) // its commit came through all the same
		time.Sleep(10 * time.Second)
		c.quiet()
	})
}

// A run that waits here, for room or in its lane, and is taken by another node, keeps
// those behind it from nothing.
func TestClusterTakenFromTheLine(t *testing.T) {
	for _, lane := range []*run.Lane{nil, {Name: "narrow", Max: 1}} {
		inCluster(t, 1, slowly(script.Say("one two three")), 1, func(t *testing.T, c *cluster) {
			if lane == nil {
				c.most = 1
			}
			c.lossy.Store(100)
			a := c.join()
			c.die(c.nodes[0])
			b := c.join()
			c.idle.Store(true)
			var ids []run.ID
			for range 3 {
				s := spec()
				s.Lane = lane
				ids = append(ids, c.createOn(a, s))
				time.Sleep(100 * time.Millisecond)
			}
			go b.engine.Advance(t.Context(), run.Job{Kind: engine.AdvanceJob, Run: ids[1]})
			time.Sleep(15 * time.Second)
			for i, id := range ids {
				if s := run.Fold(id, c.events(id)); s.Status != run.Completed {
					t.Errorf("run %d is %s: %s", i, s.Status, c.log(id))
				}
			}
			c.idle.Store(false)
			time.Sleep(10 * time.Second)
			c.quiet()
		})
	}
}
