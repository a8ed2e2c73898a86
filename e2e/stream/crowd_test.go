package stream

import (
	"bufio"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/e2e/rig"
)

// many is how many readers only wait.
const many = 1000

// TestThousandIdleStreams holds 1,000 streams of a run that waits for a person:
// each gets a heartbeat, and what one costs is little.
func TestThousandIdleStreams(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	var r rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"book.once"}, "approval": map[string]any{"required_for": []string{"book.once"}},
		"prompt": rig.Steps("wait", `book.once {"n":1}`),
	}, &r)
	before := figures(t, s.URL)
	began := time.Now()
	readers := gather(t, s.URL, r.ID, many, 4<<10)
	var hearing sync.WaitGroup
	var beats atomic.Int64
	for i, conn := range readers.conns {
		hearing.Go(func() {
			_ = conn.SetReadDeadline(time.Now().Add(rig.Patience))
			for lines := bufio.NewReader(conn); ; {
				line, err := lines.ReadString('\n')
				if err != nil {
					t.Errorf("stream %d had no heartbeat: %v", i, err)
					return
				}
				if strings.HasPrefix(line, ": ") {
					beats.Add(1)
					return
				}
			}
		})
	}
	w.Eventually("all streams", func() bool { return figures(t, s.URL)["errand_streams"] == many })
	opened := time.Since(began)
	during := figures(t, s.URL)
	each := (memory(during) - memory(before)) / many
	hearing.Wait()
	t.Logf("%d streams open after %v: %.1f KB of heap and stacks each, %.1f KB resident, %.1f goroutines; %d had their heartbeat",
		many, opened, each/1000, (during["process_resident_memory_bytes"]-before["process_resident_memory_bytes"])/many/1000,
		(during["go_goroutines"]-before["go_goroutines"])/many, beats.Load())
	if each > idleCost {
		t.Errorf("%.0f bytes of memory each, want at most %.0f", each, idleCost)
	}
	readers.leave()
	w.Eventually("all to have left", func() bool {
		f := figures(t, s.URL)
		return f["errand_streams"] == 0 && f["go_goroutines"] < before["go_goroutines"]+20 && f["process_open_fds"] < before["process_open_fds"]+20
	})
	if code := s.Terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestThousandReadersThatNeverRead lets 1,000 readers ask for the stream of a long
// reply and read nothing of it. Those who read are not slowed, what the server
// holds for one who does not is bounded, and it is dropped within givenUp.
func TestThousandReadersThatNeverRead(t *testing.T) {
	const good = 5
	w := rig.New(t)
	n := newNovel(prose(rand.New(rand.NewPCG(uint64(number(t, "ERRAND_SEED", 1)), 0)), 600_000))
	newAuthor(t, w).write = n.write
	t.Cleanup(n.start) // before the author's own end, which waits for what he writes
	t.Cleanup(n.end)
	s := w.Start()
	c := s.Client()
	run := background(c, "Write a book.")
	var reading sync.WaitGroup
	lags := make([][]time.Duration, good)
	for i := range good {
		live := c.Stream(run, "")
		reading.Go(func() { lags[i] = n.follow(t, live) })
	}
	before := figures(t, s.URL)
	crowd := gather(t, s.URL, run, silent, 4<<10)
	w.Eventually("all streams", func() bool { return figures(t, s.URL)["errand_streams"] == silent+good })
	opened := figures(t, s.URL)
	began := time.Now()
	n.start()
	peak, dropped := watchDrops(t, s.URL, good)
	patience := dropped.Sub(rig.Await(t, "the text", n.written))
	n.end()
	reading.Wait()
	all := slices.Concat(lags...)
	slices.Sort(all)
	each := (peak - memory(before)) / silent
	t.Logf("%d readers that never read: %.1f KB of memory each at most (%.1f when idle); the last was dropped %v after the first text and %v after the last; %d readers that read were behind the model by %v at the median, %v at p99, %v at worst",
		silent, each/1000, (memory(opened)-memory(before))/silent/1000, dropped.Sub(began).Round(time.Millisecond), patience.Round(time.Millisecond),
		good, all[len(all)/2], all[len(all)*99/100], all[len(all)-1])
	if each > silentCost {
		t.Errorf("%.0f bytes of memory each, want at most %.0f", each, silentCost)
	}
	if patience > givenUp {
		t.Errorf("the last was dropped after %v, want %v at most", patience, givenUp)
	}
	if worst := all[len(all)-1]; worst > slowest {
		t.Errorf("a reader was behind by %v, want at most %v", worst, slowest)
	}
	crowd.leave()
	if r := c.Until(run, "completed"); !strings.HasSuffix(r.Summary(), n.text[len(n.text)-1000:]) {
		t.Errorf("the run ended with %d bytes", len(r.Summary()))
	}
	w.Eventually("nothing to be left", func() bool {
		f := figures(t, s.URL)
		return f["errand_streams"] == 0 && f["process_open_fds"] < before["process_open_fds"]+20
	})
}

// novel is one long reply.
type novel struct {
	text        string
	begin, stop chan struct{}
	written     chan time.Time // when nearly all of it was
	said        sync.Map       // time by offset
	start, end  func()         // close begin and stop
}

func newNovel(text string) *novel {
	n := &novel{text: text, begin: make(chan struct{}), stop: make(chan struct{}), written: make(chan time.Time, 1)}
	n.start, n.end = sync.OnceFunc(func() { close(n.begin) }), sync.OnceFunc(func() { close(n.stop) })
	return n
}

// write writes nearly all of the text in a few seconds, goes on with a dot now and
// then until the test has seen enough, and ends with the rest.
func (n *novel) write(_ rig.Conversation, _ int, say func(string) bool) []rig.ToolCall {
	<-n.begin
	at := 0
	for len(n.text)-at > 2000 {
		end := at + 1000
		for n.text[end]&0xC0 == 0x80 { // whole characters, so that each piece is its own delta
			end++
		}
		n.said.Store(end, time.Now())
		if !say(n.text[at:end]) {
			return nil
		}
		at = end
		pause(5 * time.Millisecond)
	}
	n.written <- time.Now() // whoever does not read is blocked by now, or in a moment
	for over := false; !over; {
		select {
		case <-n.stop:
			over = true
		case <-time.After(50 * time.Millisecond):
			over = !say(".")
		}
	}
	say(n.text[at:])
	return nil
}

// follow reads a stream to its end and returns how long after its saying each
// piece arrived.
func (n *novel) follow(t *testing.T, live *rig.Stream) []time.Duration {
	var lags []time.Duration
	o := newTold()
	for !o.ended {
		f, err := live.Next()
		if err != nil {
			t.Errorf("a reader that reads was cut off: %v", err)
			return lags
		}
		if err := o.hear(f); err != nil {
			t.Error(err)
		}
		if at, known := n.said.Load(len(o.texts[1])); known && f.Event == "delta" {
			lags = append(lags, time.Since(at.(time.Time)))
		}
	}
	return lags
}

// watchDrops watches the server until it has dropped all streams but so many. It
// returns the most memory that it held, and when the last was dropped.
func watchDrops(t *testing.T, url string, remaining float64) (peak float64, dropped time.Time) {
	t.Helper()
	deadline := time.Now().Add(rig.Patience)
	for {
		f := figures(t, url)
		peak = max(peak, memory(f))
		if f["errand_streams"] == remaining {
			return peak, time.Now()
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v streams are still held", f["errand_streams"])
		}
		rig.Pause(100 * time.Millisecond)
	}
}
