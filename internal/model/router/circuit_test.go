package router

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// patient is an endpoint whose state the test sets.
type patient struct {
	mu    sync.Mutex
	ill   error
	takes time.Duration // until the first token
	asked int
}

func (p *patient) be(ill error, takes time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ill, p.takes = ill, takes
}

func (p *patient) Reply(ctx context.Context, _ *run.Request, emit func(run.Delta)) (run.Reply, error) {
	p.mu.Lock()
	p.asked++
	ill, takes := p.ill, p.takes
	p.mu.Unlock()
	if !nap(ctx, takes) {
		return run.Reply{}, ctx.Err()
	}
	if ill != nil {
		return run.Reply{}, ill
	}
	emit(run.Delta{Kind: run.TextDelta, Text: "o"})
	if !nap(ctx, takes) {
		return run.Reply{}, ctx.Err()
	}
	emit(run.Delta{Kind: run.TextDelta, Text: "k"})
	return run.Reply{Text: "ok"}, nil
}

var errDown = problem.New(problem.ModelUnavailable, "it is down.")

func ask(ctx context.Context, r *Router) error {
	_, err := r.Reply(ctx, &run.Request{Run: numbered(1), Model: "desk/m"}, nil)
	return err
}

// TestCircuit is an endpoint that goes down and comes back.
func TestCircuit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{}
		r := limited(t, p, 0, 0)
		at := r.endpoints[0]
		p.be(errDown, 10*time.Millisecond)
		for range breakAfter {
			if err := ask(t.Context(), r); !problem.Is(err, problem.ModelUnavailable) {
				t.Fatal(err)
			}
		}
		before := p.asked
		err := ask(t.Context(), r)
		if p.asked != before || at.health().State != Open || problem.From(err).RetryAfter != firstBreak {
			t.Errorf("after %d failures: %v, %d calls more, %+v", breakAfter, err, p.asked-before, at.health())
		}
		for _, wait := range []time.Duration{firstBreak, 2 * firstBreak, 4 * firstBreak} { // it is tried with one call, and fails again
			time.Sleep(wait)
			if state := at.health().State; state != HalfOpen {
				t.Errorf("after %v it is %s", wait, state)
			}
			before := p.asked
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if err := ask(t.Context(), r); !problem.Is(err, problem.ModelUnavailable) {
						t.Errorf("while it is down: %v", err)
					}
				})
			}
			all.Wait()
			if p.asked != before+1 {
				t.Errorf("%d calls were made to try it", p.asked-before)
			}
		}
		time.Sleep(lastBreak)
		p.be(nil, time.Second)
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if err := ask(t.Context(), r); err != nil {
					t.Errorf("when it is back: %v", err)
				}
			})
		}
		all.Wait()
		if took := time.Since(began); took != 3*time.Second { // the others begin at the first token of the one that tries
			t.Errorf("20 calls took %v", took)
		}
		h := at.health()
		if h.State != Closed || h.Latency == 0 || h.Error != problem.ModelUnavailable || !h.LastOK.After(h.LastFail) || h.Active != 0 || h.Waiting != 0 {
			t.Errorf("health = %+v", h)
		}
	})
}

// TestWhatBreaksNoCircuit: answers, callers who leave, and failures that are far
// apart or have a success between them.
func TestWhatBreaksNoCircuit(t *testing.T) {
	for name, calls := range map[string]struct {
		ill   error
		every time.Duration
		well  int // each so many calls one succeeds
	}{
		"refusals":     {problem.New(problem.ModelRefused, "no"), 0, 0},
		"garbled":      {problem.New(problem.ModelGarbled, "half"), 0, 0},
		"a wrong key":  {problem.New(problem.ModelAuth, "no"), 0, 0},
		"far apart":    {errDown, breakWindow, 0},
		"in between":   {errDown, 0, breakAfter},
		"who has gone": {context.Canceled, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &patient{}
				r := limited(t, p, 0, 0)
				for n := range 4 * breakAfter {
					p.be(calls.ill, 0)
					if calls.well > 0 && n%calls.well == 0 {
						p.be(nil, 0)
					}
					_ = ask(t.Context(), r)
					time.Sleep(calls.every)
				}
				if state := r.endpoints[0].health().State; state != Closed || p.asked != 4*breakAfter {
					t.Errorf("it is %s after %d of %d calls", state, p.asked, 4*breakAfter)
				}
			})
		})
	}
}

// TestASlowEndpointIsNotBroken: a call that tries it and takes long holds up the
// others only for a while, and one whose caller leaves hands its task on.
func TestASlowEndpointIsNotBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{}
		r := limited(t, p, 0, 0)
		p.be(errDown, 0)
		for range breakAfter {
			_ = ask(t.Context(), r)
		}
		time.Sleep(firstBreak)
		p.be(nil, time.Minute)
		gone, leave := context.WithCancel(t.Context())
		go func() { _ = ask(gone, r) }()
		synctest.Wait()
		leave()
		synctest.Wait()
		began := time.Now()
		ends := make(chan error, 2)
		for range 2 {
			go func() { ends <- ask(t.Context(), r) }()
			synctest.Wait()
		}
		for range 2 {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took != 2*time.Minute+probeWait {
			t.Errorf("the two took %v", took)
		}
	})
}

// TestARunOutlastsAnOutage: with what Retry grants, a crowd of runs gets through
// a restart of its endpoint, without storming it.
func TestARunOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{}
		p.be(errDown, time.Millisecond)
		c := newCrowd(t, p, 200, 1)
		time.AfterFunc(5*time.Second, func() { p.be(nil, 50*time.Millisecond) })
		took, failed := c.gather(t.Context())
		t.Logf("%d calls for 200 runs, the last took %v", p.asked, took[len(took)-1])
		if len(failed) > 0 || p.asked > 2*200+50 {
			t.Errorf("%d runs failed (%v), %d calls were made", len(failed), errors.Join(failed...), p.asked)
		}
	})
}

// three is a router with three endpoints, each a patient, and a list of fallbacks.
func three(t *testing.T, fallbacks map[string][]string) (*Router, map[string]*patient) {
	t.Helper()
	all := map[string]*patient{"a": {}, "b": {}, "c": {}}
	r, err := New(Config{
		Endpoints: []Endpoint{{Name: "a", BaseURL: "http://a"}, {Name: "b", BaseURL: "http://b"}, {Name: "c", BaseURL: "http://c"}},
		Connect:   func(e Endpoint) (Model, error) { return all[e.Name], nil },
		Offline:   script.Steps(script.Say("offline")), Default: "a/m", Fallbacks: fallbacks,
		Facts: map[string]Facts{"b/*": {Tariff: Tariff{Input: 1, Output: 1}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, all
}

func TestFallbacks(t *testing.T) {
	limited := problem.New(problem.ModelRateLimited, "slow down")
	limited.RetryAfter = time.Minute
	for name, c := range map[string]struct {
		fallbacks map[string][]string
		asks      string
		ill       map[string]error
		who       string // answers; or, after "!", the code of the error
		asked     string // how often a, b and c were, by the second call too
	}{
		"all is well":        {map[string][]string{"a/m": {"b/m"}}, "a/m", nil, "a/m", "200"},
		"by full name":       {map[string][]string{"a/m": {"b/m"}}, "default", map[string]error{"a": errDown}, "b/m", "220"},
		"by the name asked":  {map[string][]string{"default": {"c/m"}}, "default", map[string]error{"a": errDown}, "c/m", "202"},
		"for every model":    {map[string][]string{EveryModel: {"a/m", "b/m"}}, "c/x", map[string]error{"c": errDown}, "a/m", "202"},
		"a list":             {map[string][]string{"a/m": {"b/m", "c/m"}}, "a/m", map[string]error{"a": errDown, "b": errDown}, "c/m", "222"},
		"the limit is known": {map[string][]string{"a/m": {"b/m"}}, "a/m", map[string]error{"a": limited}, "b/m", "120"},
		"all of them down":   {map[string][]string{"a/m": {"b/m"}}, "a/m", map[string]error{"a": limited, "b": errDown}, "!model_unavailable", "120"},
		"of another model":   {map[string][]string{"b/m": {"c/m"}}, "a/m", map[string]error{"a": errDown}, "!model_unavailable", "200"},
		"a refusal":          {map[string][]string{"a/m": {"b/m"}}, "a/m", map[string]error{"a": problem.New(problem.ModelRefused, "no")}, "!model_refused", "200"},
		"a wrong key":        {map[string][]string{"a/m": {"b/m"}}, "a/m", map[string]error{"a": problem.New(problem.ModelAuth, "no")}, "!model_auth", "200"},
		"offline":            {map[string][]string{"a/m": {"offline"}}, "a/m", map[string]error{"a": errDown}, "script/offline", "200"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, all := three(t, c.fallbacks)
				for at, ill := range c.ill {
					all[at].be(ill, time.Millisecond)
				}
				got := ""
				for range 2 {
					reply, err := r.Reply(t.Context(), &run.Request{Run: numbered(1), Step: 1, Model: c.asks}, func(run.Delta) {})
					if got = reply.Model; err != nil {
						got = "!" + string(problem.From(err).Code)
					}
				}
				asked := ""
				for _, at := range []string{"a", "b", "c"} {
					asked += string(rune('0' + all[at].asked))
				}
				if got != c.who || asked != c.asked {
					t.Errorf("%s answered, asked were %s; want %s and %s", got, asked, c.who, c.asked)
				}
			})
		})
	}
}

// halfway says something and fails.
type halfway struct{ delta run.Delta }

func (h halfway) Reply(_ context.Context, _ *run.Request, emit func(run.Delta)) (run.Reply, error) {
	if h.delta.Kind != "" {
		emit(h.delta)
	}
	return run.Reply{Model: "a/m", Usage: run.Usage{Input: 5, Output: 1}}, errDown
}

// TestNoFallbackOnceSomethingHasCome: a reply that has begun, with a text or with
// a call, is not begun again elsewhere; one that has not is, and what was spent on
// it is counted.
func TestNoFallbackOnceSomethingHasCome(t *testing.T) {
	for name, c := range map[string]struct {
		delta run.Delta
		falls bool
	}{
		"a text":    {run.Delta{Kind: run.TextDelta, Text: "Hel"}, false},
		"a call":    {run.Delta{Kind: run.CallDelta, Name: "email.send"}, false},
		"a thought": {run.Delta{Kind: run.ReasoningDelta, Text: "Hm"}, false},
		"nothing":   {run.Delta{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, all := three(t, map[string][]string{"a/m": {"b/m"}})
			r.endpoints[0].model = halfway{c.delta}
			var heard []run.Delta
			reply, err := r.Reply(t.Context(), &run.Request{Run: numbered(1), Model: "a/m"}, func(d run.Delta) { heard = append(heard, d) })
			want := run.Usage{Input: 5, Output: 1, Unpriced: true}
			if c.falls { // the other one does not say what it has counted
				want = run.Usage{Input: 5 + 48, Output: 1 + len(reply.Text), Cost: run.Micros(48 + len(reply.Text)), Unpriced: true, Estimated: true}
			}
			if diff := cmp.Diff(want, reply.Usage); diff != "" {
				t.Errorf("usage (-want +got):\n%s", diff)
			}
			if c.falls != (err == nil) || (all["b"].asked == 1) != c.falls || !c.falls && len(heard) != 1 {
				t.Errorf("%q, %v; the other one was asked %d times; %d deltas", reply.Text, err, all["b"].asked, len(heard))
			}
		})
	}
}

// TestABrokenCircuitIsPassedOver, and tried again by one call when its time has come.
func TestABrokenCircuitIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, all := three(t, map[string][]string{"a/m": {"b/m"}})
		all["a"].be(errDown, 0)
		for range 3 * breakAfter {
			if reply, err := r.Reply(t.Context(), &run.Request{Run: numbered(1), Model: "a/m"}, nil); err != nil || reply.Model != "b/m" {
				t.Fatalf("%+v, %v", reply, err)
			}
		}
		if all["a"].asked != breakAfter {
			t.Errorf("it was asked %d times, want %d", all["a"].asked, breakAfter)
		}
		all["a"].be(nil, 0)
		time.Sleep(firstBreak)
		if reply, err := r.Reply(t.Context(), &run.Request{Run: numbered(1), Model: "a/m"}, nil); err != nil || reply.Model != "a/m" {
			t.Errorf("when it is well again: %+v, %v", reply, err)
		}
	})
}

func TestFallbacksThatCannotWork(t *testing.T) {
	for name, fallbacks := range map[string]map[string][]string{
		"no such endpoint": {"a/m": {"groq/llama"}}, "no such model": {"nope/x": {"a/m"}}, "which of them": {"a/m": {"gpt"}},
	} {
		_, err := New(Config{
			Endpoints: []Endpoint{{Name: "a", BaseURL: "http://a"}, {Name: "b", BaseURL: "http://b"}},
			Connect:   func(Endpoint) (Model, error) { return &patient{}, nil },
			Offline:   script.Steps(), Fallbacks: fallbacks,
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
