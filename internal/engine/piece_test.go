package engine_test

import (
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// A reader who falls behind gets what was said meanwhile in pieces: one who does not
// read at all holds one of them, and not the rest of a long reply.
func TestWhatLiesBehindComesInPieces(t *testing.T) {
	const most = 4 << 10 // bytes of a delta, however much lies behind the reader
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
		for name, from := range map[string]engine.Cursor{
			"from the start": {}, "from the middle": {Seq: 1, Step: 1, Attempt: 1, Offset: strings.Index(long, "本")},
		} {
			read := make(chan []engine.Update)
			go func() { read <- w.watch(t.Context(), id, from, false) }()
			if name == "from the start" {
				defer func() { check(t, name, <-read, long, 0, most) }()
			} else {
				defer func() { check(t, name, <-read, long, from.Offset, most) }()
			}
		}
		close(hold)
	})
}

// check holds the deltas of a reader against the text behind its offset.
func check(t *testing.T, name string, updates []engine.Update, text string, offset, most int) {
	t.Helper()
	said := ""
	for _, u := range updates {
		if u.Delta == nil {
			continue
		}
		said += u.Delta.Text
		if len(u.Delta.Text) > most || !utf8.ValidString(u.Delta.Text) || u.Cursor.Offset != offset+len(said) {
			t.Fatalf("%s: a delta of %d bytes, up to %d", name, len(u.Delta.Text), u.Cursor.Offset)
		}
	}
	if said != text[offset:] {
		t.Errorf("%s: %d bytes were read, %d said", name, len(said), len(text)-offset)
	}
}
