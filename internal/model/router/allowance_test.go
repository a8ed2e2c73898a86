package router

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// clerk answers each call after a while and notes how many were under way.
type clerk struct {
	takes time.Duration

	mu    sync.Mutex
	under int
	most  int
	order []run.ID
	begun []time.Time
}

func (c *clerk) Reply(ctx context.Context, req *run.Request, _ func(run.Delta)) (run.Reply, error) {
	c.mu.Lock()
	c.under++
	c.most = max(c.most, c.under)
	c.order = append(c.order, req.Run)
	c.begun = append(c.begun, time.Now())
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.under--
		c.mu.Unlock()
	}()
	if !nap(ctx, c.takes) {
		return run.Reply{}, ctx.Err()
	}
	return run.Reply{Text: "ok"}, nil
}

// inOrder are the runs in the order of their calls; those of one instant by age.
func (c *clerk) inOrder() []run.ID {
	at := map[run.ID]time.Time{}
	for i, id := range c.order {
		at[id] = c.begun[i]
	}
	ids := slices.Clone(c.order)
	slices.SortFunc(ids, func(a, b run.ID) int {
		if d := at[a].Compare(at[b]); d != 0 {
			return d
		}
		return slices.Compare(a[:], b[:])
	})
	return ids
}

// limited is a router with one endpoint, by the operator's limits.
func limited(t *testing.T, model Model, atOnce, perMinute int) *Router {
	t.Helper()
	r, err := New(Config{
		Endpoints: []Endpoint{{Name: "desk", BaseURL: "http://desk", AtOnce: atOnce, PerMinute: perMinute}},
		Connect:   func(Endpoint) (Model, error) { return model, nil },
		Offline:   script.Steps(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestAtOnce: no more calls are under way than are allowed, the oldest run goes
// first, and who leaves the line or breaks off takes nobody's place.
func TestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := &clerk{takes: time.Second}
		r := limited(t, desk, 3, 0)
		began := time.Now()
		var all sync.WaitGroup
		for _, n := range []int{30, 31, 32, 9, 8, 7, 6, 5, 4, 3, 2, 1} {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if n == 31 || n == 9 { // one that is under way, and one that waits
					time.AfterFunc(500*time.Millisecond, cancel)
				}
				_, err := r.Reply(ctx, &run.Request{Run: numbered(n), Model: "desk/m"}, nil)
				if gone := n == 31 || n == 9; gone != errors.Is(err, context.Canceled) || !gone && err != nil {
					t.Errorf("run %d: %v", n, err)
				}
			})
			synctest.Wait()
		}
		all.Wait()
		if desk.most != 3 {
			t.Errorf("%d calls were under way at once, want 3", desk.most)
		}
		want := []run.ID{numbered(30), numbered(31), numbered(32), numbered(1), numbered(2), numbered(3), numbered(4), numbered(5), numbered(6), numbered(7), numbered(8)}
		if got := desk.inOrder(); !slices.Equal(got, want) {
			t.Errorf("the runs went in the order %v, want %v", got, want)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("11 calls of a second took %v, three at once", took)
		}
	})
}

// TestPerMinute: no minute, wherever it begins, has more calls than are allowed.
func TestPerMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := &clerk{takes: time.Millisecond}
		r := limited(t, desk, 0, 10)
		began := time.Now()
		var all sync.WaitGroup
		for n := range 35 {
			all.Go(func() {
				if _, err := r.Reply(t.Context(), &run.Request{Run: numbered(n), Model: "desk/m"}, nil); err != nil {
					t.Error(err)
				}
			})
			if n == 4 {
				time.Sleep(20 * time.Second)
			}
		}
		all.Wait()
		for i := range desk.begun {
			if i >= 10 && desk.begun[i].Sub(desk.begun[i-10]) < time.Minute {
				t.Errorf("calls %d to %d began within %v", i-10, i, desk.begun[i].Sub(desk.begun[i-10]))
			}
		}
		if took := time.Since(began); took > 3*time.Minute+time.Second {
			t.Errorf("35 calls took %v, ten a minute", took)
		}
	})
}

// TestDrain: whoever waits for a turn is sent away at once, in a way that Retry
// grants another attempt to; calls under way go on.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		desk := &clerk{takes: 5 * time.Second}
		r := limited(t, desk, 1, 0)
		ends := make(chan error, 3)
		ask := func(n int) {
			go func() {
				_, err := r.Reply(t.Context(), &run.Request{Run: numbered(n), Model: "desk/m"}, nil)
				ends <- err
			}()
			synctest.Wait()
		}
		ask(1)
		ask(2)
		began := time.Now()
		r.Drain()
		r.Drain() // again is nothing more
		ask(3)
		for range 2 {
			err := <-ends
			again, after := r.Retry(err, 99)
			if !errors.Is(err, context.Canceled) || !problem.Is(err, problem.ModelUnavailable) || !again || after != 0 {
				t.Errorf("%v, again %t after %v", err, again, after)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("they were sent away after %v", waited)
		}
		if err := <-ends; err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("the call that was under way ended after %v, %v", time.Since(began), err)
		}
	})
}

// TestDrainOfA429 is the same for a gate that the endpoint has closed.
func TestDrainOfA429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{now: time.Now}
		through := lined(t, t.Context(), g, time.Minute, 1, 2)
		began := time.Now()
		g.drain()
		for range 2 {
			if n := <-through; n >= 0 {
				t.Errorf("run %d came through", n)
			}
		}
		if time.Since(began) != 0 || len(g.line) != 0 {
			t.Errorf("the line was sent away after %v; %d still stand in it", time.Since(began), len(g.line))
		}
	})
}
