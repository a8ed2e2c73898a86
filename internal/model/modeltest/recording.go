package modeltest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"errand/internal/problem"
	"errand/internal/run"
)

// outcome is what a client makes of a recorded answer.
type outcome struct {
	Reply run.Reply `json:"reply"`
	Error string    `json:"error,omitempty"` // its code
	Wait  string    `json:"wait,omitempty"`  // that the provider asks for
}

// Recordings feeds a client the answers of a folder, in the shapes that
// providers' public documents show, and compares what it makes of them. A
// recording is a txtar file: a header that says where the shape comes from, the
// answer (status, headers, an empty line, the body), and the outcome as JSON,
// which update writes anew.
func Recordings(t *testing.T, folder string, update bool, open func(t *testing.T, name string, server http.Handler) Model) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in %s (%v)", folder, err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			recorded, err := txtar.ParseFile(file)
			if err != nil || len(recorded.Files) != 2 || recorded.Files[0].Name != "answer" || recorded.Files[1].Name != "outcome" {
				t.Fatalf("a recording has an answer and an outcome: %v", err)
			}
			if !strings.Contains(string(recorded.Comment), "https://") {
				t.Error("the header does not say which public document shows this")
			}
			m := open(t, name, replayed(t, string(recorded.Files[0].Data)))
			got := heardBy(t, m)
			text, err := json.MarshalIndent(got, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if update {
				recorded.Files[1].Data = append(text, '\n')
				if err := os.WriteFile(file, txtar.Format(recorded), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(recorded.Files[1].Data), string(text)+"\n"); diff != "" {
				t.Errorf("outcome (-want +got):\n%s", diff)
			}
		})
	}
}

func heardBy(t *testing.T, m Model) outcome {
	t.Helper()
	var deltas []run.Delta
	reply, err := m.Reply(t.Context(), Request(1), func(d run.Delta) { deltas = append(deltas, d) })
	if err != nil {
		failure := problem.From(err)
		told := outcome{Reply: reply, Error: string(failure.Code)}
		if failure.RetryAfter > 0 {
			told.Wait = failure.RetryAfter.String()
		}
		return told
	}
	Consistent(t, reply, deltas)
	return outcome{Reply: reply}
}

// replayed answers every request with the recorded answer.
func replayed(t *testing.T, answer string) http.Handler {
	t.Helper()
	head, body, _ := strings.Cut(answer, "\n\n")
	lines := strings.Split(head, "\n")
	status, err := strconv.Atoi(lines[0])
	if err != nil {
		t.Fatalf("the answer does not begin with its status: %v", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}
