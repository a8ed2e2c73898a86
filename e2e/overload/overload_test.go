package overload

import (
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// rush is a server that drives few runs at a time, each of which takes a tenth of
// a second, so that the test knows what it can do: forty runs a second.
const (
	driven    = 4
	pace      = 50 * time.Millisecond // a reply has two chunks
	perSecond = driven * 10
)

// Five times what it can do: what is too much is refused at once and says when to
// come again; what was accepted runs as fast as ever once it is its turn.
func TestFiveTimesTooMuch(t *testing.T) {
	w := rig.New(t)
	w.Env["ERRAND_MAX_ACTIVE"] = strconv.Itoa(driven)
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	w.Model.Paces(pace)
	s := w.Start()
	c := s.Client()
	usual := newLoad(s)
	usual.steady(driven, 2*time.Second, `{"model":"auto","prompt":"usual","background":false}`)
	wait := p99(usual.acks)
	calm := newLoad(s)
	calm.steady(1, 2*time.Second, `{"model":"auto","prompt":"calm","background":true}`)
	w.Eventually("the quiet runs to end", func() bool { return figures(t, s)["errand_runs_driven"] == 0 })
	before := resident(t, s, "VmRSS")

	rush := newLoad(s)
	rush.flood(5*perSecond, 4*time.Second, `{"model":"auto","prompt":"rush","background":true}`)
	ended := time.Now()
	peak := resident(t, s, "VmHWM") - before
	again := newLoad(s)
	for again.ask(`{"model":"auto","prompt":"again"}`); len(again.accepted) == 0; again.ask(`{"model":"auto","prompt":"again"}`) {
		if time.Since(ended) > rig.Patience {
			t.Fatalf("it does not recover: %v", again.strange)
		}
		rig.Pause(10 * time.Millisecond)
	}
	var working []time.Duration
	for _, id := range rush.accepted {
		c.Until(id, "completed")
		working = append(working, worked(t, c, id))
	}
	for begun := time.Now(); ; rig.Pause(10 * time.Millisecond) {
		after := newLoad(s)
		if after.ask(`{"model":"auto","prompt":"after"}`); len(after.acks) == 1 && after.acks[0] <= 2*wait {
			break
		}
		if time.Since(begun) > rig.Patience { // how soon it should be is held below
			t.Fatal("it is still slow")
		}
	}
	recovered := time.Since(ended)

	t.Logf("usual: run p99 %v, acknowledged p99 %v; rush: %d accepted (acknowledged p99 %v, worked p99 %v), %d refused (p99 %v), +%d MB, recovered after %v",
		wait, p99(calm.acks), len(rush.accepted), p99(rush.acks), p99(working), len(rush.refusals), p99(rush.refusals), peak>>20, recovered)
	slack := max(time.Second, 20*p99(calm.acks)) // of a machine that does other things as well, with the race detector
	if os.Getenv("ERRAND_SOAK") != "" {
		slack = 0
	}
	switch {
	case len(usual.strange)+len(rush.strange)+len(again.strange) > 0:
		t.Errorf("neither accepted nor told to come again: %v %v %v", usual.strange, rush.strange, again.strange)
	case len(usual.refusals) > 0:
		t.Errorf("%d requests were refused at a load that it can bear", len(usual.refusals))
	case len(rush.refusals) < len(rush.accepted) || len(rush.accepted) < driven*11:
		t.Errorf("%d accepted and %d refused: this was no rush", len(rush.accepted), len(rush.refusals))
	case p99(rush.refusals) > 50*time.Millisecond+slack:
		t.Errorf("a refusal takes %v", p99(rush.refusals))
	case p99(rush.acks) > 2*p99(calm.acks)+slack:
		t.Errorf("an acknowledgement takes %v instead of %v", p99(rush.acks), p99(calm.acks))
	case p99(working) > 2*wait+slack:
		t.Errorf("an accepted run works for %v instead of %v", p99(working), wait)
	case recovered > 5*time.Second+slack:
		t.Errorf("it needs %v to recover", recovered)
	case peak > 256<<20:
		t.Errorf("it needs %d MB more", peak>>20)
	}
}

// worked is the time from a run's turn to its end.
func worked(t *testing.T, c *rig.Client, id string) time.Duration {
	t.Helper()
	var page struct {
		Data []struct {
			Type string
			At   time.Time
		}
	}
	c.Get("/v1/runs/"+id+"/events?limit=100", &page)
	begun := page.Data[0].At
	for _, event := range page.Data {
		if event.Type == "run.started" {
			begun = event.At
		}
	}
	return page.Data[len(page.Data)-1].At.Sub(begun)
}

// The same where it is the processor that is short: runs that take no time, at the
// server's usual settings, five times as many as it can do. The load comes from
// the same cores, so this is for a machine that has nothing else to do.
func TestFiveTimesTooMuchToCompute(t *testing.T) {
	if os.Getenv("ERRAND_SOAK") == "" {
		t.Skip("needs a quiet machine: set ERRAND_SOAK")
	}
	w := rig.New(t)
	w.Offline() // its replies cost next to nothing, and no other process
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	s := w.Start()
	const lasts = 5 * time.Second
	usual := newLoad(s)
	usual.steady(32, lasts, `{"model":"auto","prompt":"usual"}`)
	able := len(usual.accepted) / int(lasts.Seconds())
	before := resident(t, s, "VmRSS")
	rush := newLoad(s)
	rush.client.Transport.(*http.Transport).MaxConnsPerHost = 1024
	rush.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 1024
	rush.flood(5*able, lasts, `{"model":"auto","prompt":"rush","background":true}`)
	ended := time.Now()
	w.Eventually("all that was accepted to end", func() bool {
		now := figures(t, s)
		return now["errand_runs_driven"] == 0 && now["errand_runs_queued"] == 0
	})
	recovered := time.Since(ended)
	peak := resident(t, s, "VmHWM") - before
	t.Logf("usual: %d runs/s, p99 %v; rush at %d/s: %d accepted (acknowledged p99 %v), %d refused (p99 %v), +%d MB, idle after %v",
		able, p99(usual.acks), 5*able, len(rush.accepted), p99(rush.acks), len(rush.refusals), p99(rush.refusals), peak>>20, recovered)
	c := s.Client()
	for _, id := range rush.accepted[:min(len(rush.accepted), 200)] {
		if r := c.Run(id); r.Status != "completed" {
			t.Errorf("%+v %+v", r, r.Error)
		}
	}
	if len(rush.strange) > 0 || recovered > 5*time.Second || peak > 384<<20 {
		t.Errorf("neither accepted nor told to come again: %d, such as %v", len(rush.strange), rush.strange[:min(len(rush.strange), 3)])
	}
}

// A thousand at once are no overload: a script that starts all its runs at the same
// moment gets them all.
func TestThousandAtOnce(t *testing.T) {
	w := rig.New(t)
	w.Env["ERRAND_LOG_LEVEL"] = "error"
	s := w.Start()
	l := newLoad(s)
	l.client.Transport.(*http.Transport).MaxConnsPerHost = 0
	var asking sync.WaitGroup
	for range 1000 {
		asking.Go(func() { l.ask(`{"model":"auto","prompt":"one of many","background":true}`) })
	}
	asking.Wait()
	t.Logf("%d accepted, p99 %v", len(l.accepted), p99(l.acks))
	if slow := p99(l.acks) > 1500*time.Millisecond; len(l.accepted) != 1000 && !slow || len(l.strange) > 0 {
		t.Errorf("%d accepted, %d refused, %v", len(l.accepted), len(l.refusals), l.strange[:min(len(l.strange), 3)])
	}
	w.Eventually("all to end", func() bool {
		now := figures(t, s)
		return now["errand_runs_driven"] == 0 && now["errand_runs_queued"] == 0
	})
}
