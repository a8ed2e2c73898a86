//go:build unix

package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// Words come to all other nodes, in order, also when there are many and long ones; a
// node does not hear itself.
func TestWords(t *testing.T) {
	dsn := pgtest.Database(t)
	heard := make(chan string, 10_000)
	news := func(run.ID, int64) { t.Error("it hears of an append, and there is none") }
	speaker := open(t, Config{DSN: dsn, Heard: news, Hear: func(word []byte) { t.Errorf("it hears itself say %.20q", word) }})
	open(t, Config{DSN: dsn, Heard: news, Hear: func(word []byte) { heard <- string(word) }})
	for deadline := time.Now().Add(time.Minute); len(heard) == 0; { // until both are connected
		if time.Now().After(deadline) {
			t.Fatal("no word came")
		}
		speaker.Tell([]byte(`{"n":-1}`))
		time.Sleep(20 * time.Millisecond)
	}
	for n := range 300 {
		speaker.Tell([]byte(strings.Repeat("x", 9_000))) // gets lost, and nothing with it
		speaker.Tell(fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, n, strings.Repeat("größer", n%50*10)))
	}
	timeout := time.After(time.Minute)
	for n := 0; n < 300; {
		select {
		case word := <-heard:
			if word == `{"n":-1}` {
				continue
			}
			if want := fmt.Sprintf(`{"n":%d,"text":"%s"}`, n, strings.Repeat("größer", n%50*10)); word != want {
				t.Fatalf("word %d is %.40q of %d bytes, want %d", n, word, len(word), len(want))
			}
			n++
		case <-timeout:
			t.Fatalf("word %d did not come", n)
		}
	}
}

// TestNewsBeforeWords: what a node has committed is told after few of the words that wait,
// however many these are, and none of them is forgotten.
func TestNewsBeforeWords(t *testing.T) {
	w := &herald{self: "self", news: map[run.ID]int64{}, some: make(chan struct{}, 1)}
	s := &Store{herald: w}
	const all = 10 * wordsAtOnce
	for range all {
		s.Tell([]byte("word"))
	}
	s.Miss()
	for told := 0; told < all; {
		select {
		case <-w.some:
		default:
			t.Fatalf("%d of %d words are told, and nobody is woken for the others", told, all)
		}
		got, words := w.notices(), 0
		for _, n := range got {
			words += strings.Count(n.payload, "\n")
		}
		if words == 0 || words > wordsAtOnce || told == 0 && got[0].channel != newsChannel {
			t.Fatalf("%d words are told at once, behind what is for %s", words, got[0].channel)
		}
		told += words
	}
}
