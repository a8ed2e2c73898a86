package yao_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "write what is answered into testdata")

// masks hide what differs each time.
var masks = []struct {
	pattern *regexp.Regexp
	mask    string
}{
	{regexp.MustCompile(`\b(chatcmpl-|chat_|exec_|run_)[0-9a-f]{32}`), "$1<id>"},
	{regexp.MustCompile(`("(?:created|timestamp)": ?)\d+`), "$1<time>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "<time>"},
	{regexp.MustCompile(`\breq_[0-9a-f]{24}`), "req_<id>"},
	{regexp.MustCompile(`\bkey_[0-9a-f]{24}`), "key_<id>"},
	{regexp.MustCompile(`\bsk_live_\w{39}`), "<secret>"},
	{regexp.MustCompile(`\bsk_live_\w{4}\b`), "<prefix>"},
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+`), "http://127.0.0.1:<port>"},
}

// twoPieces are two pieces of a text, one after the other.
var twoPieces = regexp.MustCompile(`(data: \{[^\n]*"delta":\{"content":")([^"\n]+)("\},"finish_reason":null,"logprobs":null\}\]\})\n\ndata: \{[^\n]*"delta":\{"content":"([^"\n]+)"\},"finish_reason":null,"logprobs":null\}\]\}\n\n`)

// shownHeaders are those that a story shows.
var shownHeaders = []string{"Content-Type", "X-Chat-Id", "X-Execution-Id", "Location", "Www-Authenticate", "X-Should-Retry", "Cache-Control", "Access-Control-Allow-Origin"}

// TestGolden holds what is answered to testdata. Each file is a story: its requests
// and their answers, in turn, byte for byte but for ids and times. $CHAT and $EXEC in
// a request are the latest answer's. An intended change is written with -update.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/talk-*.txtar")
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
			w := newWorld(t, newHost(nil))
			teller := storyteller{w: w, known: map[string]string{}}
			for _, part := range story.Files {
				if strings.HasPrefix(part.Name, "answer") {
					continue
				}
				answer := teller.tell(part.Data)
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

// storyteller makes a story's requests.
type storyteller struct {
	w     *world
	known map[string]string
}

var answerNames = map[string]*regexp.Regexp{
	"$CHAT": regexp.MustCompile(`"chat_id": ?"([^"]+)"`), "$EXEC": regexp.MustCompile(`"execution_id": ?"([^"]+)"`),
	"$KEY": regexp.MustCompile(`"id": ?"(key_[^"]+)"`), "$SAID": regexp.MustCompile(`"content": ?("[^"]+"), ?"refusal"`),
}

// tell makes one request, which is a line of method and path, lines of headers, an
// empty line and a body, and returns the masked answer.
func (s *storyteller) tell(request []byte) []byte {
	text := string(request)
	for name, value := range s.known {
		text = strings.ReplaceAll(text, name, value)
	}
	head, body, _ := strings.Cut(text, "\n\n")
	line, headers, _ := strings.Cut(strings.TrimSpace(head), "\n")
	method, path, _ := strings.Cut(line, " ")
	var pairs []string
	for header := range strings.Lines(headers) {
		name, value, _ := strings.Cut(strings.TrimSpace(header), ": ")
		pairs = append(pairs, name, value)
	}
	got := s.w.do(method, path, body, pairs...)
	for name, pattern := range answerNames {
		if found := pattern.FindSubmatch(got.Body); found != nil {
			s.known[name] = string(found[1])
		}
	}
	shown := got.Body
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		var out bytes.Buffer
		if err := json.Indent(&out, shown, "", "  "); err != nil {
			s.w.t.Fatalf("%v: %s", err, shown)
		}
		shown = append(out.Bytes(), '\n')
	}
	shown = append(headersOf(got.Status, got.Header), shown...)
	for _, m := range masks {
		shown = m.pattern.ReplaceAll(shown, []byte(m.mask))
	}
	for before := ""; before != string(shown); { // how a text is cut into chunks depends on who is quicker
		before = string(shown)
		shown = twoPieces.ReplaceAll(shown, []byte("$1$2$4$3\n\n"))
	}
	return shown
}

func headersOf(status int, header http.Header) []byte {
	text := fmt.Appendf(nil, "%d\n", status)
	for _, name := range slices.Sorted(slices.Values(shownHeaders)) {
		if value := header.Get(name); value != "" && !(name == "Cache-Control" && value == "no-store") {
			text = fmt.Appendf(text, "%s: %s\n", name, value)
		}
	}
	return append(text, '\n')
}
