package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/auth"
	"errand/internal/run"
	"errand/internal/store/sqlite"
)

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 1: 4} {
		if got := quantile(values, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
	if values[0] != 4 {
		t.Error("quantile has sorted its argument")
	}
}

func TestRatiosPairRounds(t *testing.T) {
	if got, want := ratios([]float64{2, 9, 5}, []float64{4, 3, 0}), []float64{0.5, 3}; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := differences([]float64{2, 9}, []float64{4, 3}), []float64{-2, 6}; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestBehaviourName(t *testing.T) {
	for _, b := range []behaviour{{turns: 200, tokens: 5, first: 50 * time.Millisecond, gap: time.Second}, searching()} {
		got, err := parseBehaviour(b.String())
		if err != nil || got != b {
			t.Errorf("%s reads back as %+v, %v", b, got, err)
		}
	}
	for _, bad := range []string{"", "gpt-5", "t1-n2-f3", "t1-n2-f3-g-4", "n1-t2-f3-g4", "s1-s2-f3-g4"} {
		if _, err := parseBehaviour(bad); err == nil {
			t.Errorf("%q is taken for a behaviour", bad)
		}
	}
}

func TestParseStat(t *testing.T) {
	const line = "42 (a (strange) name) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 8 20 0 9 0 100 1000 200"
	got, err := parseStat([]byte(line))
	if err != nil || got != 2*time.Second {
		t.Errorf("got %v, %v; want 2s", got, err)
	}
	if _, err := parseStat([]byte("42 (name) S 1")); err == nil {
		t.Error("a line without times is taken")
	}
}

func TestParseSizesAndMetrics(t *testing.T) {
	sizes := parseSizes([]byte("Name:\terrand\nVmRSS:\t  2048 kB\nThreads:\t8\n"))
	if want := map[string]float64{"VmRSS": 2 * mega}; !cmp.Equal(sizes, want) {
		t.Errorf("sizes %v, want %v", sizes, want)
	}
	figures := parseMetrics([]byte("# HELP a b\na_total 12\nb{x=\"1 2\"} 3\nc 1e3\n"))
	if want := map[string]float64{"a_total": 12, "c": 1000}; !cmp.Equal(figures, want) {
		t.Errorf("metrics %v, want %v", figures, want)
	}
}

func TestChart(t *testing.T) {
	c := chart{unit: "ms", bars: []bar{{"long", 10}, {"none", 0}, {"a little", 0.01}}}
	lines := strings.Split(c.draw(), "\n")
	for i, want := range []int{barWidth, 0, 1} {
		if got := strings.Count(lines[i], "█"); got != want {
			t.Errorf("bar %d has %d blocks, want %d", i, got, want)
		}
	}
	if got := count(1_234_567) + count(12) + count(100_000); got != "1,234,56712100,000" {
		t.Errorf("commas: %s", got)
	}
}

// TestReplies holds that the mock's two forms say the same: a stream's pieces are
// whole events, and all JSON in them is valid.
func TestReplies(t *testing.T) {
	for _, key := range []replyKey{{call: true, stream: true}, {call: true}, {tokens: 3, stream: true}, {tokens: 3}, {search: true, call: true, stream: true}, {search: true, tokens: 20, stream: true}} {
		for _, piece := range key.make() {
			for event := range strings.SplitSeq(strings.TrimSpace(string(piece)), "\n\n") {
				if text := strings.TrimPrefix(event, "data: "); text != "[DONE]" && !json.Valid([]byte(text)) {
					t.Errorf("%+v: no JSON: %s", key, text)
				}
			}
		}
	}
}

// TestSearchingModel holds that what the model cites has been found, and that its
// answer is as long as one that cites nothing.
func TestSearchingModel(t *testing.T) {
	if !json.Valid(pageOfHits) || !bytes.Contains(pageOfHits, []byte(`"url":"`+cited+`"`)) {
		t.Errorf("the search engine does not find %s", cited)
	}
	words := replyKey{search: true, tokens: 20}.words()
	if text := strings.Join(words, ""); len(words) != 20 || !answered(text) || answered(strings.Join(replyKey{tokens: 20}.words(), "")) {
		t.Errorf("%d tokens: %s", len(words), text)
	}
}

// TestWrongAnswersDoNotCount: an answer without its results or its citation, and a
// batch with one item that is another's, are no runs.
func TestWrongAnswersDoNotCount(t *testing.T) {
	text := strings.Join(replyKey{search: true, tokens: 20}.words(), "")
	results := `{"type":"web_search.results","content":[{"url":"a"},{"url":"b"},{"url":"` + cited + `"}]}`
	answer := func(text string) string { return `{"type":"message.answer","text":"` + text + `"}` }
	if err := checkExpress([]byte(`{"output":[` + results + `,` + answer(text) + `]}`)); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{answer(text), answer(text) + `,` + results, results + `,` + answer(lastWord), results} {
		if checkExpress([]byte(`{"output":[`+wrong+`]}`)) == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	batch := func(names ...int) []byte {
		var all []string
		for _, name := range names {
			all = append(all, fmt.Sprintf(`{"success":true,"name":"Clerk %d","outputs":[{"content":"%s"},{"content":"%s"}]}`, name, cited, text))
		}
		return []byte(`{"results":[` + strings.Join(all, ",") + `]}`)
	}
	if err := checkBatch(batch(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][]byte{batch(0, 1), batch(0, 1, 2, 3, 4, 5, 6, 7, 9, 8), bytes.Replace(batch(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), []byte(citation), nil, 1)} {
		if checkBatch(wrong) == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
}

// TestFloor makes the work through the floor in this process and looks at what is
// in its log: the same six events as Errand keeps.
func TestFloor(t *testing.T) {
	m, err := startMock()
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	log, err := openFloorLog(filepath.Join(t.TempDir(), "floor.db"))
	if err != nil {
		t.Fatal(err)
	}
	f := &floor{log: log, client: newClient(), model: m.url + "/v1/chat/completions", tool: m.url + "/tool"}
	run := &floorRun{f: f, id: []byte("run"), created: make(chan error, 1), messages: []wireMessage{{Role: "user", Content: prompt}}}
	run.submit(run.created, run.event("run.created", nil))
	answer, err := run.loop(context.Background(), behaviour{turns: 2, tokens: 3}.String())
	if err != nil || answer != "word word finis." {
		t.Fatalf("answer %q, %v", answer, err)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	if run.seq != 9 { // created; twice responded, started, finished; responded, finished
		t.Errorf("%d events, want 9", run.seq)
	}
	f.client.CloseIdleConnections()
}

// TestSeed holds that seeded runs are what the store and the lists take them for.
func TestSeed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seeded")
	const runs = 1200
	if err := seed(context.Background(), dir, runs, finished); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(context.Background(), sqlite.Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	lines, err := store.Runs(context.Background(), run.RunQuery{Project: auth.DefaultProject})
	if err != nil || len(lines) != runs {
		t.Fatalf("%d runs, %v", len(lines), err)
	}
	ends := map[run.Status]int{}
	for i := range lines {
		ends[lines[i].Status]++
		if lines[i].Live || !lines[i].Status.Terminal() {
			t.Fatalf("run %d has not ended: %+v", i, lines[i])
		}
		if i > 0 && bytes.Compare(lines[i-1].ID[:], lines[i].ID[:]) <= 0 {
			t.Fatal("the ids are not in order")
		}
	}
	if ends[run.Completed] < runs*8/10 || ends[run.FailedStatus] == 0 || ends[run.CancelledStatus] == 0 {
		t.Errorf("ends %v", ends)
	}
}

// TestParkedSeed holds that a parked run waits for a person.
func TestParkedSeed(t *testing.T) {
	s := &seeder{random: newRandom(), at: time.Unix(1_800_000_000, 0), between: time.Second}
	line := s.next(parked).Summary
	if line.Status != run.AwaitingApproval || line.Pending != 1 || line.Live {
		t.Errorf("%+v", line)
	}
}

// TestPage holds that the document is written from the rows.
func TestPage(t *testing.T) {
	b := &bench{scratch: t.TempDir(), rows: []row{{figure: "speed", hold: ">= 1", errand: "2", held: true, note: "a remark"}, {figure: "size", hold: "<= 1"}},
		charts: []chart{{title: "A picture", unit: "s", bars: []bar{{"one", 1}}}}}
	text, err := b.page(machine{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| speed | >= 1 |  | 2 |  | yes |", "**no**", "- speed: a remark.", "## A picture", "█"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, os.TempDir()+"/TestPage") {
		t.Error("the page has a path of this machine")
	}
}
