package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/net/html"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/unicode"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/tool"
	"errand/internal/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func fetcher(t *testing.T, allow string) *Fetcher {
	t.Helper()
	holes, err := egress.ParseAllow(allow)
	if err != nil {
		t.Fatal(err)
	}
	f := New(Config{Guard: egress.New(egress.Config{Allow: holes}), Agent: "errand/test"})
	t.Cleanup(func() { f.Close() })
	return f
}

const article = `<!DOCTYPE html><html><head><title>Late
  payment &amp; you</title><style>p{color:red}</style></head><body>
<nav><a href="/home">Home</a><a href="/login">Login</a></nav><script>alert("no")</script>
<article><h1>Late payment</h1><p>Interest on late payments is due <b>30 days</b> after the invoice, unless the contract says otherwise. See <a href="../law?x=1">the law</a> for what applies, and keep in mind that reminders are not required.</p>
<p>A second paragraph of the article gives it enough text for the extraction to find that this is the readable part, which it should be able to do without any trouble at all, since there is nothing else here but a few links.</p>
<table><tr><th>Days</th><th>Rate</th></tr><tr><td>30</td><td>5%</td></tr></table><ul><li>one</li><li>two</li></ul></article>
<footer>Imprint</footer></body></html>`

func serve(kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		}
		_, _ = io.WriteString(w, body)
	}
}

func site(t *testing.T) *httptest.Server {
	t.Helper()
	encode := func(text string, encoder interface{ String(string) (string, error) }) string {
		out, err := encoder.String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"/docs/late.html": serve("text/html; charset=utf-8", article),
		"/plain":          serve("text/plain", "just text\n"),
		"/json":           serve("application/json", `{"a":"ä"}`),
		"/problem":        serve("application/problem+json", `{"a":1}`),
		"/bom":            serve("text/plain", "\xef\xbb\xbfbom"),
		"/unsaid":         serve("", "<html><title>Sniffed</title><body>It says nothing of its type.</body></html>"),
		"/latin":          serve("text/html; charset=iso-8859-1", encode("<title>Grüße</title><p>Straße</p>", charmap.ISO8859_1.NewEncoder())),
		"/meta":           serve("text/html", encode(`<meta charset="shift_jis"><title>請求書</title><p>支払い</p>`, japanese.ShiftJIS.NewEncoder())),
		"/utf16":          serve("text/html", encode("<title>Sechzehn</title><p>Ünï</p>", unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder())),
		"/lie":            serve("text/plain; charset=utf-8", "broken \xff byte"),
		"/pdf":            serve("application/pdf", "%PDF-1.7"),
		"/image":          serve("image/png", "\x89PNG"),
		"/svg":            serve("image/svg+xml", "<svg/>"),
		"/zip":            serve("", "PK\x03\x04\x00\x00"),
		"/empty":          serve("text/html", ""),
		"/gone":           func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) },
		"/moved": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/plain?from=moved", http.StatusMovedPermanently)
		},
		"/loop": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) },
		"/inside": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusFound)
		},
		"/file": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		},
		"/big":     serve("text/html", "<title>Big</title><body>"+strings.Repeat("<p>many words of text</p>\n", maxPage/20)),
		"/bigtext": serve("text/plain", strings.Repeat("many words\n", maxPage/5)),
		"/deep":    serve("text/html", strings.Repeat("<div>", 200_000)+"deep"),
		"/slow": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	} {
		mux.HandleFunc(path, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func fetch(t *testing.T, f *Fetcher, url string) (string, error) {
	t.Helper()
	result, err := f.Call(t.Context(), tooltest.Call(f, fmt.Sprintf(`{"url":%q}`, url)))
	return result.Output, err
}

func TestTooltest(t *testing.T) {
	url := func(path string) string { return `{"url":"` + path + `"}` }
	s := site(t).URL
	tooltest.Run(t, tooltest.Case{
		Tool:  fetcher(t, "127.0.0.0/8"),
		Works: []string{url(s + "/docs/late.html"), url(s + "/plain"), url(s + "/big"), url(s + "/bigtext"), url(s + "/lie"), url(s + "/empty")},
		Fails: []string{url(s + "/pdf"), url(s + "/gone"), url(s + "/loop"), url("x"), url(""), url("file:///etc/passwd"), url("http://10.0.0.1/"), url(s + "/inside"), url(s + "/file"), url("http://u:p@example.com")},
		Bad:   []string{`{}`, `{"url":7}`, `[]`},
		Slow:  url(s + "/slow"),
	})
}

func TestArticle(t *testing.T) {
	s := site(t).URL
	got, err := fetch(t, fetcher(t, "127.0.0.0/8"), s+"/docs/late.html#part")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Title: Late payment & you\nURL: " + s + "/docs/late.html\n\n", "**30 days**", "[the law](" + s + "/law?x=1)", "A second paragraph", "| Days | Rate |", "- one",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q:\n%s", want, got)
		}
	}
	for _, clutter := range []string{"alert", "Imprint", "color:red", "Login"} {
		if strings.Contains(got, clutter) {
			t.Errorf("the page still has %q:\n%s", clutter, got)
		}
	}
}

func TestTypesAndCharsets(t *testing.T) {
	s := site(t).URL
	f := fetcher(t, "127.0.0.0/8")
	for path, want := range map[string]string{
		"/plain": "URL: " + s + "/plain\n\njust text", "/json": "\n\n{\"a\":\"ä\"}", "/problem": "\n\n{\"a\":1}", "/bom": "\n\nbom", "/unsaid": "Title: Sniffed\n",
		"/latin": "Title: Grüße\n", "/meta": "Title: 請求書\n", "/utf16": "Title: Sechzehn\n", "/lie": "broken \uFFFD byte", "/empty": "(the page has no text)",
		"/moved": "URL: " + s + "/plain?from=moved\n", "/bigtext": "[truncated: only the first", "/big": "[truncated: only the first",
	} {
		if got, err := fetch(t, f, s+path); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v, got %.300q, want %q in it", path, err, got, want)
		}
	}
	for path, want := range map[string]string{"/latin": "Straße", "/meta": "支払い", "/utf16": "Ünï", "/unsaid": "It says nothing"} {
		if got, err := fetch(t, f, s+path); err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v, got %.300q, want %q in it", path, err, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := site(t).URL
	f := fetcher(t, "127.0.0.0/8")
	for path, want := range map[string]string{
		"/pdf": "is application/pdf, which this tool does not read", "/image": "is image/png", "/svg": "is image/svg+xml", "/zip": "is application/zip",
		"/gone": "answered 410 Gone", "/loop": "redirects more than 8 times",
	} {
		if _, err := fetch(t, f, s+path); !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	for _, url := range []string{s + "/inside", s + "/file", "http://[::1]/", "http://metadata.0x7f.1/"} {
		if _, err := fetch(t, f, url); !problem.Is(err, problem.EgressDenied) {
			t.Errorf("%s: %v, want egress_denied", url, err)
		}
	}
	if _, err := fetch(t, fetcher(t, ""), s+"/plain"); !problem.Is(err, problem.EgressDenied) {
		t.Errorf("without a hole: %v, want egress_denied", err)
	}
	if _, err := fetch(t, f, "http://127.0.0.1:9"); !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, "could not be reached") {
		t.Errorf("an address that refuses: %v", err)
	}
}

// Some of these took the parsers many seconds before what they get was bounded.
func TestHostilePages(t *testing.T) {
	final, err := url.Parse("https://example.com/page")
	if err != nil {
		t.Fatal(err)
	}
	long := "<p>many words, of text, with commas, and so on and on. " + strings.Repeat("x ", 180) + "</p>"
	for name, body := range map[string]string{
		"nested lists":       strings.Repeat("<ul><li>x", 200) + strings.Repeat("<li>y z", 25_000),
		"deep and long":      strings.Repeat("<div>", 400) + strings.Repeat(long, 2000),
		"many links":         strings.Repeat("<a href=x>y</a>", 50_000),
		"many paragraphs":    strings.Repeat(long, 3000),
		"endless depth":      strings.Repeat("<div>", 200_000) + "deep",
		"misnested":          strings.Repeat("<b><p>x", 9000),
		"quotes in quotes":   strings.Repeat("<blockquote>x\n", 400),
		"marks to be hidden": strings.Repeat("&amp;*_[]", 50_000),
	} {
		body = body[:min(len(body), maxPage)]
		p := &page{final: final, media: "text/html", kind: "text/html; charset=utf-8", body: []byte(body)}
		got, err := p.read(t.Context())
		if err == nil && len(got) > tool.MaxOutput || err != nil && !problem.Is(err, problem.ToolFailed) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// What is too heavy to be searched is shown whole, with its links and all.
func TestHeavyPagesAreShownWhole(t *testing.T) {
	final, err := url.Parse("https://example.com/page")
	if err != nil {
		t.Fatal(err)
	}
	body := "<nav>the way home</nav>" + strings.Repeat("<div>", 50) + strings.Repeat("<p>A paragraph, with commas, of a text, that goes on and on."+strings.Repeat(" more", 20)+"</p>", 6000)
	p := &page{final: final, media: "text/html", kind: "text/html; charset=utf-8", body: []byte(body)}
	if got, err := p.read(t.Context()); err != nil || !strings.Contains(got, "the way home") {
		t.Errorf("%v: %.200s", err, got)
	}
}

func TestPruneKeepsTheOrder(t *testing.T) {
	final, err := url.Parse("https://example.com/page")
	if err != nil {
		t.Fatal(err)
	}
	var body strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&body, "<p>paragraph %d of a long page without an end</p>", i)
	}
	p := &page{final: final, media: "text/html", kind: "text/html; charset=utf-8", body: []byte(body.String())}
	got, err := p.read(t.Context())
	if err != nil || !strings.Contains(got, "paragraph 0 of") || !strings.Contains(got, "paragraph 1000 of") || strings.Contains(got, "paragraph 4999 of") || !strings.Contains(got, "[truncated") {
		t.Errorf("%d bytes, %v: %.200s", len(got), err, got)
	}
}

func TestWhatTheParsersGetIsBounded(t *testing.T) {
	parse := func(text string) *html.Node {
		t.Helper()
		document, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return document
	}
	if !heavy(parse(strings.Repeat("<div>", 400) + strings.Repeat("<p>some words of text</p>", 10_000))) {
		t.Error("a long text inside 400 elements is not heavy")
	}
	if heavy(parse(strings.Repeat("<div>", 12) + strings.Repeat("<p>"+strings.Repeat("some words of text ", 20)+"</p>", 1500))) {
		t.Error("a page of 500 KB is heavy")
	}
	for name, text := range map[string]string{
		"deep": strings.Repeat("<div>", 400) + "x", "wide": strings.Repeat("<br>", 50_000), "long": "<p>" + strings.Repeat("ä ", 200_000), "lists": strings.Repeat("<ul><li>x", 150) + strings.Repeat("<li>y", 20_000),
	} {
		document := parse(text)
		if !prune(document) {
			t.Errorf("%s: nothing was cut", name)
		}
		nodes, size, deepest := 0, 0, 0
		for n := range document.Descendants() {
			nodes++
			depth := 0
			for range n.Ancestors() {
				depth++
			}
			deepest = max(deepest, depth)
			if n.Type == html.TextNode {
				size += len(n.Data)
			}
		}
		if nodes > maxNodes || size > maxText || deepest > maxNest+1 {
			t.Errorf("%s: %d nodes, %d bytes, %d deep are left", name, nodes, size, deepest)
		}
	}
	if document := parse(article); prune(document) {
		t.Error("an ordinary page was cut")
	}
}
