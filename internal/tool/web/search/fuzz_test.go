package search

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/run"
)

// FuzzAnswers reads what each engine answers: sources that can be shown and cited, as
// many as were asked for, or an error.
func FuzzAnswers(f *testing.F) {
	examples, err := filepath.Glob("testdata/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range examples {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, seed := range []string{
		`{"web":{"results":[{"title":"<b>a</b>","url":"https://h/(x)","description":"a &lt; b <script>x</script>","age":"2026-06-11T07:02:11Z"}]}}`,
		`{"results":[{"title":"a\u202eb","url":"https://u:p@h/","content":"\u200b","publishedDate":"x"},{"url":"javascript:x"},{"url":"https://h/ a\nb"},null],"unresponsive_engines":[["a","b"]]}`,
		`{"query":{"search":[{"title":"Late fee","snippet":"<span class=\"searchmatch\">x</span>"}]}}`, `{"hits":[{"title":"a","url":"https://h/","snippets":["x",null]}]}`, `{"results":{}}`, `[]`, `null`, ``, "\xff",
	} {
		f.Add([]byte(seed))
	}
	engines := map[string]func([]byte) ([]run.Source, error){
		"brave": readBrave, "exa": readExa, "searxng": readSearXNG, "tavily": readTavily, "wikipedia": readWikipedia, "you": readYou,
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, read := range engines {
			found, err := read(body)
			if err != nil {
				continue
			}
			const most = 5
			kept := clean(found, most, false)
			if len(kept) > most || len(kept) > len(found) {
				t.Errorf("%s %q: %d of %d", name, body, len(kept), len(found))
			}
			for _, one := range kept {
				u, err := url.Parse(one.URL)
				if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.Host == "" || strings.ContainsAny(one.URL, "()<>\" \n\\") {
					t.Errorf("%s %q: %q can't be cited", name, body, one.URL)
				}
				for _, text := range []string{one.Title, one.Snippet, one.Age} {
					if !utf8.ValidString(text) || strings.ContainsAny(text, "\n\u202e\u200b\x00") || len(text) > maxSnippet {
						t.Errorf("%s %q: %q is shown", name, body, text)
					}
				}
				if one.Title == "" {
					t.Errorf("%s %q: nothing names %s", name, body, one.URL)
				}
			}
		}
	})
}
