package native

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

var update = flag.Bool("update", false, "write what is shown into testdata")

// TestGolden holds what is shown of a run to testdata. Each file is a story: what
// it is about, the log, and what this API makes of it: the run's body, its trace,
// and its stream. An intended change is written with go test -update and read.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			shown := &txtar.Archive{Comment: story.Comment, Files: []txtar.File{story.Files[0]}}
			shown.Files = append(shown.Files, tellStory(t, story.Files[0].Data)...)
			if *update {
				if err := os.WriteFile(file, txtar.Format(shown), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(story)), string(txtar.Format(shown))); diff != "" {
				t.Errorf("go test -update writes what is shown now (-want +got):\n%s", diff)
			}
		})
	}
}

// id is the run of all stories.
var id = run.NewID(time.Date(2026, 6, 11, 7, 5, 0, 0, time.UTC), 1, 0x4f1c9a02e6b7d3a8)

func tellStory(t *testing.T, log []byte) []txtar.File {
	t.Helper()
	events := readLog(t, log)
	entries, state := trace(id, events)
	body := showRun(&state)
	var stream bytes.Buffer
	for i := range events {
		u := engine.Update{Cursor: engine.Cursor{Seq: events[i].Seq}, Event: &events[i]}
		event, data := frame(id, &u)
		fmt.Fprintf(&stream, "id: %s\nevent: %s\ndata: %s\n\n", u.Cursor, event, compact(t, data))
	}
	line := state.Summarize()
	return []txtar.File{
		{Name: "run.json", Data: indented(t, body)},
		{Name: "line.json", Data: indented(t, showLine(&line))},
		{Name: "trace.jsonl", Data: lines(t, entries)},
		{Name: "stream.txt", Data: stream.Bytes()},
	}
}

// readLog reads one event per line: its type, milliseconds since the start, and
// its stored body.
func readLog(t *testing.T, log []byte) []run.Event {
	t.Helper()
	var events []run.Event
	for text := range strings.Lines(string(log)) {
		var line struct {
			Type run.Type
			Ms   int64
			Body json.RawMessage
		}
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		e := run.Event{Seq: int64(len(events) + 1), At: id.Time().Add(time.Duration(line.Ms) * time.Millisecond)}
		if err := run.Decode(line.Type, line.Body, &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func compact(t *testing.T, value any) []byte {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(out.Bytes())
}

func indented(t *testing.T, value any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, compact(t, value), "", "  "); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), '\n')
}

func lines(t *testing.T, entries []traceEntry) []byte {
	t.Helper()
	var out bytes.Buffer
	for i := range entries {
		out.Write(compact(t, entries[i]))
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// TestTraceGrows shows that an entry, once told, never changes: the trace of a
// log's beginning is the beginning of its trace.
func TestTraceGrows(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		story, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		log := story.Files[0].Data
		whole, _ := trace(id, readLog(t, log))
		for n := range readLog(t, log) {
			part, _ := trace(id, readLog(t, log)[:n])
			if diff := cmp.Diff(string(lines(t, whole[:len(part)])), string(lines(t, part))); diff != "" {
				t.Fatalf("%s: after %d events: %s", file, n, diff)
			}
		}
	}
}

// TestDrafts are the frames of what is not stored.
func TestDrafts(t *testing.T) {
	at := engine.Cursor{Seq: 3, Step: 2, Attempt: 1, Offset: 17}
	for _, test := range []struct {
		update engine.Update
		event  string
		data   string
	}{
		{engine.Update{Cursor: at, Delta: &run.Delta{Kind: run.TextDelta, Text: "Ü"}}, "delta", `{"type":"delta","step":2,"attempt":1,"offset":17,"text":"Ü"}`},
		{engine.Update{Cursor: at, Delta: &run.Delta{Kind: run.ReasoningDelta, Text: "so"}}, "delta", `{"type":"delta","step":2,"attempt":1,"offset":17,"reasoning":"so"}`},
		{engine.Update{Cursor: at, Delta: &run.Delta{Kind: run.CallDelta, Call: 1, Name: "email.send"}}, "delta", `{"type":"delta","step":2,"attempt":1,"offset":17,"tool_call":{"index":1,"name":"email.send","arguments":""}}`},
		{engine.Update{Cursor: at, Delta: &run.Delta{Kind: run.CallDelta, Call: 1, Text: `{"a`}}, "delta", `{"type":"delta","step":2,"attempt":1,"offset":17,"tool_call":{"index":1,"arguments":"{\"a"}}`},
		{engine.Update{Cursor: engine.Cursor{Seq: 3, Step: 2, Attempt: 2}, Reset: true}, "reset", `{"step":2,"attempt":2}`},
	} {
		event, data := frame(id, &test.update)
		if got := string(compact(t, data)); event != test.event || got != test.data {
			t.Errorf("got %s %s, want %s %s", event, got, test.event, test.data)
		}
	}
}
