package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// A run that is made on one node is streamed on the second, approved on the third, and
// goes on somewhere; each reader has the same, to the byte.
func TestClusterLife(t *testing.T) {
	opening := script.Call("send", `{"to":"Zoë"}`)
	opening.Reply.Text = "Zuerst zwei größere Überlegungen: 日本語 und fertig."
	for seed := range uint64(40) {
		inCluster(t, 3, slowly(opening, script.Say("All is done, größer als 日本語 erlaubt.")), seed, func(t *testing.T, c *cluster) {
			c.lossy.Store(int32(seed % 4 * 10))
			a, b, third := c.nodes[0], c.nodes[1], c.nodes[2]
			id := c.createOn(a, spec("send"))
			var readers sync.WaitGroup
			seen := make([][]engine.Update, 3)
			for i, n := range c.nodes {
				readers.Go(func() { seen[i] = c.wander(n, b, id) })
			}
			c.eventually(id, run.AwaitingApproval)
			if s, err := b.engine.Wait(t.Context(), "p", id); err != nil || s.Status != run.AwaitingApproval {
				t.Errorf("the second node waits for %s, %v", s.Status, err)
			}
			c.decide(third, id, true, "act_01")
			c.eventually(id, run.Completed)
			readers.Wait()
			for i, updates := range seen {
				for step, want := range map[int]string{1: opening.Reply.Text + `{"to":"Zoë"}`, 2: "All is done, größer als 日本語 erlaubt."} {
					if got := text(updates, step); got != want {
						t.Errorf("seed %d: reader %d has %q of step %d, want %q", seed, i, got, step, want)
					}
				}
				if got := types(updates); got != c.log(id) {
					t.Errorf("seed %d: reader %d has the events %s, want %s", seed, i, got, c.log(id))
				}
			}
			if got, want := c.tools.made(), "send act_01"; got != want {
				t.Errorf("calls: %s, want %s", got, want)
			}
			time.Sleep(10 * time.Second)
			c.quiet()
		})
		if t.Failed() {
			t.FailNow()
		}
	}
}

// wander reads a stream to its end, from one node and then from the other, going on
// where it was each time.
func (c *cluster) wander(n, other *node, id run.ID) []engine.Update {
	var all []engine.Update
	at := engine.Cursor{}
	for range 1000 {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Duration(500+c.dice.IntN(6000))*time.Millisecond)
		for u, err := range n.engine.Watch(ctx, "p", id, at) {
			if err != nil {
				c.t.Error(err)
				break
			}
			all, at = append(all, u), u.Cursor
			if u.Event != nil && u.Event.Type == run.RunFinished {
				cancel()
				return all
			}
		}
		cancel()
		n, other = other, n
	}
	c.t.Errorf("the stream does not end: %s", c.log(id))
	return all
}

func types(updates []engine.Update) string {
	var all []string
	for _, u := range updates {
		if u.Event != nil {
			all = append(all, string(u.Event.Type))
		}
	}
	return strings.Join(all, " ")
}

// Deltas of a reply come to a reader on another node while it is being written, and
// not only with its end.
func TestClusterDraft(t *testing.T) {
	words := strings.Repeat("ein langer Text ", 12)
	for _, lossy := range []int32{0, 30} {
		inCluster(t, 2, slowly(script.Say(words)), 1, func(t *testing.T, c *cluster) {
			c.lossy.Store(lossy)
			id := c.createOn(c.nodes[0], spec())
			time.Sleep(5500 * time.Millisecond) // it joins in the middle
			began, pieces := time.Now(), 0
			for u, err := range c.nodes[1].engine.Watch(t.Context(), "p", id, engine.Cursor{}) {
				if err != nil {
					t.Fatal(err)
				}
				if u.Delta != nil {
					pieces++
				}
				if late := time.Since(began); pieces == 1 && late > 500*time.Millisecond && lossy == 0 {
					t.Errorf("the first piece came after %v", late)
				}
				if u.Event != nil && u.Event.Type == run.RunFinished {
					break
				}
			}
			if want := map[int32]int{0: 25, 30: 10}[lossy]; pieces < want {
				t.Errorf("with %d %% lost, it came in %d pieces", lossy, pieces)
			}
		})
	}
}

// A node that dies after any one of its commits leaves its runs to others: they come to
// the same end, and no once call that had begun is made again without a person.
func TestClusterDeath(t *testing.T) {
	for cut := 1; cut <= 14; cut++ {
		t.Run(fmt.Sprintf("after commit %d", cut), func(t *testing.T) {
			inCluster(t, 2, gatedLife(), uint64(cut), func(t *testing.T, c *cluster) {
				a, b := c.nodes[0], c.nodes[1]
				commits, began := 0, map[string]bool{}
				var mu sync.Mutex
				c.wrote = func(commit *run.Commit, n *node) {
					mu.Lock()
					defer mu.Unlock()
					if commits++; n == a && commits == cut {
						for _, e := range commit.Runs[0].Events {
							if e.Started != nil {
								began[e.Started.Action] = true
							}
						}
						a.cut.Store(true)
						go c.die(a)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				id := a.engine.NewID()
				a.engine.Create(ctx, engine.NewRun{ID: id, Spec: spec("send")})
				asked := c.finish(b, id)
				s := run.Fold(id, c.events(id))
				if s.Status != run.Completed || s.Ended.Result.Summary != "All done." {
					t.Errorf("it ended with %+v", s.Ended)
				}
				for _, action := range []string{"send act_02", "send act_04", "send act_05"} {
					if made := strings.Count(c.tools.made(), action); made > 1 {
						t.Errorf("%s was made %d times", action, made)
					} else if made == 0 && !asked[strings.Fields(action)[1]] {
						t.Errorf("%s was not made, and nobody was asked", action)
					}
				}
				time.Sleep(10 * time.Second)
				c.quiet()
			})
		})
	}
}

// finish decides on a node whatever waits, until the run has ended: gates are approved,
// unknown outcomes taken for done. It returns the latter.
func (c *cluster) finish(n *node, id run.ID) map[string]bool {
	c.t.Helper()
	asked := map[string]bool{}
	for range 600 {
		s, err := n.engine.Get(c.t.Context(), "p", id)
		if err == nil && s.Ended != nil {
			return asked
		}
		for _, a := range s.Pending() {
			asked[a.ID] = asked[a.ID] || a.Reason == run.UnknownReason
			n.engine.Decide(c.t.Context(), "p", id, engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason})
		}
		time.Sleep(100 * time.Millisecond)
		c.orphans()
	}
	c.t.Fatalf("the run does not end: %s", c.log(id))
	return nil
}

// A node that is cut off while a once call is under way keeps what came of it; when
// others have taken the run over meanwhile, nobody repeats the call: a person is asked.
func TestClusterCutOffDuringCall(t *testing.T) {
	for _, test := range []struct {
		away time.Duration
		want run.Status
	}{{2 * time.Second, run.Completed}, {15 * time.Second, run.AwaitingApproval}} {
		inCluster(t, 2, script.Steps(script.Call("send", `{}`), script.Say("ok")), 1, func(t *testing.T, c *cluster) {
			a, b := c.nodes[0], c.nodes[1]
			c.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
				time.Sleep(1500 * time.Millisecond)
				return "sent", nil
			}
			id := c.createOn(a, spec())
			time.Sleep(time.Second)
			a.cut.Store(true)
			time.Sleep(test.away)
			a.cut.Store(false)
			s := c.eventually(id, test.want)
			if test.want == run.AwaitingApproval {
				if p := s.Pending(); len(p) != 1 || p[0].Reason != run.UnknownReason || s.Epoch != 2 {
					t.Errorf("epoch %d, pending %+v", s.Epoch, s.Pending())
				}
				c.decide(b, id, false, "act_01")
				c.eventually(id, run.Completed)
			}
			time.Sleep(20 * time.Second)
			if got, want := c.tools.made(), "send act_01"; got != want {
				t.Errorf("calls: %s, want %s", got, want)
			}
			c.quiet()
		})
	}
}

// A node that is not alive to the others starts no call, also where the intent is on
// disk already.
func TestClusterMute(t *testing.T) {
	for seed, away := range []time.Duration{2 * time.Second, 2 * time.Second, 30 * time.Second, 30 * time.Second} {
		inCluster(t, 2, script.Steps(script.Call("send", `{}`), script.Say("ok")), 1, func(t *testing.T, c *cluster) {
			a, b := c.nodes[0], c.nodes[1]
			long := time.Now().Add(-time.Hour)
			var frozen atomic.Bool // once: it may be this node that goes on with the run later
			c.wrote = func(commit *run.Commit, n *node) {
				if n == a && has(commit, run.ToolStarted) && frozen.CompareAndSwap(false, true) {
					a.renewed.Store(&long) // frozen for long, directly before the call
					a.asleep.Store(true)
					a.cut.Store(seed%2 == 0)
				}
			}
			id := c.createOn(a, spec())
			time.Sleep(away)
			if made := c.tools.made(); made != "" {
				t.Errorf("it was called: %s", made)
			}
			a.cut.Store(false)
			a.asleep.Store(false)
			if away > 7*time.Second { // it begun, for all that anybody knows
				c.eventually(id, run.AwaitingApproval)
				c.decide(b, id, true, "act_01")
			}
			c.finish(b, id)
			time.Sleep(20 * time.Second)
			if got, want := c.tools.made(), "send act_01"; got != want {
				t.Errorf("calls: %s, want %s", got, want)
			}
			c.quiet()
		})
	}
}

// A call is made anew by what its tool is now: the node asks before that, too, because it
// may have been frozen since it asked before the first one.
func TestClusterMuteWithChangedTool(t *testing.T) {
	inCluster(t, 2, script.Steps(script.Call("send", `{}`), script.Say("ok")), 1, func(t *testing.T, c *cluster) {
		a, b := c.nodes[0], c.nodes[1]
		c.tools.behave = func(_ context.Context, call run.ToolCall) (string, error) {
			if call.Tool.Version == "v1" && a.asleep.CompareAndSwap(false, true) {
				time.Sleep(4 * time.Second)
				return "", problem.New(problem.ToolChanged, "It was changed.")
			}
			if !a.alive() && call.Attempt == 1 {
				t.Error("it is called by a node that is not alive to the others")
			}
			return "sent", nil
		}
		c.tools.versions["send"] = "v2"
		id := c.createOn(a, spec())
		c.eventually(id, run.AwaitingApproval)
		a.asleep.Store(false)
		c.decide(b, id, false, "act_01")
		c.finish(b, id)
		time.Sleep(20 * time.Second)
		c.quiet()
	})
}

// What people order on one node is done on the one that drives, also when no word of it
// comes there: it looks each second.
func TestClusterDeaf(t *testing.T) {
	inCluster(t, 2, slowly(script.Say("one two three four five six seven eight nine ten"), script.Say("hurried")), 1, func(t *testing.T, c *cluster) {
		c.lossy.Store(100)
		a, b := c.nodes[0], c.nodes[1]
		order := func(e *engine.Engine, what string, id run.ID) {
			var err error
			switch what {
			case "message":
				_, err = e.Message(t.Context(), "p", id, run.Added{Text: "Hurry."})
			case "pause":
				_, err = e.Pause(t.Context(), "p", id, "")
			case "resume":
				_, err = e.Resume(t.Context(), "p", id, "")
			case "cancel":
				_, err = e.Cancel(t.Context(), "p", id, run.Cancel{})
			}
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, orders := range [][]string{{"message"}, {"pause", "resume"}, {"cancel"}} {
			id := c.createOn(a, spec())
			time.Sleep(2500 * time.Millisecond)
			for _, what := range orders {
				order(b.engine, what, id)
				time.Sleep(1500 * time.Millisecond)
			}
			want := run.Completed
			if orders[0] == "cancel" {
				want = run.CancelledStatus
				if s := run.Fold(id, c.events(id)); s.Ended == nil {
					t.Error("1.5 s after the order the run is not cancelled")
				}
			}
			s, err := b.engine.Wait(t.Context(), "p", id)
			if err != nil || s.Status != want {
				t.Errorf("%v: the run is %s, %v", orders, s.Status, err)
			}
			if orders[0] == "message" && len(s.Turns) != 2 {
				t.Errorf("the message was not heard: %s", c.log(id))
			}
			if strings.Count(c.log(id), "run.driven") > 0 {
				t.Errorf("%v: another node has taken the run over: %s", orders, c.log(id))
			}
		}
		time.Sleep(5 * time.Second)
		c.quiet()
	})
}

// A word that comes in the very moment in which a driver lets go finds it or asks for
// another one: the run is never left with neither.
func TestClusterLetGo(t *testing.T) {
	seeds := 1000
	if testing.Short() {
		seeds = 100
	}
	for seed := range seeds {
		model := script.Steps(script.Call("send", `{}`), script.Call("send", `{}`), script.Say("ok"))
		inCluster(t, 2, model, uint64(seed), func(t *testing.T, c *cluster) {
			c.lossy.Store(int32(c.dice.IntN(101)))
			c.answer.Store(int32(1 + seed%3*100))
			a, b := c.nodes[0], c.nodes[1]
			var id run.ID
			hit := make(chan int, 64)
			c.watch(func(commit *run.Commit, n *node) { // whatever drivers write, somebody comes close
				select {
				case hit <- c.dice.IntN(40):
				default:
				}
			})
			id = c.createOn(a, spec("send"))
			for round := 0; round < 12; round++ {
				select {
				case wait := <-hit:
					time.Sleep(time.Duration(wait) * time.Millisecond)
				case <-time.After(time.Second):
				}
				s, err := b.engine.Get(t.Context(), "p", id)
				if err != nil || s.Ended != nil {
					break
				}
				switch pending := s.Pending(); {
				case len(pending) > 0:
					b.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{pending[0].ID}, Approve: true})
				case round%3 == 0:
					b.engine.Pause(t.Context(), "p", id, "")
					c.delay(40)
					b.engine.Resume(t.Context(), "p", id, "")
				}
				c.orphans()
			}
			c.watch(nil)
			b.engine.Resume(t.Context(), "p", id, "")
			c.finish(b, id)
			time.Sleep(10 * time.Second)
			c.quiet()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// A node that is told to stop hands its runs over: calls under way may end there, and
// the other one goes on.
func TestClusterHandover(t *testing.T) {
	for seed := range uint64(20) {
		inCluster(t, 2, gatedLife(), seed, func(t *testing.T, c *cluster) {
			a, b := c.nodes[0], c.nodes[1]
			c.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
				if !sleep(ctx, time.Duration(c.dice.IntN(3000))*time.Millisecond) {
					return "", problem.New(problem.ToolUnknown, "cut")
				}
				return "done", nil
			}
			var ids []run.ID
			for range 10 {
				ids = append(ids, c.createOn(a, spec()))
			}
			c.delay(4000)
			c.leave(a, 10*time.Second)
			began := time.Now()
			for _, id := range ids {
				if asked := c.finish(b, id); len(asked) > 0 {
					t.Errorf("a call was cut off by the handover: %v", asked)
				}
			}
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("the others took %v", took)
			}
			if got, want := strings.Count(c.tools.made(), "send"), 3*len(ids); got != want {
				t.Errorf("%d sends, want %d", got, want)
			}
			time.Sleep(10 * time.Second)
			c.quiet()
		})
	}
}

// Runs beyond what one node may drive are driven by the other.
func TestClusterRoom(t *testing.T) {
	inCluster(t, 1, slowly(script.Say("one two three four")), 1, func(t *testing.T, c *cluster) {
		c.most = 2
		small := c.join()
		c.most = 50
		big := c.join()
		c.die(c.nodes[0])
		var ids []run.ID
		for range 20 {
			ids = append(ids, c.createOn(small, spec()))
		}
		began, elsewhere := time.Now(), 0
		for _, id := range ids {
			c.eventually(id, run.Completed)
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("it took %v", took)
		}
		for _, id := range ids {
			if strings.Contains(c.log(id), "run.started") {
				elsewhere++
			}
		}
		if elsewhere < 10 {
			t.Errorf("only %d were driven elsewhere", elsewhere)
		}
		_ = big
		time.Sleep(10 * time.Second)
		c.quiet()
	})
}

// Runs of a class go to nodes that drive it, whatever node they are made on, approved
// on, or taken from.
func TestClusterClass(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	for seed := range uint64(10) {
		inCluster(t, 3, model, seed, func(t *testing.T, c *cluster) {
			plain, first, second := c.nodes[0], c.nodes[1], c.nodes[2]
			c.class = func(s *run.Spec) string {
				if s.Dialect == "browsing" {
					return "browser"
				}
				return ""
			}
			c.browse = func(n *node, class string) bool { return n != plain || class != "browser" }
			c.tools.behave = func(context.Context, run.ToolCall) (string, error) {
				time.Sleep(3 * time.Second)
				return "ok", nil
			}
			s := spec("send")
			s.Dialect = "browsing"
			id := c.createOn(plain, s)
			c.eventually(id, run.AwaitingApproval)
			c.decide(plain, id, true, "act_01")
			time.Sleep(time.Second)
			driver := c.driver(id)
			if driver != first && driver != second {
				t.Fatalf("it is driven by %v", driver)
			}
			c.die(driver)
			c.eventually(id, run.AwaitingApproval)
			c.decide(plain, id, false, "act_01")
			c.eventually(id, run.Completed)
			time.Sleep(10 * time.Second)
			c.quiet()
		})
	}
}

// A run whose work another one does goes on when that has ended, whichever nodes the
// two were on, and whichever of those is dead by then.
func TestClusterChildren(t *testing.T) {
	for seed := range uint64(30) {
		model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
			sleep(ctx, time.Second)
			switch {
			case req.Model == "worker" && len(req.Messages) < 4:
				return script.Call("read", `{}`), ctx.Err()
			case req.Model == "worker":
				return script.Say("three reports"), ctx.Err()
			case len(req.Messages) > 2:
				return script.Say("All done."), ctx.Err()
			}
			return script.Call("delegate", `{"task":"three reports"}`).And("delegate", `{"task":"two more"}`), ctx.Err()
		})
		inCluster(t, 3, model, seed, func(t *testing.T, c *cluster) {
			c.lossy.Store(20)
			parent, work := spec(), spec()
			work.Model, work.Gates = "worker", []string{"read"}
			h := run.Handoff{Name: "work", Spec: work}
			parent.Handoffs, parent.Tools = []run.Handoff{h}, []run.Tool{h.Tool("delegate", "")}
			a := c.nodes[0]
			id := c.createOn(a, parent)
			dice := rand.New(rand.NewPCG(seed, 4))
			if dice.IntN(2) == 0 {
				time.AfterFunc(time.Duration(dice.IntN(4000))*time.Millisecond, func() { c.die(a) })
			}
			for range 600 {
				s := run.Fold(id, c.events(id))
				if s.Ended != nil {
					break
				}
				c.store.Recent(t.Context(), time.Time{}, func(line *run.Summary) {
					if child := run.Fold(line.ID, c.events(line.ID)); line.Pending > 0 {
						c.any("").engine.Decide(t.Context(), "p", line.ID, engine.Decision{Actions: []string{child.Pending()[0].ID}, Approve: true})
					}
				})
				time.Sleep(100 * time.Millisecond)
				c.orphans()
			}
			s := run.Fold(id, c.events(id))
			if s.Status != run.Completed || s.Ended.Result.Summary != "All done." || s.Turns[0].Actions[0].Output != "three reports" {
				t.Errorf("it ended with %+v: %s", s.Ended, c.log(id))
			}
			time.Sleep(10 * time.Second)
			c.quiet()
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// In a lane, no more lines name a driver than may, of whichever node, and none is forgotten.
func TestClusterLane(t *testing.T) {
	inCluster(t, 2, slowly(script.Say("one two three")), 1, func(t *testing.T, c *cluster) {
		var ids []run.ID
		for range 12 {
			s := spec()
			s.Lane = &run.Lane{Name: "narrow", Max: 2}
			ids = append(ids, c.createOn(c.nodes[0], s))
		}
		most := 0
		for range 100 {
			driven := 0
			c.store.Recent(t.Context(), time.Time{}, func(line *run.Summary) {
				if line.Driver != "" {
					driven++
				}
			})
			most = max(most, driven)
			time.Sleep(100 * time.Millisecond)
			c.orphans()
		}
		if most != 2 {
			t.Errorf("%d runs were at work at once", most)
		}
		for _, id := range ids {
			c.eventually(id, run.Completed)
		}
		time.Sleep(10 * time.Second)
		c.quiet()
	})
}
