package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// wordChannel is where nodes tell each other what is not stored.
const wordChannel = "errand_words"

// mostWords bounds what waits to be told while the server does not answer: a draft of
// which pieces are missing is told again when somebody asks for it.
const mostWords = 4_000

// Words carries words between the nodes of a store, such as pieces of a reply that is
// being written. Any of them may get lost.
type Words struct {
	line *herald // its connections
	hear func(word []byte)

	mu   sync.Mutex
	some []string // that wait
}

// Words begins to carry words: hear takes those of other nodes, and must not block.
// Close them before the store.
func (s *Store) Words(hear func(word []byte)) *Words {
	w := &Words{line: newHerald(s.pool.Config().ConnConfig, s.cfg), hear: hear}
	w.line.done.Go(func() { w.line.keep(w.send) })
	w.line.done.Go(func() { w.line.keep(w.listen) })
	return w
}

// Close ends both; what waits to be told is dropped.
func (w *Words) Close() error { return w.line.close() }

// longestWord is what fits into a notification beside its sender.
const longestWord = 7000

// Tell tells a word, without a line's end in it, to all other nodes, soon. It does not
// block. One that is longer than a notification gets lost: PostgreSQL would refuse what
// waits with it, too. A model can bring that about, by the name of a tool.
func (w *Words) Tell(word []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.some) >= mostWords || len(word) > longestWord {
		return
	}
	w.some = append(w.some, string(word))
	select {
	case w.line.some <- struct{}{}:
	default:
	}
}

func (w *Words) send(conn *pgx.Conn) error {
	for {
		select {
		case <-w.line.ctx.Done():
			return w.line.ctx.Err()
		case <-w.line.some:
		}
		w.line.wait(tellEvery)
		for _, payload := range w.payloads() {
			if err := notify(w.line.ctx, conn, payload); err != nil {
				return err
			}
		}
	}
}

func notify(ctx context.Context, conn *pgx.Conn, payload string) error {
	if _, err := conn.Exec(ctx, "SELECT pg_notify($1, $2)", wordChannel, payload); err != nil {
		return fmt.Errorf("telling %d bytes: %w", len(payload), err)
	}
	return nil
}

// payloads takes the words, as texts of the sender and then a word on each line.
func (w *Words) payloads() []string {
	w.mu.Lock()
	words := w.some
	w.some = nil
	w.mu.Unlock()
	var all []string
	var payload strings.Builder
	for _, word := range words {
		if payload.Len() > 0 && payload.Len()+1+len(word) > payloadBytes {
			all = append(all, payload.String())
			payload.Reset()
		}
		if payload.Len() == 0 {
			payload.WriteString(w.line.self)
		}
		payload.WriteString("\n" + word)
	}
	if payload.Len() > 0 {
		all = append(all, payload.String())
	}
	return all
}

func (w *Words) listen(conn *pgx.Conn) error {
	if _, err := conn.Exec(w.line.ctx, "LISTEN "+wordChannel); err != nil {
		return err
	}
	for {
		told, err := conn.WaitForNotification(w.line.ctx)
		if err != nil {
			return err
		}
		sender, words, _ := strings.Cut(told.Payload, "\n")
		if sender == w.line.self {
			continue
		}
		for word := range strings.SplitSeq(words, "\n") {
			w.hear([]byte(word))
		}
	}
}
