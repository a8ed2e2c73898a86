package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// order is a command that people give a run, and told what they hear: the run's
// status, or "conflict".
type (
	order string
	told  string
)

// gated is a run with one action that waits for a person and then takes for ever,
// as the people who command it may think of it.
type gated struct {
	word                     string // approved, rejected
	paused, cancelled, ended bool
}

func (g gated) status() told {
	switch {
	case g.cancelled:
		return told(run.CancelledStatus)
	case g.ended:
		return told(run.Completed)
	case g.paused:
		return told(run.PausedStatus)
	case g.word == "approved":
		return told(run.Running)
	}
	return told(run.AwaitingApproval)
}

// obey is what an order does to the run, and whether it is refused.
func (g gated) obey(o order) (next gated, refused bool) {
	over := g.cancelled || g.ended
	switch o {
	case "approve", "reject":
		word := map[order]string{"approve": "approved", "reject": "rejected"}[o]
		if g.word == "" && !over {
			g.word = word
		}
		refused = g.word != word
	case "cancel":
		refused = g.ended
		g.cancelled = !g.ended
	case "pause", "resume":
		if refused = over; !over {
			g.paused = o == "pause"
		}
	}
	g.ended = g.ended || g.word == "rejected" && !g.paused && !g.cancelled
	return g, refused
}

var commands = porcupine.Model{
	Init: func() any { return gated{} },
	Step: func(state, input, output any) (bool, any) {
		next, refused := state.(gated).obey(input.(order))
		heard := output.(told)
		switch {
		case refused:
			return heard == "conflict", next
		case input.(order) == "get":
			cutting := next.cancelled && heard == told(run.Running) // a call has a moment to end
			return heard == next.status() || cutting, next
		}
		return heard != "conflict", next
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, " -> ", output) },
}

// Whatever people order at the same time, each hears what they would have heard
// had the orders come one after the other.
func TestCommandsAreLinear(t *testing.T) {
	for seed := range uint64(60) {
		var history []porcupine.Operation
		onShaky(t, script.Steps(script.Call("send", `{}`)), func(t *testing.T, w *world, log *shaky) {
			dice := &dice{rand: rand.New(rand.NewPCG(seed, 3))}
			w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
				<-ctx.Done()
				return "", problem.New(problem.ToolUnknown, "cut")
			}
			id := w.create(spec("send"))
			w.rest(id, run.AwaitingApproval)
			log.before = func(*run.Commit) { time.Sleep(time.Duration(dice.IntN(20)) * time.Millisecond) }
			log.after = func(_ *run.Commit, err error) error {
				time.Sleep(time.Duration(dice.IntN(20)) * time.Millisecond)
				return err
			}
			history = w.crowd(id, dice, w.engine)
		})
		if !porcupine.CheckOperations(commands, history) {
			for _, op := range history {
				t.Logf("%d: %d-%d %v -> %v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
			t.Fatalf("seed %d: nobody could have heard this one after the other", seed)
		}
	}
}

// So they do on several nodes, whichever drives the run, and also while one dies that
// nobody speaks to.
func TestClusterCommandsAreLinear(t *testing.T) {
	for seed := range uint64(60) {
		var history []porcupine.Operation
		inCluster(t, 4, script.Steps(script.Call("send", `{}`)), seed, func(t *testing.T, c *cluster) {
			c.lossy.Store(int32(seed % 3 * 30))
			c.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
				<-ctx.Done()
				return "", problem.New(problem.ToolUnknown, "cut")
			}
			id := c.createOn(c.nodes[3], spec("send"))
			c.eventually(id, run.AwaitingApproval)
			if seed%4 == 0 {
				time.AfterFunc(time.Duration(c.dice.IntN(200))*time.Millisecond, func() { c.die(c.nodes[3]) })
			}
			history = c.crowd(id, c.dice, c.nodes[0].engine, c.nodes[1].engine, c.nodes[2].engine)
			time.Sleep(20 * time.Second)
			c.quiet()
		})
		if !porcupine.CheckOperations(commands, history) {
			for _, op := range history {
				t.Logf("%d: %d-%d %v -> %v", op.ClientId, op.Call, op.Return, op.Input, op.Output)
			}
			t.Fatalf("seed %d: nobody could have heard this one after the other", seed)
		}
	}
}

// crowd has five people give six orders each, any of the servers, and writes down who heard what.
func (w *world) crowd(id run.ID, dice *dice, servers ...*engine.Engine) []porcupine.Operation {
	var crowd sync.WaitGroup
	var clock atomic.Int64
	var mu sync.Mutex
	var history []porcupine.Operation
	orders := []order{"approve", "reject", "pause", "resume", "get", "get", "pause", "resume", "get", "cancel"}
	for person := range 5 {
		crowd.Go(func() {
			for range 6 {
				time.Sleep(time.Duration(dice.IntN(60)) * time.Millisecond)
				e := servers[dice.IntN(len(servers))]
				op := porcupine.Operation{ClientId: person, Input: orders[dice.IntN(len(orders))], Call: clock.Add(1)}
				op.Output = w.order(e, id, op.Input.(order))
				op.Return = clock.Add(1)
				mu.Lock()
				history = append(history, op)
				mu.Unlock()
			}
		})
	}
	crowd.Wait()
	return history
}

func (w *world) order(e *engine.Engine, id run.ID, o order) told {
	ctx := w.t.Context()
	var s run.State
	var err error
	switch o {
	case "approve", "reject":
		s, err = e.Decide(ctx, "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: o == "approve"})
	case "cancel":
		s, err = e.Cancel(ctx, "p", id, run.Cancel{})
	case "pause":
		s, err = e.Pause(ctx, "p", id, "")
	case "resume":
		s, err = e.Resume(ctx, "p", id, "")
	default:
		s, err = e.Get(ctx, "p", id)
	}
	switch {
	case problem.Is(err, problem.Conflict):
		return "conflict"
	case err != nil:
		w.t.Error(err)
	}
	return told(s.Status)
}
