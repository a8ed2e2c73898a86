package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// A reader who falls behind gets what was said meanwhile in pieces: one who does not
// read at all holds one of them, and not the rest of a long reply.
func TestWhatLiesBehindComesInPieces(t *testing.T) {
	long := strings.Repeat("Grüße, 日本語 🧙 ", 5000)
	line := script.Say(long)
	line.Deltas = []run.Delta{{Kind: run.TextDelta, Text: long}} // all at once
	hold := make(chan struct{})
	model := script.Steps(line)
	model.Pace = func(ctx context.Context, _ run.Request, _ run.Delta) error {
		select {
		case <-hold:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	inWorld(t, model, func(t *testing.T, w *world) {
		hold = make(chan struct{})
		id := w.create(spec())
		places := []engine.Cursor{{}, {Seq: 1, Step: 1, Attempt: 1, Offset: strings.Index(long, "本")}}
		var reading sync.WaitGroup
		for _, from := range places {
			reading.Go(func() { inPieces(t, w.watch(t.Context(), id, from, false), long, from.Offset) })
		}
		synctest.Wait() // both have come to where the reply begins
		close(hold)
		reading.Wait()
	})
}

// inPieces holds the deltas of a reader against the text behind its offset.
func inPieces(t *testing.T, updates []engine.Update, text string, offset int) {
	t.Helper()
	const most = 4 << 10 // bytes of a delta, however much lies behind the reader
	said := ""
	for _, u := range updates {
		if u.Delta == nil {
			continue
		}
		said += u.Delta.Text
		if len(u.Delta.Text) > most || !utf8.ValidString(u.Delta.Text) || u.Cursor.Offset != offset+len(said) {
			t.Errorf("from %d: a delta of %d bytes, up to %d", offset, len(u.Delta.Text), u.Cursor.Offset)
			return
		}
	}
	if said != text[offset:] {
		t.Errorf("from %d: %d bytes were read, %d said", offset, len(said), len(text)-offset)
	}
}
