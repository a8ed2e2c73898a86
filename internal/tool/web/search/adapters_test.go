package search

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is what an engine has been sent.
type asked struct {
	Method, Path string
	Query        url.Values
	Header       http.Header
	Body         map[string]any
}

// service stands for an engine: it answers with status and body, and keeps what
// it was asked.
func service(t *testing.T, status int, body string, headers ...string) (base string, last *asked) {
	t.Helper()
	last = &asked{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*last = asked{Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header}
		if text, err := io.ReadAll(r.Body); err == nil && len(text) > 0 {
			if err := json.Unmarshal(text, &last.Body); err != nil {
				t.Error(err)
			}
		}
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL, last
}

func options(base string) Options {
	return Options{Guard: egress.New(egress.Config{}), Agent: "errand/test", Key: "the-key", Base: base}
}

// adapter makes an engine at an address, and closes it with the test.
func adapter(t *testing.T, name, base string) Provider {
	t.Helper()
	for _, e := range engines() {
		if e.name != name {
			continue
		}
		p, err := e.make(options(base))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.(io.Closer).Close() })
		return p
	}
	t.Fatalf("no engine %s", name)
	return nil
}

func recorded(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestRecordedAnswers plays each engine an answer in its documented shape, and
// looks at the request too.
func TestRecordedAnswers(t *testing.T) {
	late := run.Source{Title: "Late payment", URL: "https://example.com/late", Snippet: "Interest is due after 30 days.", Age: "2026-03-02", Thumbnail: "https://example.com/t.jpg"}
	twice := late
	twice.Snippet = "Interest is due after 30 days. … The rate is nine points."
	for name, c := range map[string]struct {
		want []run.Source
		ask  asked
	}{
		"brave": {[]run.Source{
			{Title: "Late payment & interest", URL: "https://example.com/late?x=1&y=2", Snippet: "Interest is due after 30 days. … The rate is nine points.", Age: "March 2, 2026", Thumbnail: "https://imgs.example.com/t.jpg"},
			{Title: "Second", URL: "https://example.org/", Snippet: "No age here."},
		}, asked{"GET", "/res/v1/web/search", url.Values{"q": {"late payment"}, "count": {"5"}, "text_decorations": {"false"}}, http.Header{"X-Subscription-Token": {"the-key"}}, nil}},
		"tavily": {[]run.Source{
			{Title: "Late payment", URL: "https://example.com/late", Snippet: "Interest is due after 30 days, unless a < b.", Age: "Mon, 02 Mar 2026 10:11:12 GMT"},
			{Title: "Second", URL: "https://example.org/", Snippet: "More."},
		}, asked{"POST", "/search", url.Values{}, http.Header{"Authorization": {"Bearer the-key"}, "Content-Type": {"application/json"}}, map[string]any{"query": "late payment", "max_results": 5.0, "search_depth": "basic"}}},
		"exa": {[]run.Source{twice, {Title: "https://example.org/", URL: "https://example.org/", Snippet: "Whole text."}},
			asked{"POST", "/search", url.Values{}, http.Header{"X-Api-Key": {"the-key"}}, map[string]any{"query": "late payment", "numResults": 5.0, "type": "auto", "contents": map[string]any{"highlights": true}}}},
		"you": {[]run.Source{twice, {Title: "News of it", URL: "https://news.example.com/law", Snippet: "A new law.", Age: "2026-05-01"}},
			asked{"GET", "/v1/search", url.Values{"query": {"late payment"}, "count": {"5"}}, http.Header{"X-Api-Key": {"the-key"}}, nil}},
		"searxng": {[]run.Source{late, {Title: "Second", URL: "https://example.org/", Thumbnail: "https://example.org/i.png"}},
			asked{"GET", "/search", url.Values{"q": {"late payment"}, "format": {"json"}}, http.Header{}, nil}},
		"wikipedia": {[]run.Source{
			{Title: "Late payment (law)", URL: "https://en.wikipedia.org/wiki/Late_payment_%28law%29", Snippet: "payment after its date … A late payment is one that is made after the date & time", Thumbnail: "https://upload.wikimedia.org/wikipedia/commons/thumb/2/2b/L.jpg/60px-L.jpg"},
			{Title: "Überfällig", URL: "https://en.wikipedia.org/wiki/%C3%9Cberf%C3%A4llig"},
		}, asked{"GET", "/w/rest.php/v1/search/page", url.Values{"q": {"late payment"}, "limit": {"5"}}, http.Header{}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			base, last := service(t, 200, recorded(t, name))
			found, err := NewChain(time.Now, adapter(t, name, base)).Find(t.Context(), Query{Text: "late payment", Count: 5})
			if err != nil || found.Provider != name || found.Note != "" {
				t.Fatalf("%+v, %v", found, err)
			}
			if diff := cmp.Diff(c.want, found.Results); diff != "" {
				t.Error(diff)
			}
			header := http.Header{}
			for key := range maps.Keys(c.ask.Header) {
				header[key] = last.Header[key]
			}
			if last.Header.Get("User-Agent") != "errand/test" || last.Header.Get("Accept") != "application/json" {
				t.Errorf("headers %v", last.Header)
			}
			last.Header = header
			if diff := cmp.Diff(c.ask, *last); diff != "" {
				t.Errorf("it was asked otherwise (-want +got):\n%s", diff)
			}
		})
	}
}

// TestFaultyAnswers: whatever an engine sends instead of results is said in words
// that name neither the key nor what the engine said.
func TestFaultyAnswers(t *testing.T) {
	names := Known()[:len(Known())-1]
	for _, name := range names {
		for _, c := range []struct {
			status int
			body   string
			want   string
			code   problem.Code
		}{
			{200, "<html>", "can't be read", problem.ToolFailed},
			{200, `{"web":7,"results":7,"pages":7}`, "can't be read", problem.ToolFailed},
			{200, strings.Repeat("x", maxAnswer+1), "longer than", problem.ToolFailed},
			{500, `{"error":"the-key is bad"}`, "answered 500", problem.ToolFailed},
			{401, `the-key`, "answered 401", problem.ToolFailed},
			{403, `the-key`, "answered 403", problem.ToolFailed},
			{422, `the-key`, "answered 422", problem.InvalidRequest},
			{302, ``, "answered 302", problem.ToolFailed},
		} {
			base, _ := service(t, c.status, c.body, "Location", "http://127.0.0.1:1/")
			_, err := adapter(t, name, base).Search(t.Context(), Query{Text: "x", Count: 5})
			told := problem.From(err)
			if told == nil || told.Code != c.code || !strings.Contains(told.Detail, c.want) || strings.Contains(told.Detail, "the-key") {
				t.Errorf("%s, %d: %v, want %q", name, c.status, err, c.want)
			}
		}
		base, _ := service(t, 429, "", "Retry-After", "7")
		_, err := adapter(t, name, base).Search(t.Context(), Query{Text: "x", Count: 5})
		if told := problem.From(err); told == nil || told.Code != problem.RateLimited || told.RetryAfter != 7*time.Second {
			t.Errorf("%s: %v", name, err)
		}
		base, _ = service(t, 200, `{}`)
		if found, err := adapter(t, name, base).Search(t.Context(), Query{Text: "x", Count: 5}); err != nil || len(found) != 0 {
			t.Errorf("%s, nothing: %v %v", name, found, err)
		}
		if _, err := adapter(t, name, "http://127.0.0.1:1").Search(t.Context(), Query{Text: "x", Count: 5}); err == nil || problem.From(err).Detail != "could not be reached" {
			t.Errorf("%s, nobody there: %v", name, err)
		}
	}
}

func TestSearXNGAtHome(t *testing.T) {
	base, last := service(t, 200, `{"results":[],"unresponsive_engines":[["google","timeout"],["bing","CAPTCHA"]]}`)
	p, err := SearXNG(Options{Guard: egress.New(egress.Config{}), Base: strings.Replace(base, "http://", "http://ada:secret@", 1) + "/sub/"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.(io.Closer).Close()
	_, err = p.Search(t.Context(), Query{Text: "x", Count: 1})
	if err == nil || !strings.Contains(problem.From(err).Detail, "no answer from 2 of the engines") {
		t.Error(err)
	}
	if user := last.Header.Get("Authorization"); last.Path != "/sub/search" || user != "Basic YWRhOnNlY3JldA==" {
		t.Errorf("%s %s", last.Path, user)
	}
	for _, bad := range []string{"", "127.0.0.1:8888", "ftp://x", "http://"} {
		if _, err := SearXNG(Options{Guard: egress.New(egress.Config{}), Base: bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestConnectionsAreUsedAgain: an agent's next search finds the engine's connection
// open, also behind an answer that was a refusal.
func TestConnectionsAreUsedAgain(t *testing.T) {
	opened, asked := 0, 0
	page := recorded(t, "searxng")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, page+strings.Repeat(" ", 100<<10)) // more than the client reads ahead
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened++
		}
	}
	server.Start()
	defer server.Close()
	engine := adapter(t, "searxng", server.URL)
	for i := range 6 {
		if found, err := engine.Search(t.Context(), Query{Text: "late payment", Count: 8}); (err != nil) != (i == 2) || err == nil && len(found) != 2 {
			t.Errorf("search %d: %d results, %v", i, len(found), err)
		}
	}
	if opened != 1 {
		t.Errorf("%d connections for %d searches", opened, asked)
	}
}

func TestSelect(t *testing.T) {
	everything := Settings{
		SearXNG: "http://127.0.0.1:8888", Keys: map[string]string{"brave": "b", "tavily": "t", "exa": "e", "you": "y"}, Guard: egress.New(egress.Config{}),
	}
	for name, c := range map[string]struct {
		order []string
		bare  bool
		want  string
		fault string
	}{
		"nothing configured":     {bare: true, want: "index"},
		"whatever is configured": {want: "searxng brave tavily exa you index"},
		"named":                  {order: []string{"exa", "wikipedia"}, want: "exa wikipedia index"},
		"the index first":        {order: []string{"index", "brave"}, want: "index brave"},
		"the index alone":        {order: []string{"index"}, want: "index"},
		"unknown":                {order: []string{"brvae"}, fault: `ERRAND_SEARCH: there is no search engine "brvae"; did you mean brave?`},
		"very unknown":           {order: []string{"altavista"}, fault: "known are searxng, brave, tavily, exa, you, wikipedia, index"},
		"twice":                  {order: []string{"brave", "brave"}, fault: "named twice"},
		"without its key":        {order: []string{"tavily"}, bare: true, fault: "ERRAND_SEARCH: tavily needs TAVILY_API_KEY"},
		"without its address":    {order: []string{"searxng"}, bare: true, fault: "ERRAND_SEARCH: searxng needs ERRAND_SEARXNG_URL"},
	} {
		settings := everything
		if c.bare {
			settings = Settings{Guard: everything.Guard}
		}
		settings.Order, settings.Index = c.order, shelf{}
		chosen, err := Select(settings)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", name, err, c.fault)
			}
			continue
		}
		chain := NewChain(time.Now, chosen...)
		if err != nil || strings.Join(chain.Names(), " ") != c.want {
			t.Errorf("%s: %v %v, want %s", name, chain.Names(), err, c.want)
		}
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
	}
	if !slices.Contains(Known(), "wikipedia") {
		t.Error("wikipedia can't be named")
	}
}
