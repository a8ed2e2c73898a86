package search

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// fake is a provider that does what a test says.
type fake struct {
	name  string
	does  func(ctx context.Context, q Query) ([]run.Source, error)
	calls int
}

func (f *fake) Name() string { return f.name }

func (f *fake) Search(ctx context.Context, q Query) ([]run.Source, error) {
	f.calls++
	return f.does(ctx, q)
}

func finds(name string, urls ...string) *fake {
	return &fake{name: name, does: func(context.Context, Query) ([]run.Source, error) {
		var found []run.Source
		for _, url := range urls {
			found = append(found, run.Source{Title: "T", URL: url})
		}
		return found, nil
	}}
}

func fails(name string, err error) *fake {
	return &fake{name: name, does: func(context.Context, Query) ([]run.Source, error) { return nil, err }}
}

// hangs answers when the call ends.
func hangs(name string) *fake {
	return &fake{name: name, does: func(ctx context.Context, _ Query) ([]run.Source, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
}

// shelf is an index with one document, of one project.
type shelf struct{ of string }

func (s shelf) Search(_ context.Context, project, query string, _ int) ([]run.Source, error) {
	switch {
	case s.of == "broken":
		return nil, errors.New("disk I/O error in /var/lib/errand")
	case project != s.of:
		return nil, nil
	}
	return []run.Source{{Title: query, URL: "index://docs/a%28b%29.md"}}, nil
}

func down(status int) error { return problem.New(problem.ToolFailed, "answered %d", status) }

func TestFallback(t *testing.T) {
	const page = "https://example.com/"
	for name, c := range map[string]struct {
		providers []Provider
		from      string
		notes     []string
		fault     []string
	}{
		"the first answers":           {providers: []Provider{finds("brave", page), finds("exa", page)}, from: "brave"},
		"the first fails":             {providers: []Provider{fails("brave", down(503)), finds("exa", page)}, from: "exa", notes: []string{"brave answered 503."}},
		"the first finds nothing":     {providers: []Provider{finds("brave"), finds("exa", page)}, from: "exa", notes: []string{"brave found nothing."}},
		"the index answers":           {providers: []Provider{Local(shelf{"p"})}, from: "index", notes: []string{"this server's own index, not from the web"}},
		"the index after a failure":   {providers: []Provider{fails("brave", down(503)), Local(shelf{"p"})}, from: "index", notes: []string{"own index", "brave answered 503."}},
		"nothing anywhere":            {providers: []Provider{finds("brave"), Local(shelf{"other"})}, from: "brave, index", notes: []string{"Nothing was found."}},
		"nothing, and nothing to ask": {providers: []Provider{Local(shelf{"other"})}, from: "index", notes: []string{"Nothing was found.", "no web search is configured"}},
		"one failed, one is empty":    {providers: []Provider{fails("brave", down(503)), finds("exa"), Local(shelf{"other"})}, from: "exa, index", notes: []string{"Nothing was found.", "brave answered 503."}},
		"all fail":                    {providers: []Provider{fails("brave", down(503)), fails("exa", errors.New("secret detail")), Local(shelf{"broken"})}, fault: []string{"brave answered 503", "exa failed", "index could not be read"}},
		"only an empty index is left": {providers: []Provider{fails("brave", down(503)), Local(shelf{"other"})}, fault: []string{"brave answered 503", "own index has nothing on it"}},
	} {
		found, err := NewChain(time.Now, c.providers...).Find(t.Context(), Query{Project: "p", Text: "q", Count: 5})
		if c.fault != nil {
			told := problem.From(err)
			if told == nil || told.Code != problem.ToolFailed {
				t.Errorf("%s: %+v %v, want a failure", name, found, err)
				continue
			}
			for _, want := range c.fault {
				if !strings.Contains(told.Detail, want) || strings.Contains(told.Detail, "secret") || strings.Contains(told.Detail, "/var/lib") {
					t.Errorf("%s: %s, want %q", name, told.Detail, want)
				}
			}
			continue
		}
		if err != nil || found.Provider != c.from || found.Results == nil || found.Query != "q" || len(c.notes) == 0 && found.Note != "" {
			t.Errorf("%s: %+v %v", name, found, err)
		}
		for _, want := range c.notes {
			if !strings.Contains(found.Note, want) {
				t.Errorf("%s: the note is %q, want %q", name, found.Note, want)
			}
		}
	}
}

func TestATimeForEachAndForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		found, err := NewChain(time.Now, hangs("brave"), finds("exa", "https://example.com/")).Find(t.Context(), Query{Text: "q", Count: 5})
		if err != nil || found.Provider != "exa" || time.Since(begun) != patience || !strings.Contains(found.Note, "brave took longer than 8s") {
			t.Errorf("%+v %v after %v", found, err, time.Since(begun))
		}
		begun = time.Now()
		_, err = NewChain(time.Now, hangs("a"), hangs("b"), hangs("c"), hangs("d")).Find(t.Context(), Query{Text: "q", Count: 5})
		if err == nil || time.Since(begun) != allPatience || !strings.Contains(problem.From(err).Detail, "d was not asked") {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		found, err = NewChain(time.Now, hangs("a"), hangs("b"), hangs("c"), Local(shelf{"p"})).Find(t.Context(), Query{Project: "p", Text: "q", Count: 5})
		if err != nil || found.Provider != "index" {
			t.Errorf("the index had no time left: %+v %v", found, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begun = time.Now()
		_, err = NewChain(time.Now, hangs("a"), finds("b", "https://example.com/")).Find(ctx, Query{Text: "q", Count: 5})
		if err == nil || !strings.Contains(problem.From(err).Detail, "cancelled") || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sick := fails("brave", down(503))
		chain := NewChain(time.Now, sick, finds("exa", "https://example.com/"))
		ask := func() string {
			t.Helper()
			found, err := chain.Find(t.Context(), Query{Text: "q", Count: 5})
			if err != nil {
				t.Fatal(err)
			}
			return found.Provider + ": " + found.Note
		}
		for range tolerated {
			ask()
		}
		if said := ask(); sick.calls != tolerated || !strings.Contains(said, "left alone for another 30s") {
			t.Errorf("%d calls, %s", sick.calls, said)
		}
		time.Sleep(shortest)
		if ask(); sick.calls != tolerated+1 {
			t.Errorf("%d calls after its time: one was to be tried", sick.calls)
		}
		if said := ask(); sick.calls != tolerated+1 || !strings.Contains(said, "another 1m0s") {
			t.Errorf("%d calls, %s: a failed trial doubles the time", sick.calls, said)
		}
		time.Sleep(2 * shortest)
		sick.does = finds("", "https://example.org/").does
		if said := ask(); said != "brave: " {
			t.Error(said)
		}
		sick.does = fails("", down(500)).does
		for range tolerated - 1 {
			ask()
		}
		sick.does = finds("", "https://example.org/").does
		if said := ask(); said != "brave: " {
			t.Errorf("%s: a success did not begin the count anew", said)
		}
		sick.does = fails("", down(500)).does
		for range 20 {
			ask()
			time.Sleep(longest) // which is a limit
		}
		ask()
		if said := ask(); !strings.Contains(said, "another 5m0s") {
			t.Error(said)
		}
	})
}

func TestBreakerCountsTheProvidersFaultsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		picky := fails("brave", problem.New(problem.InvalidRequest, "answered 422"))
		chain := NewChain(time.Now, picky, finds("exa", "https://example.com/"))
		for i := range 10 {
			if _, err := chain.Find(t.Context(), Query{Text: "q", Count: 5}); err != nil || picky.calls != i+1 {
				t.Fatal(err, picky.calls)
			}
		}
		left := hangs("brave")
		chain = NewChain(time.Now, left)
		for i := range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			time.AfterFunc(time.Millisecond, cancel)
			if _, err := chain.Find(ctx, Query{Text: "q", Count: 5}); err == nil || left.calls != i+1 {
				t.Fatal(err, left.calls)
			}
			cancel()
		}
		limited := problem.New(problem.RateLimited, "answered 429")
		limited.RetryAfter = 7 * time.Second
		busy := fails("brave", limited)
		chain = NewChain(time.Now, busy, finds("exa", "https://example.com/"))
		for range 3 {
			if found, err := chain.Find(t.Context(), Query{Text: "q", Count: 5}); err != nil || found.Provider != "exa" || busy.calls != 1 {
				t.Fatal(found, err, busy.calls)
			}
		}
		time.Sleep(7 * time.Second)
		if _, err := chain.Find(t.Context(), Query{Text: "q", Count: 5}); err != nil || busy.calls != 2 {
			t.Fatal(err, busy.calls)
		}
	})
}

// TestOneTrialAtATime: while one query tries a provider out, others pass it by.
func TestOneTrialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sick := fails("brave", down(503))
		chain := NewChain(time.Now, sick, finds("exa", "https://example.com/"))
		for range tolerated {
			if _, err := chain.Find(t.Context(), Query{Text: "q", Count: 5}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(shortest)
		sick.does = func(context.Context, Query) ([]run.Source, error) {
			time.Sleep(time.Second)
			return []run.Source{{Title: "T", URL: "https://example.org/"}}, nil
		}
		providers := make([]string, 5)
		var asking sync.WaitGroup
		for i := range providers {
			asking.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				found, err := chain.Find(t.Context(), Query{Text: "q", Count: 5})
				if err != nil {
					t.Error(err)
				}
				providers[i] = found.Provider
			})
		}
		asking.Wait()
		if diff := cmp.Diff([]string{"brave", "exa", "exa", "exa", "exa"}, providers); diff != "" {
			t.Error(diff)
		}
	})
}

func TestClean(t *testing.T) {
	found := []run.Source{
		{Title: " <b>A</b> &lt;tag&gt;\u202e\u200b\U000e0041 ", URL: " https://example.com/a b(c)[d]\"ü ", Snippet: "<p>one<script>bad()</script>\n two <!-- no --> x<y && y>z", Age: "2026-01-02T03:04:05Z", Thumbnail: "javascript:alert(1)"},
		{Title: "", URL: "http://[::1]:8080/x[1]"},
		{Title: "twice", URL: "http://[::1]:8080/x%5B1%5D"},
		{Title: "long", URL: "https://example.com/long", Snippet: strings.Repeat("wörter ", 1000), Age: strings.Repeat("x", 100)},
		{Title: "no", URL: "javascript:alert(1)"}, {Title: "no", URL: "ftp://example.com/"}, {Title: "no", URL: "/relative"}, {Title: "no", URL: "https://u:p@example.com/"},
		{Title: "no", URL: "https://exa\u202emple.com/"}, {Title: "no", URL: "https://example.com/" + strings.Repeat("x", maxURL)}, {Title: "no", URL: "index://docs/a.md"}, {Title: "no", URL: "https://a(b/"}, {Title: "no", URL: ""},
	}
	got := clean(found, 10, false)
	if len(got) != 3 {
		t.Fatalf("%d results: %+v", len(got), got)
	}
	want := run.Source{Title: "A <tag>", URL: "https://example.com/a%20b%28c%29%5Bd%5D%22%C3%BC", Snippet: "one two x<y && y>z", Age: "2026-01-02"}
	if diff := cmp.Diff(want, got[0]); diff != "" {
		t.Error(diff)
	}
	if got[1].URL != "http://[::1]:8080/x%5B1%5D" || got[1].Title != got[1].URL {
		t.Errorf("%+v", got[1])
	}
	if s := got[2].Snippet; len(s) > maxSnippet || !utf8.ValidString(s) || !strings.HasSuffix(s, "…") || len(got[2].Age) > maxAge {
		t.Errorf("%+v", got[2])
	}
	if got := clean(found[:4], 2, false); len(got) != 2 {
		t.Errorf("%d results, want 2", len(got))
	}
	if got := clean([]run.Source{{URL: "index://docs/a%28b%29.md"}}, 1, true); len(got) != 1 || got[0].URL != "index://docs/a%28b%29.md" {
		t.Errorf("the index's own address: %+v", got)
	}
}

// FuzzClean: what a provider sends, however hostile, becomes text without markup
// characters that nobody sees, and an address that stands in a Markdown link.
func FuzzClean(f *testing.F) {
	for _, seed := range [][2]string{{"https://example.com/(a)", "<b>x"}, {"http://[::1]/]", "&lt;script&gt;"}, {"https://a b/", "\u202e<!--"}, {"index://x/y", "<script>"}, {"https://例え.jp/ü?q=a|b", "\xff"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, url, words string) {
		for _, one := range clean([]run.Source{{Title: words, URL: url, Snippet: words, Age: words, Thumbnail: url}}, 1, true) {
			if strings.ContainsAny(one.URL, " ()<>\"\n`") || len(one.URL) > maxURL || !utf8.ValidString(one.URL) {
				t.Errorf("address %q", one.URL)
			}
			if again, ok := citable(one.URL, true); !ok || again != one.URL {
				t.Errorf("%q becomes %q, %v", one.URL, again, ok)
			}
			for _, text := range []string{one.Title, one.Snippet, one.Age} {
				if Visible(text) != text || strings.ContainsAny(text, "\n\t") || len(text) > maxURL {
					t.Errorf("text %q", text)
				}
			}
		}
	})
}

func TestTwentyResultsFit(t *testing.T) {
	var found []run.Source
	for i := range 20 {
		found = append(found, run.Source{Title: strings.Repeat("t", 1000), URL: fmt.Sprintf("https://example.com/%d", i), Snippet: strings.Repeat("s", 5000), Thumbnail: "https://example.com/t.png"})
	}
	total := 0
	for _, one := range clean(found, 20, false) {
		total += len(one.Title) + len(one.URL) + len(one.Snippet) + len(one.Thumbnail)
	}
	if total > tool.MaxOutput/2 {
		t.Errorf("%d bytes", total)
	}
}
