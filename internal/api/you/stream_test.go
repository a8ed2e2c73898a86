package you

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"errand/internal/engine"
	"errand/internal/run"
)

// id is the run of all stories.
var id = run.NewID(time.Date(2026, 6, 11, 7, 5, 0, 0, time.UTC), 1, 0x4f1c9a02e6b7d3a8)

// TestTelling holds what a run's updates become to testdata/stream. Each file is a
// story: what it is about, the updates, the stream to the letter, and the JSON
// body (or error) of the same run. An intended change is written with go test
// -update, and read.
func TestTelling(t *testing.T) {
	files, err := filepath.Glob("testdata/stream/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := &txtar.Archive{Comment: story.Comment, Files: []txtar.File{story.Files[0]}}
			told.Files = append(told.Files, tell(t, story.Files[0].Data)...)
			if flag.Lookup("update").Value.String() == "true" {
				if err := os.WriteFile(file, txtar.Format(told), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(story)), string(txtar.Format(told))); diff != "" {
				t.Errorf("go test -update writes what is told now (-want +got):\n%s", diff)
			}
		})
	}
}

func tell(t *testing.T, text []byte) []txtar.File {
	t.Helper()
	updates := read(t, text)
	teller := &teller{state: run.State{ID: id}}
	var out recorder
	over := false
	for i := range updates {
		if over {
			t.Fatalf("update %d comes after the stream's end", i+1)
		}
		var err error
		if over, err = teller.tell(&out, updates[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !over {
		t.Error("the stream has no end")
	}
	state := teller.state
	var shown any
	body, err := show(&state, AnswerType)
	if shown = body; err != nil {
		shown = err.Error()
	}
	return []txtar.File{{Name: "stream", Data: []byte(out.String())}, {Name: "body", Data: encoded(t, shown)}}
}

// recorder writes frames as they go over the wire; that they really do is tested
// in testdata/request.
type recorder struct{ strings.Builder }

func (r *recorder) JSON(id, event string, value any) error {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	fmt.Fprintf(r, "id: %s\nevent: %s\ndata: %s\n", id, event, data.String())
	return err
}

func encoded(t *testing.T, value any) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// read reads one update per line: an event with milliseconds since the start and
// its stored body; a delta of a step: text, reasoning or a call; a reset.
func read(t *testing.T, text []byte) []engine.Update {
	t.Helper()
	var updates []engine.Update
	seq := int64(0)
	for one := range strings.Lines(string(text)) {
		var line struct {
			Event     run.Type
			Ms        int64
			Body      json.RawMessage
			Step      int
			Delta     string
			Reasoning string
			Call      string
			Reset     bool
		}
		decoder := json.NewDecoder(strings.NewReader(one))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		update := engine.Update{Cursor: engine.Cursor{Seq: seq, Step: line.Step, Attempt: 1}}
		switch {
		case line.Event != "":
			seq++
			e := run.Event{Seq: seq, At: id.Time().Add(time.Duration(line.Ms) * time.Millisecond)}
			if err := run.Decode(line.Event, line.Body, &e); err != nil {
				t.Fatal(err)
			}
			update.Event = &e
		case line.Reset:
			update.Reset = true
		case line.Call != "":
			update.Delta = &run.Delta{Kind: run.CallDelta, Name: line.Call}
		case line.Reasoning != "":
			update.Delta = &run.Delta{Kind: run.ReasoningDelta, Text: line.Reasoning}
		default:
			update.Delta = &run.Delta{Kind: run.TextDelta, Text: line.Delta}
		}
		updates = append(updates, update)
	}
	return updates
}
