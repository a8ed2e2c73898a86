//go:build unix

package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/store/postgres/pgtest"
)

// Words come to all other nodes, in order, also when there are many and long ones; a
// node does not hear itself.
func TestWords(t *testing.T) {
	dsn := pgtest.Database(t)
	heard := make(chan string, 10_000)
	north, south := open(t, Config{DSN: dsn}), open(t, Config{DSN: dsn})
	speaker := north.Words(func(word []byte) { t.Errorf("it hears itself say %.20q", word) })
	defer speaker.Close()
	listener := south.Words(func(word []byte) { heard <- string(word) })
	defer listener.Close()
	for deadline := time.Now().Add(20 * time.Second); len(heard) == 0; { // until both are connected
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
	timeout := time.After(20 * time.Second)
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
