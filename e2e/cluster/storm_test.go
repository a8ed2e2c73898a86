//go:build unix

package cluster

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/e2e/rig"
)

// tempest is a storm over three nodes: clients order runs, people decide, readers read,
// each on whichever node chance names, and nodes die, freeze, end or are cut off.
type tempest struct {
	*fleet
	seed   uint64
	runs   int
	length time.Duration
	stop   chan bool

	ordered atomic.Int64
	decided atomic.Int64
	exact   atomic.Int64 // streams that were read to their end
	breaks  atomic.Int64 // and how often they broke before

	mu      sync.Mutex
	ids     []string
	doubts  map[string]int // by run and action: how often a person was asked about a call of which nobody knows what came
	allowed map[string]int // how often the person said: again
	moved   []time.Duration
}

func number(t *testing.T, name string, standard int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return standard
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// TestStorm: nothing that was acknowledged is lost, no call that must not be repeated is
// repeated without a person, every stream is exact over any number of nodes, and every
// run that lost its node has another within 6 s. ERRAND_STORM_RUNS and
// ERRAND_STORM_SECONDS make it longer.
func TestStorm(t *testing.T) {
	t.Parallel()
	s := &tempest{
		seed: uint64(number(t, "ERRAND_SEED", time.Now().UnixNano())), runs: int(number(t, "ERRAND_STORM_RUNS", 150)),
		length: time.Duration(number(t, "ERRAND_STORM_SECONDS", 30)) * time.Second, stop: make(chan bool), allowed: map[string]int{}, doubts: map[string]int{},
	}
	t.Logf("ERRAND_SEED=%d ERRAND_STORM_RUNS=%d ERRAND_STORM_SECONDS=%d", s.seed, s.runs, int(s.length.Seconds()))
	s.fleet = newFleet(t, 3)
	s.Env["ERRAND_LOG_LEVEL"] = "warn"
	s.Model.Paces(20 * time.Millisecond)
	s.Tools.Paces(400 * time.Millisecond) // so that nodes die in the middle of calls
	for name, effect := range map[string]string{"book.safe": "safe", "book.keyed": "keyed", "book.once": "once", "pay.once": "once"} {
		s.members[0].c.Tool(s.World, name, effect)
	}
	rig.Pause(steady)
	var clients, people sync.WaitGroup
	for i := range 4 {
		clients.Go(func() { s.order(i) })
	}
	for i := range 2 {
		people.Go(func() { s.decide(i) })
	}
	blows := s.blow()
	clients.Wait()
	close(s.stop)
	people.Wait()
	s.calm()
	s.check()
	t.Logf("%s; %d runs acknowledged, %d decisions, %d calls of tools, %d streams exact, which broke %d times",
		blows, len(s.ids), s.decided.Load(), len(s.Tools.Ledger()), s.exact.Load(), s.breaks.Load())
	slices.Sort(s.moved)
	t.Logf("takeovers: %v", s.moved)
	if n := len(s.moved); n > 0 {
		t.Logf("%d takeovers took %v to %v, half of them %v or less", n, s.moved[0], s.moved[n-1], s.moved[(n-1)/2])
		limit := takeover + slack
		if os.Getenv("ERRAND_STORM_SECONDS") != "" {
			limit = takeover // on a machine that has nothing else to do
		}
		if s.moved[n-1] > limit {
			t.Errorf("a takeover took %v", s.moved[n-1])
		}
	}
}

// anyone is a node by chance; it may be dead at the moment.
func (s *tempest) anyone(chance *rand.Rand) *rig.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members[chance.IntN(len(s.members))].c
}

// patience is how long a reader waits for the next event of a run that has one.
const patience = 40 * time.Second

func (s *tempest) over() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// long is a reply that takes about a second to write.
var long = strings.TrimSpace(strings.Repeat("größer als gedacht ", 15))

var stormRuns = []struct {
	tools []string
	gate  bool
	turns []string
}{
	{[]string{"book.safe"}, false, []string{`book.safe {"n":1}`, rig.Say("%s", long)}},
	{[]string{"book.keyed", "book.safe"}, false, []string{`book.keyed {"n":1} | book.safe {}`, rig.Say("%s", long)}},
	{[]string{"book.once"}, false, []string{`book.once {"n":1}`, `book.once {"n":2}`, rig.Say("Booked twice.")}},
	{[]string{"pay.once", "book.safe"}, true, []string{`book.safe {}`, `pay.once {"amount":1}`, rig.Say("%s", long)}},
}

// order orders runs until all are ordered, evenly over the storm, and reads some.
func (s *tempest) order(client int) {
	chance := rand.New(rand.NewPCG(s.seed, uint64(100+client)))
	pause := s.length * 4 / time.Duration(s.runs) * 9 / 10
	var reading sync.WaitGroup
	defer reading.Wait()
	for n := 0; s.ordered.Add(1) <= int64(s.runs); n++ {
		kind := stormRuns[chance.IntN(len(stormRuns))]
		body := map[string]any{"model": "auto", "background": true, "tools": kind.tools, "prompt": rig.Steps(fmt.Sprintf("storm %d %d", client, n), kind.turns...)}
		if kind.gate {
			body["approval"] = map[string]any{"required_for": []string{"pay.once"}}
		}
		for {
			answer, err := s.anyone(chance).Try(http.MethodPost, "/v1/runs", body, "Idempotency-Key", fmt.Sprintf("k-%d-%d", client, n))
			if err == nil && answer.Status < 300 {
				var r rig.Run
				answer.Into(&r)
				s.mu.Lock()
				s.ids = append(s.ids, r.ID)
				s.mu.Unlock()
				if n%2 == 0 {
					seed := chance.Uint64()
					reading.Go(func() { s.read(r.ID, seed) })
				}
				break
			}
			rig.Pause(50 * time.Millisecond)
		}
		rig.Pause(time.Duration(chance.Int64N(int64(2 * pause))))
	}
}

// read reads a run to its end over as many nodes as it takes.
func (s *tempest) read(id string, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 1))
	var o told
	for deadline := time.Now().Add(s.length + rig.Patience); !o.ended; {
		if time.Now().After(deadline) {
			s.T.Errorf("%s: its stream has not ended; the last was %s", id, o.last)
			return
		}
		var header []string
		if o.last != "" {
			header = []string{"Last-Event-ID", o.last}
		}
		c := s.anyone(chance)
		stream, err := c.TryFollow(http.MethodGet, "/v1/runs/"+id+"/stream", nil, header...)
		if err != nil || stream.Status != http.StatusOK {
			rig.Pause(50 * time.Millisecond)
			continue
		}
		impatient := time.AfterFunc(patience, func() {
			s.late(c.URL, id, len(o.events))
			stream.Close()
		})
		for !o.ended {
			f, err := stream.Next()
			if err != nil {
				s.breaks.Add(1)
				break
			}
			if err := o.hear(f); err != nil {
				s.T.Errorf("%s: %v", id, err)
				return
			}
			if !f.Comment {
				impatient.Reset(patience)
			}
		}
		impatient.Stop()
		stream.Close()
	}
	for {
		var page struct{ Data []rig.Event }
		answer, err := s.anyone(chance).Try(http.MethodGet, "/v1/runs/"+id+"/events?limit=1000", nil)
		if err != nil || answer.Status != http.StatusOK {
			rig.Pause(50 * time.Millisecond)
			continue
		}
		answer.Into(&page)
		if err := o.exact(page.Data); err != nil {
			s.T.Errorf("%s: %v", id, err)
		}
		s.exact.Add(1)
		return
	}
}

// late fails the test if a node has kept from a reader what has long been in the log.
func (s *tempest) late(at, id string, told int) {
	there := ask[int](s.fleet, "SELECT seq FROM runs WHERE id = $1::uuid", strings.TrimPrefix(id, "run_"))
	if there > told {
		s.T.Errorf("%s told a reader of %s %d events in %v, and the log has %d", at, id, told, patience, there)
	}
}

// decide is a person: approves what waits at a gate, and decides about calls of which
// nobody knows what came.
func (s *tempest) decide(person int) {
	chance := rand.New(rand.NewPCG(s.seed, uint64(200+person)))
	for !s.over() {
		s.decideAll(s.anyone(chance), chance)
		rig.Pause(300 * time.Millisecond)
	}
}

func (s *tempest) decideAll(c *rig.Client, chance *rand.Rand) (some bool) {
	var inbox struct{ Data []rig.Action }
	answer, err := c.Try(http.MethodGet, "/v1/approvals?limit=100", nil)
	if err != nil || answer.Status != http.StatusOK {
		return true
	}
	answer.Into(&inbox)
	for _, a := range inbox.Data {
		doubt := a.Reason == "outcome_unknown"
		reject := doubt && chance.IntN(2) == 0
		if doubt {
			s.mu.Lock() // before it is decided: the answer may get lost
			s.doubts[a.Run+a.ID]++
			if !reject {
				s.allowed[a.Run+a.ID]++
			}
			s.mu.Unlock()
		}
		answer, err := c.Try(http.MethodPost, "/v1/runs/"+a.Run+"/approve", map[string]any{"action_ids": []string{a.ID}, "reject": reject})
		if err == nil && answer.Status < 300 {
			s.decided.Add(1)
		}
	}
	return len(inbox.Data) > 0
}

// blow strikes one node after the other, in a way that chance names, until the time is
// up, and says what it did.
func (s *tempest) blow() string {
	chance := rand.New(rand.NewPCG(s.seed, 1))
	count, left := map[string]int{}, []string(nil)
	for began := time.Now(); time.Since(began) < s.length; {
		m := s.members[chance.IntN(len(s.members))]
		if len(left) == 0 { // each before any comes again
			left = []string{"kill", "freeze", "silence", "sever", "end"}
		}
		at := chance.IntN(len(left))
		way := left[at]
		left = slices.Delete(left, at, at+1)
		count[way]++
		there, busy := s.names("nodes", "id"), s.names("runs WHERE live", "driver")
		struck := time.Now()
		switch way {
		case "kill":
			m.Kill()
		case "freeze":
			m.freeze()
		case "silence":
			m.link.silence()
		case "sever":
			m.link.sever()
		case "end":
			m.Terminate()
		}
		if way != "end" {
			s.watch(struck, there, busy)
			rig.Pause(time.Second) // so much longer it stays away
		}
		m.thaw()
		m.link.heal()
		if way == "kill" || way == "end" {
			s.rejoin(m)
		}
		rig.Pause(time.Duration(chance.Int64N(int64(2 * time.Second))))
		s.soon("three nodes", rig.Patience, func() bool {
			return ask[int](s.fleet, "SELECT count(*) FROM nodes WHERE expires_at > now()") == len(s.members)
		})
	}
	return fmt.Sprint(count)
}

// rejoin starts a node again, while clients look for one.
func (s *tempest) rejoin(m *member) {
	fresh := &member{f: m.f, env: m.env, data: m.data, link: m.link, program: m.program, arguments: m.arguments}
	fresh.start()
	s.mu.Lock()
	m.Server, m.c = fresh.Server, fresh.c
	s.mu.Unlock()
}

// watch waits until one of the nodes that were there is counted as dead and its runs
// have drivers again, and notes how long that took if it was one of the busy ones.
func (s *tempest) watch(struck time.Time, there, busy []string) {
	var gone []string
	s.soon("a takeover", rig.Patience, func() bool {
		left := s.names("nodes", "id")
		gone = slices.DeleteFunc(slices.Clone(there), func(name string) bool { return slices.Contains(left, name) })
		return len(gone) > 0 && ask[int](s.fleet, "SELECT count(*) FROM runs WHERE live AND driver = ANY($1)", gone) == 0
	})
	if slices.ContainsFunc(gone, func(name string) bool { return slices.Contains(busy, name) }) {
		s.moved = append(s.moved, time.Since(struck).Round(10*time.Millisecond))
	}
}

// names are the nodes that these rows name.
func (s *tempest) names(rows, column string) []string {
	return strings.Fields(ask[string](s.fleet, "SELECT coalesce(string_agg(DISTINCT "+column+", ' '), '') FROM "+rows))
}

// calm decides what still waits, until every run has ended.
func (s *tempest) calm() {
	chance := rand.New(rand.NewPCG(s.seed, 2))
	began := time.Now()
	s.soon("the end of all runs", rig.Patience, func() bool {
		s.decideAll(s.members[0].c, chance)
		return ask[int](s.fleet, "SELECT count(*) FROM runs WHERE live OR status = 'awaiting_approval'") == 0
	})
	s.T.Logf("calm %v after the storm", time.Since(began))
}

// check holds every run against the promises.
func (s *tempest) check() {
	c := s.members[1].c
	calls := map[string]int{}
	for _, call := range s.Tools.Ledger("book.once", "pay.once") {
		calls[call.Run+call.Action]++
	}
	seen, again, doubted := map[string]bool{}, 0, 0
	for _, id := range s.ids {
		r := c.Run(id)
		if seen[id] = true; r.Status != "completed" {
			s.T.Errorf("%s is %s: %+v", id, r.Status, r.Error)
		}
		finished := 0
		for i, e := range c.Events(id) {
			if outcome, _ := e.Data["outcome"].(string); e.Type == "tool.finished" && outcome == "unknown" {
				doubted++
			}
			if e.Seq != int64(i+1) {
				s.T.Errorf("%s: event %d has seq %d", id, i+1, e.Seq)
			}
			if e.Type == "run.finished" {
				finished++
			}
		}
		if finished != 1 {
			s.T.Errorf("%s has ended %d times", id, finished)
		}
	}
	for action, n := range calls {
		if n > 1 {
			again++
		}
		if n > 1+s.allowed[action] {
			s.T.Errorf("%s was called %d times, and people have allowed %d more than one", action, n, s.allowed[action])
		}
	}
	if n := ask[int](s.fleet, "SELECT count(*) FROM runs"); n != len(s.ids) || len(seen) != n {
		s.T.Errorf("%d runs were acknowledged and %d are there", len(seen), n)
	}
	s.T.Logf("%d calls had an outcome that nobody knew, a person was asked about %d and said of %d: again; %d were made more than once, each as a person said",
		doubted, len(s.doubts), len(s.allowed), again)
}
