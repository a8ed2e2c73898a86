package yao_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// moreMasks hide what differs each time in executions.
var moreMasks = regexp.MustCompile(`"duration_ms": ?\d+|\bdel_[0-9a-f]{32}`)

// TestExecutionGolden is TestGolden for robots and their executions. A part "until
// STATUS" waits until the execution that was named last has this status.
func TestExecutionGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/exec-*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			shown := &txtar.Archive{Comment: story.Comment}
			hands, model := newWorker()
			w := newWorld(t, model)
			defer hands.open()
			teller := storyteller{w: w, known: map[string]string{}}
			for _, part := range story.Files {
				status, waits := strings.CutPrefix(part.Name, "until ")
				switch {
				case strings.HasPrefix(part.Name, "answer"):
					continue
				case waits:
					w.until("my-robot", teller.known["$EXEC"], status)
					shown.Files = append(shown.Files, part)
					continue
				}
				answer := moreMasks.ReplaceAll(teller.tell(part.Data), []byte("<varies>"))
				name := strings.Replace(part.Name, "request", "answer", 1)
				shown.Files = append(shown.Files, part, txtar.File{Name: name, Data: answer})
			}
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
