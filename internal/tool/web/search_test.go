package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
	"errand/internal/tool/tooltest"
	"errand/internal/tool/web/search"
)

// shelf is an index of one document, which is there for any query with its word.
type shelf struct{}

const shelved = "index://docs/late%20fees.md"

func (shelf) Search(_ context.Context, _, query string, limit int) ([]run.Source, error) {
	if !strings.Contains(query, "fee") {
		return nil, nil
	}
	var found []run.Source
	for i := range min(limit, 3) {
		found = append(found, run.Source{Title: "Late fees", URL: fmt.Sprintf("%s?%d&x", shelved, i), Snippet: "Five percent <b>a month</b>."})
	}
	return found, nil
}

func (shelf) Document(_ context.Context, project, address string) (title, text string, err error) {
	if address != shelved || project != "default" {
		return "", "", problem.New(problem.NotFound, "there is no such document")
	}
	return "Late fees", "Five percent a month.", nil
}

func searcher(t *testing.T, settings search.Settings) *Searcher {
	t.Helper()
	settings.Guard, settings.Agent = egress.New(egress.Config{}), "errand/test"
	s, err := NewSearch(settings, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSearchKeepsToolPromises(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	tooltest.Run(t, tooltest.Case{
		Tool:  searcher(t, search.Settings{Index: shelf{}}),
		Works: []string{`{"query":"late fee"}`, `{"query":"zebra","count":1}`, `{"query":"` + strings.Repeat("ä", 400) + `"}`, `{"query":"fee","count":20}`},
		Fails: []string{`{"query":" "}`, `{"query":"\u202e"}`},
		Bad:   []string{`{}`, `{"query":7}`, `{"query":""}`, `{"query":"x","count":0}`, `{"query":"x","count":21}`, `[]`, `{"query":"` + strings.Repeat("x", 401) + `"}`},
	})
	tooltest.Run(t, tooltest.Case{Tool: searcher(t, search.Settings{SearXNG: slow.URL}), Slow: `{"query":"x"}`})
	tooltest.Run(t, tooltest.Case{Tool: searcher(t, search.Settings{SearXNG: "http://127.0.0.1:9", Index: shelf{}}), Works: []string{`{"query":"fee"}`}, Fails: []string{`{"query":"zebra"}`}})
}

func TestWhatASearchGivesBack(t *testing.T) {
	s := searcher(t, search.Settings{Index: shelf{}, Keys: map[string]string{"brave": ""}})
	if d := s.Describe(); !d.Cites || d.Class != run.Safe || len(s.Secrets()) != 0 {
		t.Errorf("%+v", d)
	}
	result, err := s.Call(t.Context(), tooltest.Call(s, `{"query":" late \n fee "}`))
	if err != nil {
		t.Fatal(err)
	}
	var found run.Found
	if err := json.Unmarshal([]byte(result.Output), &found); err != nil {
		t.Fatal(err)
	}
	if found.Query != "late fee" || found.Provider != "index" || len(found.Results) != 3 || !strings.Contains(found.Note, "own index") || found.Results[0].Snippet != "Five percent a month." {
		t.Errorf("%+v", found)
	}
	if !strings.Contains(result.Output, `"`+shelved+`?0&x"`) {
		t.Errorf("a model does not see the address as it is: %s", result.Output)
	}
	if result, err = s.Call(t.Context(), tooltest.Call(s, `{"query":"zebra"}`)); err != nil || !strings.Contains(result.Output, `"results":[]`) || !strings.Contains(result.Output, "Nothing was found") {
		t.Errorf("%s %v", result.Output, err)
	}
}

func TestSearchOutputIsBounded(t *testing.T) {
	var found run.Found
	for i := range 20 {
		found.Results = append(found.Results, run.Source{URL: fmt.Sprintf("https://example.com/%d", i), Snippet: strings.Repeat("\x01", 3000)})
	}
	result, err := encoded(found)
	if err != nil || len(result.Output) > tool.MaxOutput || !json.Valid([]byte(result.Output)) || !strings.Contains(result.Output, "example.com/2\"") {
		t.Errorf("%d bytes, %v", len(result.Output), err)
	}
}

// TestSeveralPages are read at once; each that fails is said in its place.
func TestSeveralPages(t *testing.T) {
	s := site(t).URL
	holes, err := egress.ParseAllow("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{Guard: egress.New(egress.Config{Allow: holes}), Agent: "errand/test", Library: shelf{}})
	defer f.Close()
	call := func(arguments string) (string, error) {
		result, err := f.Call(t.Context(), tooltest.Call(f, arguments))
		return result.Output, err
	}
	got, err := call(`{"url":"` + s + `/plain","urls":["` + s + `/gone","` + shelved + `","` + s + `/plain","index://docs/none.md","http://10.0.0.1/","` + s + `/bigtext"]}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"[page 1 of 6]\nURL: " + s + "/plain\n\njust text", "[page 2 of 6]\nURL: " + s + "/gone\nNot read: ", "answered 410 Gone", "[page 3 of 6]\nTitle: Late fees\nURL: " + shelved + "\n\nFive percent a month.",
		"index://docs/none.md is not in this server's index", "10.0.0.1 is a non-public address", "[page 6 of 6]\n", "fetch it alone for more]",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%.3000s", want, got)
		}
	}
	if len(got) > tool.MaxOutput {
		t.Errorf("%d bytes", len(got))
	}
	if _, err := call(`{"urls":["` + s + `/gone","file:///etc/passwd"]}`); !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, "410") || !strings.Contains(problem.From(err).Detail, "must begin with http") {
		t.Error(err)
	}
	if got, err := call(`{"urls":["` + s + `/plain","` + s + `/plain"]}`); err != nil || strings.Contains(got, "[page") {
		t.Errorf("one address, twice: %s %v", got, err)
	}
	if _, err := call(`{"urls":["a","b","c","d","e","f","g","h","i"]}`); err == nil || !strings.Contains(problem.From(err).Detail, "at most 8") {
		t.Error(err)
	}
	if got, err := call(`{"url":"` + shelved + `"}`); err != nil || !strings.HasPrefix(got, "Title: Late fees\n") {
		t.Error(got, err)
	}
}

// TestPagesAreReadAtOnce: six slow ones take the time of one.
func TestPagesAreReadAtOnce(t *testing.T) {
	gate := make(chan struct{})
	waiting := make(chan struct{}, 6)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting <- struct{}{}
		select {
		case <-gate:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("here"))
	}))
	defer server.Close()
	go func() { // the pages are let go when all of them are being asked for
		for range 6 {
			<-waiting
		}
		close(gate)
	}()
	f := fetcher(t, "127.0.0.0/8")
	var urls []string
	for i := range 6 {
		urls = append(urls, fmt.Sprintf(`"%s/%d"`, server.URL, i))
	}
	result, err := f.Call(t.Context(), tooltest.Call(f, `{"urls":[`+strings.Join(urls, ",")+`]}`))
	if err != nil || strings.Count(result.Output, "here") != 6 {
		t.Errorf("%s %v", result.Output, err)
	}
}
