package router

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// refused is a provider's 429.
func refused(after time.Duration) error {
	limited := problem.New(problem.ModelRateLimited, "slow down")
	limited.RetryAfter = after
	return limited
}

// numbered is the id of a run: a lower number is an older run.
func numbered(n int) run.ID { return run.NewID(time.UnixMilli(1), uint16(n), 0) }

// lined closes a gate for the time and lets runs come to it, in this order. It
// tells which came through, and with what.
func lined(t *testing.T, ctx context.Context, g *gate, after time.Duration, runs ...int) <-chan int {
	t.Helper()
	entered, err := g.enter(ctx, numbered(0))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Millisecond)
	g.leave(entered, refused(after))
	through := make(chan int, len(runs))
	for _, n := range runs {
		go func() {
			if _, err := g.enter(ctx, numbered(n)); err != nil {
				n = -n
			}
			through <- n
		}()
		synctest.Wait()
	}
	return through
}

func TestGateIsOpenUntilARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{now: time.Now}
		began := time.Now()
		for n := range 1000 {
			entered, err := g.enter(t.Context(), numbered(n))
			if err != nil {
				t.Fatal(err)
			}
			g.leave(entered, problem.New(problem.ModelUnavailable, "down")) // says nothing about the rate
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("1000 calls waited %v in all", waited)
		}
	})
}

func TestGateLetsTheOldestRunThroughFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{now: time.Now}
		began := time.Now()
		through := lined(t, t.Context(), g, 5*time.Second, 3, 1, 2)
		for want := 1; want <= 3; want++ {
			if got := <-through; got != want {
				t.Errorf("run %d came through as number %d", got, want)
			}
			if waited := time.Since(began); waited < 5*time.Second || want == 1 && waited > 5*time.Second+10*time.Millisecond {
				t.Errorf("run %d waited %v, and the endpoint had named 5s", want, waited)
			}
		}
	})
}

func TestGateForgetsWhoLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{now: time.Now}
		ctx, cancel := context.WithCancel(t.Context())
		through := lined(t, ctx, g, 5*time.Second, 1, 2)
		cancel()
		for range 2 {
			if got := <-through; got > 0 {
				t.Errorf("run %d came through", got)
			}
		}
		if len(g.line) != 0 {
			t.Errorf("%d still stand in the line", len(g.line))
		}
		time.Sleep(5 * time.Second)
		began := time.Now()
		if _, err := g.enter(t.Context(), numbered(3)); err != nil || time.Since(began) > time.Millisecond {
			t.Errorf("the next waited %v for those who have left, %v", time.Since(began), err)
		}
	})
}

// A gate that has been closed stands open again after a quiet while.
func TestGateOpensAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{now: time.Now}
		<-lined(t, t.Context(), g, 0, 1)
		time.Sleep(openAfter + firstPause)
		began := time.Now()
		for n := range 100 {
			if _, err := g.enter(t.Context(), numbered(n)); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("100 calls waited %v in all", waited)
		}
	})
}

// An endpoint that refuses everything, and asks to be left alone for a day, ends
// every run with its own error, in minutes, and is hardly called meanwhile.
func TestGateOfAHopelessEndpoint(t *testing.T) {
	for name, names := range map[string]time.Duration{"named a day": 24 * time.Hour, "named a second": time.Second, "mute": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				provider := &quota{names: names}
				took, failed := newCrowd(t, provider, 100, 1).gather(t.Context())
				last := took[len(took)-1]
				t.Logf("%d calls, the last run ended after %v", provider.asked, last)
				if len(failed) != 100 || last > 20*time.Minute || provider.asked > 700 {
					t.Errorf("%d runs failed, the last after %v and %d calls", len(failed), last, provider.asked)
				}
				for _, err := range failed {
					if !problem.Is(err, problem.ModelRateLimited) {
						t.Fatalf("a run ended with %v", err)
					}
				}
			})
		})
	}
}

// What one endpoint refuses holds up no other one.
func TestGatesAreApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := New(Config{
			Endpoints: []Endpoint{{Name: "busy", BaseURL: "http://busy"}, {Name: "idle", BaseURL: "http://idle"}},
			Connect: func(e Endpoint) (Model, error) {
				if e.Name == "busy" {
					return &quota{names: time.Minute}, nil
				}
				return script.Steps(script.Say("ok")), nil
			},
			Offline: script.Steps(script.Say("ok")),
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Reply(t.Context(), &run.Request{Model: "busy/m", Step: 1}, nil); !problem.Is(err, problem.ModelRateLimited) {
			t.Fatal(err)
		}
		began := time.Now()
		for _, name := range []string{"idle/m", "offline"} {
			if _, err := r.Reply(t.Context(), &run.Request{Model: name, Step: 1}, func(run.Delta) {}); err != nil || time.Since(began) != 0 {
				t.Errorf("%s waited %v, %v", name, time.Since(began), err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := r.Reply(ctx, &run.Request{Model: "busy/m", Step: 1}, nil); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that is not to wait so long: %v", err)
		}
	})
}
