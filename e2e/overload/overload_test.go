package overload

import (
	"fmt"
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
	usual := newLoad(s)
	usual.steady(driven, 2*time.Second, `{"model":"auto","prompt":"usual","background":false}`)
	wait := p99(usual.acks)
	calm := newLoad(s)
	calm.steady(1, 2*time.Second, `{"model":"auto","prompt":"calm","background":true}`)
	w.Eventually("the quiet runs to end", func() bool { return figures(t, s)["errand_runs_driven"] == 0 })
	before := resident(t, s, "VmRSS")

	slack := max(time.Second, 20*p99(calm.acks)) // of a machine that does other things as well, with the race detector
	tries := 3                                   // a machine that stands still for a second makes one of them slow
	if os.Getenv("ERRAND_SOAK") != "" {
		slack, tries = 0, 1
	}
	if len(usual.strange)+len(usual.refusals) > 0 {
		t.Fatalf("at a load that it can bear %d requests were refused, and these went wrong: %v", len(usual.refusals), usual.strange)
	}
	for try := 1; ; try++ {
		r := rushes(t, s, wait)
		r.grown -= before
		t.Logf("usual: run p99 %v, acknowledged p99 %v; rush: %d accepted (acknowledged p99 %v, worked p99 %v), %d refused (p99 %v), +%d MB, recovered after %v",
			wait, p99(calm.acks), len(r.accepted), p99(r.acks), p99(r.working), len(r.refusals), p99(r.refusals), r.grown>>20, r.recovered)
		slow := r.slow(wait, p99(calm.acks), slack)
		switch {
		case len(r.strange) > 0:
			t.Fatalf("neither accepted nor told to come again: %v", r.strange)
		case len(r.refusals) < len(r.accepted) || len(r.accepted) < driven*11:
			t.Fatalf("%d accepted and %d refused: this was no rush", len(r.accepted), len(r.refusals))
		case r.grown > 256<<20:
			t.Fatalf("it needs %d MB more", r.grown>>20)
		case slow == "":
			return
		case try == tries:
			t.Fatal(slow)
		}
		t.Log(slow)
	}
}

// rushed is what came of a rush.
type rushed struct {
	*load
	working   []time.Duration // of each run that was accepted, from its turn to its end
	recovered time.Duration   // from the end of the rush until runs are as quick as usual
	grown     int             // resident bytes, at most
}

// rushes asks five times as much as the server can do, waits until what it accepted has
// ended and runs take no more than twice as long as usual.
func rushes(t *testing.T, s *rig.Server, usual time.Duration) rushed {
	t.Helper()
	c := s.Client()
	r := rushed{load: newLoad(s)}
	r.flood(5*perSecond, 4*time.Second, `{"model":"auto","prompt":"rush","background":true}`)
	ended := time.Now()
	r.grown = resident(t, s, "VmHWM")
	for { // how soon it should be is held below
		after := newLoad(s)
		if after.ask(`{"model":"auto","prompt":"after"}`); len(after.acks) == 1 && after.acks[0] <= 2*usual {
			break
		}
		if time.Since(ended) > rig.Patience {
			t.Fatalf("it does not recover: %v", after.strange)
		}
		rig.Pause(10 * time.Millisecond)
	}
	r.recovered = time.Since(ended)
	for _, id := range r.accepted {
		c.Until(id, "completed")
		r.working = append(r.working, worked(t, c, id))
	}
	return r
}

// slow says what took too long; "" = nothing.
func (r rushed) slow(usual, ack, slack time.Duration) string {
	switch {
	case p99(r.refusals) > 50*time.Millisecond+slack:
		return fmt.Sprintf("a refusal takes %v", p99(r.refusals))
	case p99(r.acks) > 2*ack+slack:
		return fmt.Sprintf("an acknowledgement takes %v instead of %v", p99(r.acks), ack)
	case p99(r.working) > 2*usual+slack:
		return fmt.Sprintf("an accepted run works for %v instead of %v", p99(r.working), usual)
	case r.recovered > 5*time.Second+slack:
		return fmt.Sprintf("it needs %v to recover", r.recovered)
	}
	return ""
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
