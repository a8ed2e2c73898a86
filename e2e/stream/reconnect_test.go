package stream

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

// house is the server of now, which readers find again after a restart, and the
// run that they read there.
type house struct {
	mu    sync.RWMutex
	now   *rig.Client
	run   string
	left  atomic.Int64 // connections that are still to be made
	lives chan life
	third sync.Map // readers that have been told some of the third reply
}

func (h *house) open(s *rig.Server) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = s.Client()
}

func (h *house) client() *rig.Client {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.now
}

// life is one reader's way through the whole stream, over all its connections.
type life struct {
	*told
	reader int
}

// TestReadersThatComeAndGo follows one run with 20 readers, who leave after a few
// frames, or before the first, and come back with the last id, 1,000 times in all,
// while the provider cuts characters in two, fails once and the server is killed
// in the middle of a reply. Each has every event once and in order, and each text
// byte for byte.
func TestReadersThatComeAndGo(t *testing.T) {
	t.Parallel()
	const readers, steps = 20, 4
	visits := int64(1000)
	if os.Getenv("ERRAND_SOAK") != "" {
		visits *= 10
	}
	seed := number(t, "ERRAND_SEED", time.Now().UnixNano())
	t.Logf("ERRAND_SEED=%d", seed)
	b := newBook(uint64(seed), steps)
	w := rig.New(t)
	newAuthor(t, w).write = b.write
	server := w.Start()
	h := &house{lives: make(chan life, visits)}
	h.left.Store(visits)
	h.open(server)
	h.client().Tool(w, "book.safe", "safe")
	h.run = background(h.client(), "Write four chapters.", "book.safe")
	var reading sync.WaitGroup
	for i := range readers {
		reading.Go(func() { h.visit(i, rand.New(rand.NewPCG(uint64(seed), uint64(1+i)))) })
	}
	rig.Await(t, "the third reply", b.middle)
	w.Eventually("most readers to be in the middle of it", func() bool {
		count := 0
		h.third.Range(func(any, any) bool { count++; return true })
		return count >= readers*3/4
	})
	server.Kill()
	h.open(w.Start())
	reading.Wait()
	close(h.lives)
	var log []string
	for _, e := range h.client().Events(h.run) {
		log = append(log, fmt.Sprint(e.Seq, " ", e.Type))
	}
	count, resets := 0, 0
	for l := range h.lives {
		l.check(t, log, b.chapters)
		count++
		resets += l.resets
	}
	if resets < readers/2 {
		t.Errorf("only %d resets were seen: the kill was meant to come in the middle of a reply", resets)
	}
	t.Logf("%d connections, %d whole readings of %d events, %d resets", visits, count, len(log), resets)
}

// book is what the author writes: a chapter for each step, the same in every
// attempt, and cut in other places.
type book struct {
	seed     uint64
	chapters map[int]string
	middle   chan struct{} // closed in the middle of the third
}

func newBook(seed uint64, steps int) *book {
	b := &book{seed: seed, chapters: map[int]string{}, middle: make(chan struct{})}
	chance := rand.New(rand.NewPCG(seed, 0))
	for step := range steps {
		b.chapters[step+1] = prose(chance, 3000)
	}
	return b
}

// write writes the chapter of a step. At the second the provider fails once; the
// first attempt at the third comes to its middle, and no further.
func (b *book) write(c rig.Conversation, attempt int, say func(string) bool) []rig.ToolCall {
	step := c.Step() + 1
	if step == 2 && attempt == 1 {
		return []rig.ToolCall{{Name: crash}}
	}
	said := 0
	for _, piece := range pieces(rand.New(rand.NewPCG(b.seed, uint64(100*step+attempt))), b.chapters[step], 24) {
		if !say(piece) {
			return nil
		}
		if said += len(piece); step == 3 && attempt == 1 && said > 1500 {
			close(b.middle)
			for say("") { // until its caller is killed
				pause(20 * time.Millisecond)
			}
			return nil
		}
		pause(5 * time.Millisecond)
	}
	if step == len(b.chapters) {
		return nil
	}
	return []rig.ToolCall{{Name: "book.safe", Arguments: fmt.Sprintf(`{"n":%d}`, step)}}
}

// visit reads the run's stream again and again, in as many connections as are
// left for all, and hands on each whole reading.
func (h *house) visit(reader int, chance *rand.Rand) {
	l := life{told: newTold(), reader: reader}
	for h.left.Load() > 0 || l.last != "" && !l.ended {
		stay := chance.IntN(30) // frames; 0 = it leaves before it has read any
		if h.left.Add(-1) < 0 {
			stay = 1 << 20 // no more leaving: it reads on to the end
		}
		c := h.client()
		path, header := "/v1/runs/"+h.run+"/stream", []string{"Last-Event-ID", l.last}
		if l.last == "" || chance.IntN(2) == 0 {
			path, header = path+"?after="+l.last, nil
		}
		s, err := c.TryFollow(http.MethodGet, path, nil, header...)
		if err != nil {
			h.left.Add(1)
			pause(20 * time.Millisecond) // it is being restarted
			continue
		}
		if s.Status != http.StatusOK {
			c.T.Errorf("reader %d after %q: status %d", reader, l.last, s.Status)
			return
		}
		for ; stay > 0 && !l.ended; stay-- {
			f, err := s.Next()
			if err != nil {
				break // the server was killed
			}
			if err := l.hear(f); err != nil {
				c.T.Error(err)
			}
			if l.texts[3] != "" {
				h.third.Store(reader, true)
			}
		}
		s.Close()
		if l.ended {
			h.lives <- l
			l = life{told: newTold(), reader: reader}
			pause(time.Duration(chance.IntN(20)) * time.Millisecond)
		}
	}
}

// check holds what a reader was told against the run's log and the author's texts.
func (l life) check(t *testing.T, log []string, texts map[int]string) {
	t.Helper()
	if diff := cmp.Diff(log, l.events); diff != "" {
		t.Errorf("reader %d (-log +told):\n%s", l.reader, diff)
	}
	for step, text := range texts {
		if l.whole[step] != text {
			t.Errorf("reader %d: step %d is %q, and was %q", l.reader, step, l.whole[step], text)
		}
		if draft, any := l.texts[step]; any && draft != text {
			t.Errorf("reader %d: the deltas of step %d are %q, and should be %q", l.reader, step, draft, text)
		}
	}
}
