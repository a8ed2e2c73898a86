package swarms_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"errand/internal/model/script"
	"errand/internal/run"
)

var update = flag.Bool("update", false, "write what is answered into testdata")

// masks hide what differs each time.
var masks = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\b(agent|batch|run)[-_][0-9a-f]{32}`), "$1-<id>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00`), "<time>"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "<uuid>"},
	{regexp.MustCompile(`("execution_time":) ?[0-9.]+`), "$1<seconds>"},
}

// twoChunks are two pieces of a text, one after the other.
var twoChunks = regexp.MustCompile(`event: chunk\ndata: \{"content":"([^"]*)","timestamp":"<time>"\}\n\nevent: chunk\ndata: \{"content":"([^"]*)","timestamp":"<time>"\}\n\n`)

// TestGolden holds what is answered to testdata. Each file is a story: what it is
// about, the path, the model's lines, the request, and the answer, byte for byte
// but for ids and times. An intended change is written with go test -update.
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
			given := map[string][]byte{}
			for _, part := range story.Files {
				given[part.Name] = part.Data
			}
			shown := &txtar.Archive{Comment: story.Comment, Files: slices.Clip(story.Files[:3])}
			shown.Files = append(shown.Files, txtar.File{Name: "answer", Data: tell(t, given)})
			if *update {
				if err := os.WriteFile(file, txtar.Format(shown), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(story)), string(txtar.Format(shown))); diff != "" {
				t.Errorf("go test -update writes what is answered now (-want +got):\n%s", diff)
			}
		})
	}
}

// tell makes the story's request and returns its masked answer.
func tell(t *testing.T, given map[string][]byte) []byte {
	var lines []script.Line
	for text := range strings.Lines(string(given["model.jsonl"])) {
		var line script.Line
		if err := json.Unmarshal([]byte(text), &line.Reply); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if line.Reply.Usage == (run.Usage{}) {
			line.Reply.Usage = run.Usage{Input: 45, Output: 120, Cost: 2735}
		}
		lines = append(lines, line)
	}
	w := newWorld(t, script.Steps(lines...))
	method, path, _ := strings.Cut(strings.TrimSpace(string(given["path"])), " ")
	got := w.do(method, path, string(given["request.json"]))
	body := got.Body
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		var out bytes.Buffer
		if err := json.Indent(&out, body, "", "  "); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		body = append(out.Bytes(), '\n')
	}
	for _, m := range masks {
		body = m.pattern.ReplaceAll(body, []byte(m.mask))
	}
	for before := ""; before != string(body); { // how a text is cut into chunks depends on who is quicker
		before = string(body)
		body = twoChunks.ReplaceAll(body, []byte("event: chunk\ndata: {\"content\":\"$1$2\",\"timestamp\":\"<time>\"}\n\n"))
	}
	return fmt.Appendf(nil, "%d %s\n%s", got.Status, got.Header.Get("Content-Type"), body)
}
