package app

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/client"
)

// shelf makes a directory with files, by path and content.
func (w *world) shelf(name string, files map[string]string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, name)
	for file, content := range files {
		at := filepath.Join(dir, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return dir
}

func handbook() map[string]string {
	return map[string]string{
		"fees.md": "# Late fees\nAn overdue invoice costs 40 euro.", "sub/holidays.txt": "The office is closed in August.", "cafe.html": "<title>Menu</title><meta charset=iso-8859-1><p>caf\xe9",
		"scan.pdf": "%PDF", "notes": "x", ".hidden/secret.txt": "never", ".secret.md": "never",
	}
}

// plays runs commands and holds each to its exit code and to words that it says.
func (w *world) plays(code int, args []string, wants ...string) string {
	w.t.Helper()
	got, out, errs := w.run(args...)
	if got != code {
		w.t.Errorf("errand %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, errs)
	}
	for _, want := range wants {
		if !strings.Contains(out+errs, want) {
			w.t.Errorf("errand %s does not say %q:\n%s%s", strings.Join(args, " "), want, out, errs)
		}
	}
	return out
}

func TestIndexOfAServer(t *testing.T) {
	s := newWorld(t).with("ERRAND_EGRESS_ALLOW=127.0.0.0/8").serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.terminal = true
	dir := w.shelf("Hand Book", handbook())
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/terms" {
			w.WriteHeader(http.StatusGone)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<title>Terms</title><p>Payment is due within thirty days."))
	}))
	defer page.Close()

	w.plays(0, []string{"index", "list"}, "None.")
	w.plays(0, []string{"index", "add", dir}, "hand-book: 3 added, 0 changed, 0 unchanged, 0 removed. It has 3 documents", "index://hand-book/", "Left out: 1 .pdf, 1 without an ending.", "\r\x1b[K")
	w.plays(0, []string{"index", "add", dir}, "0 added, 0 changed, 3 unchanged, 0 removed")
	w.shelf("Hand Book", map[string]string{"fees.md": "# Late fees\nAn overdue invoice costs 50 euro.", "new.txt": "Something new."})
	if err := os.Remove(filepath.Join(dir, "sub", "holidays.txt")); err != nil {
		t.Fatal(err)
	}
	w.plays(0, []string{"index", "add", dir}, "1 added, 1 changed, 1 unchanged, 1 removed. It has 3 documents")
	w.plays(1, []string{"index", "add", w.shelf("other/hand book", handbook())}, "a directory hand-book already, from "+dir, "--name")
	w.plays(1, []string{"index", "add", w.shelf("empty", map[string]string{"x.pdf": "x"})}, "no files that can be read", ".md")
	w.plays(1, []string{"index", "add", filepath.Join(dir, "gone")}, "no such file")
	w.plays(2, []string{"index", "add", dir, "--name", "Hand Book"}, "for example hand-book")
	w.plays(1, []string{"index", "add", w.shelf("odd", map[string]string{"a.txt": "fine", "b.txt": "a\x00b"})}, "odd: 1 added", "b.txt was not taken: it is not text")
	w.plays(0, []string{"index", "add", filepath.Join(dir, "new.txt"), "--name", "one"}, "one: 1 added")
	w.plays(0, []string{"index", "add", page.URL + "/terms"}, page.URL+"/terms is in the index")
	w.plays(0, []string{"index", "add", page.URL + "/terms"}, "has not changed")
	w.plays(1, []string{"index", "add", page.URL + "/gone"}, "url: ", "410 Gone")
	w.plays(2, []string{"index", "add", page.URL + "/terms", "--name", "x"}, "--name")
	w.plays(0, []string{"index", "list"}, "hand-book", page.URL+"/terms", "DOCUMENTS")

	api := client.New(s.url, adminKey)
	run, err := api.Runs.Create(t.Context(), client.Task{Model: "offline", Prompt: "What does an overdue invoice cost?", Tools: []string{"web.search"}})
	if err != nil || run.Result == nil || !strings.Contains(run.Result.Summary, "An overdue invoice costs 50 euro. [[1]](index://hand-book/fees.md)") || !strings.Contains(run.Result.Summary, "own index") {
		t.Errorf("%s %v", run.Raw, err)
	}
	w.plays(0, []string{"index", "remove", page.URL + "/terms"}, "Removed")
	w.plays(0, []string{"index", "remove", "hand-book"}, "Removed hand-book.")
	w.plays(1, []string{"index", "remove", "hand-book"}, "no source")
}

func TestIndexOfADirectory(t *testing.T) {
	w := newWorld(t)
	dir, data := w.shelf("docs", handbook()), filepath.Join(w.dir, "data")
	out := w.plays(0, []string{"index", "add", dir, "--data", data})
	var report struct {
		Name    string
		Change  client.IndexChange
		LeftOut map[string]int `json:"left_out"`
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || report.Name != "docs" || report.Change.Added != 3 || report.LeftOut[".pdf"] != 1 {
		t.Errorf("%s %v", out, err)
	}
	w.plays(0, []string{"index", "list", "--data", data}, `"documents": 3`)
	w.plays(0, []string{"run", "--tool", "web.search", "Search for the menu of the cafe."}, "[[1]](index://docs/cafe.html)")
	s := w.serve()
	w.plays(1, []string{"index", "add", dir, "--data", data}, "in use by")
	w.with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey).plays(0, []string{"index", "add", dir}, `"unchanged": 3`)
}

func TestSearchSettings(t *testing.T) {
	for setting, want := range map[string]string{
		"ERRAND_SEARCH=brvae": "did you mean brave?", "ERRAND_SEARCH=brave": "brave needs BRAVE_API_KEY", "ERRAND_SEARXNG_URL=x": "searxng_url",
	} {
		newWorld(t).with(setting).plays(2, []string{"serve"}, want)
	}
}

func TestDoctorNamesTheSearchEngines(t *testing.T) {
	newWorld(t).plays(0, []string{"doctor"}, "ok    search     this server's own index alone")
	newWorld(t).with("EXA_API_KEY=x", "YDC_API_KEY=y").plays(0, []string{"doctor"}, "exa, then you, then this server's own index")
	newWorld(t).with("EXA_API_KEY=x", "ERRAND_SEARCH=wikipedia").plays(0, []string{"doctor"}, "wikipedia, then this server's own index")
}

// TestOwnSearchEngine: the operator's SearXNG is asked although it is not public,
// and when it is down the index answers and says so.
func TestOwnSearchEngine(t *testing.T) {
	up := true
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte(`{"results":[{"url":"https://example.com/` + r.URL.Query().Get("q") + `","title":"T","content":"C"}],"unresponsive_engines":[]}`))
	}))
	defer engine.Close()
	s := newWorld(t).with("ERRAND_SEARXNG_URL=" + engine.URL).serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.plays(0, []string{"tools", "try", "web.search", `{"query":"fee"}`}, "https://example.com/fee", `\"provider\":\"searxng\"`)
	w.plays(0, []string{"index", "add", w.shelf("docs", handbook())})
	up = false
	w.plays(0, []string{"tools", "try", "web.search", `{"query":"overdue invoices"}`}, "index://docs/fees.md", "searxng answered 502", "own index")
	w.plays(0, []string{"tools", "try", "web.search", `{"query":"zebra"}`}, "no search engine could be asked", "searxng answered 502", `"outcome": "error"`)
}
