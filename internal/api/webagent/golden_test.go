package webagent_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"errand/internal/model/script"
)

var update = flag.Bool("update", false, "write what is answered into testdata")

// masks hide what differs each time.
var masks = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\brun_[0-9a-f]{32}`), "run_<id>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[0-9.]*Z`), "<time>"},
}

// TestGolden holds what is answered to testdata. Each file is a story: what it is
// about, the model's lines, and requests with their answers, byte for byte but for
// ids and times. An intended change is written with go test -update.
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
			shown := tell(t, story)
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

// tell makes the story's requests, each "METHOD path" with its body, and puts the
// masked answers behind them.
func tell(t *testing.T, story *txtar.Archive) *txtar.Archive {
	shown := &txtar.Archive{Comment: story.Comment}
	var w *world
	for _, part := range story.Files {
		method, path, isRequest := strings.Cut(part.Name, " ")
		switch {
		case part.Name == "model.jsonl":
			w = newWorld(t, script.Queue(lines(t, string(part.Data))...))
		case !isRequest:
			continue // an answer, which is made anew
		}
		shown.Files = append(shown.Files, part)
		if isRequest {
			shown.Files = append(shown.Files, txtar.File{Name: "answer", Data: ask(t, w, method, path, string(part.Data))})
		}
	}
	return shown
}

func lines(t *testing.T, text string) []script.Line {
	var all []script.Line
	for one := range strings.Lines(text) {
		var line script.Line
		if err := json.Unmarshal([]byte(one), &line.Reply); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
		all = append(all, line)
	}
	return all
}

func ask(t *testing.T, w *world, method, path, text string) []byte {
	got := w.do(method, path, text)
	var out bytes.Buffer
	if err := json.Indent(&out, got.Body, "", "  "); err != nil {
		t.Fatalf("%v: %s", err, got.Body)
	}
	body := append(out.Bytes(), '\n')
	for _, m := range masks {
		body = m.pattern.ReplaceAll(body, []byte(m.mask))
	}
	return fmt.Appendf(nil, "%d\n%s", got.Status, body)
}
