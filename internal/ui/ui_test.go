package ui

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func site(t *testing.T, base string) *Site {
	t.Helper()
	s, err := New(base)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(s *Site, address string, header ...string) *httptest.ResponseRecorder {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, address, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	s.ServeHTTP(w, r)
	return w
}

// TestPage: every path of the page gets it, with addresses that hold there, under the
// policy and without anything that the policy forbids.
func TestPage(t *testing.T) {
	s := site(t, "/errand")
	inline := regexp.MustCompile(`(?i)\son[a-z]+=|style=|<style|<script>|javascript:|https?://`)
	for _, address := range []string{"/ui/", "/ui/runs/run_1", "/ui/approvals/a/b", "/ui/at"} {
		w := get(s, address)
		body := w.Body.String()
		if w.Code != http.StatusOK || !strings.Contains(body, `<div id="app">`) || w.Header().Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d, %v", address, w.Code, w.Header())
		}
		if found := inline.FindString(body); found != "" {
			t.Errorf("the page has %q", found)
		}
		if !strings.Contains(body, `src="/errand/ui/`+s.prefix+`app.js"`) || !strings.Contains(body, `href="/errand/ui/`+s.prefix+`lib/api.js"`) || strings.Contains(body, `"@/`) {
			t.Errorf("the page's addresses: %s", body)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "require-trusted-types-for 'script'") {
			t.Errorf("%s: %s", address, policy)
		}
	}
	first := get(s, "/ui/")
	if w := get(s, "/ui/", "If-None-Match", first.Header().Get("ETag")); w.Code != http.StatusNotModified || w.Body.Len() > 0 {
		t.Errorf("the same page again: %d, %d bytes", w.Code, w.Body.Len())
	}
}

// TestFiles: each file is there under its type and for ever, and what is compressed is
// the same; none makes markup out of text.
func TestFiles(t *testing.T) {
	s := site(t, "")
	for name, a := range s.assets {
		plain, zipped := get(s, "/ui/"+s.prefix+name), get(s, "/ui/"+s.prefix+name, "Accept-Encoding", "gzip, br")
		if plain.Code != http.StatusOK || plain.Header().Get("Content-Type") != kinds()[path.Ext(name)] || !strings.Contains(plain.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %v", name, plain.Code, plain.Header())
		}
		if zipped.Header().Get("Content-Encoding") == "gzip" {
			r, err := gzip.NewReader(zipped.Body)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(r); err != nil || string(text) != string(a.plain()) {
				t.Errorf("%s is another file when it is compressed: %v", name, err)
			}
		}
		if strings.HasPrefix(name, "vendor/") || path.Ext(name) != ".js" {
			continue
		}
		for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "dangerouslySetInnerHTML", "sessionStorage"} {
			if strings.Contains(string(a.plain()), forbidden) {
				t.Errorf("%s has %s", name, forbidden)
			}
		}
	}
	if w := get(s, "/ui/at/0123456789abcdef/app.js"); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("a file of another version: %d, %v", w.Code, w.Header())
	}
	for _, name := range []string{"vendor/preact.d.ts", "vendor/README.md", "index.html", "../ui.go"} {
		if w := get(s, "/ui/"+s.prefix+name); w.Code != http.StatusNotFound {
			t.Errorf("%s is served", name)
		}
	}
}

// TestModules: every module that is imported is there, so a page is not found to be
// broken by the first who opens it; and every page has its style.
func TestModules(t *testing.T) {
	s := site(t, "")
	for name, a := range s.assets {
		if path.Ext(name) != ".js" {
			continue
		}
		for _, found := range imported.FindAllSubmatch(a.plain(), -1) {
			if to := path.Join(path.Dir(name), string(found[1])); s.assets[to] == nil {
				t.Errorf("%s imports %s, which is not there", name, to)
			}
		}
		if page, ok := strings.CutPrefix(name, "pages/"); ok && s.assets["css/"+strings.TrimSuffix(page, ".js")+".css"] == nil {
			t.Errorf("%s has no style", name)
		}
	}
}

// allowance is what all files of all pages together may weigh, as they are sent;
// earlier, what every page needs before its own: the shell, the font, lib; onePage, what
// a page loads from an empty cache; and withText, the same once it shows Markdown, for
// which it loads two libraries.
const allowance, earlier, onePage, withText = 400_000, 90_000, 150_000, 175_000

// later finds what is loaded when it is first wanted.
var later = regexp.MustCompile(`import\("(\.{1,2}/[^"]+)"\)|style\("([^"]+)"\)`)

// weigh is how long an asset is as it is sent.
func weigh(a *asset) int {
	if zipped := a.zipped(); zipped != nil {
		return len(zipped)
	}
	return len(a.plain())
}

// with adds to all what a page's own modules load, at once or later. What the shell has
// loaded is not followed: a chart's library comes with a page that draws charts.
func (s *Site) with(name string, shell, all map[string]bool) {
	if all[name] {
		return
	}
	all[name] = true
	text := s.assets[name].plain()
	if !shell[name] {
		for _, found := range imported.FindAllSubmatch(text, -1) {
			s.with(path.Join(path.Dir(name), string(found[1])), shell, all)
		}
	}
	for _, found := range later.FindAllSubmatch(text, -1) {
		switch module, style := string(found[1]), string(found[2]); {
		case module != "":
			s.with(path.Join(path.Dir(name), module), shell, all)
		case strings.Contains(style, "/"):
			all[style] = true
		default:
			all["css/"+style+".css"] = true
		}
	}
}

// TestWeight: the page is small, its font and its libraries counted.
func TestWeight(t *testing.T) {
	s := site(t, "")
	sum, first, shell := weigh(s.page), weigh(s.page), map[string]bool{}
	for _, name := range append(s.imports("app.js"), "app.js", "first.js", "css/tokens.css", "css/components.css", "css/shell.css") {
		shell[name] = true
	}
	for name, a := range s.assets {
		sum += weigh(a)
		if shell[name] = shell[name] || strings.HasPrefix(name, "css/fonts/"); shell[name] {
			first += weigh(a)
		}
	}
	if sum > allowance {
		t.Errorf("all files weigh %d bytes, compressed, and may weigh %d", sum, allowance)
	}
	if first > earlier {
		t.Errorf("%d bytes come before the first page, and %d may", first, earlier)
	}
	t.Logf("%d files, %d bytes compressed, of which %d before the first page", len(s.assets)+1, sum, first)
	for name := range s.assets {
		if path.Dir(name) != "pages" {
			continue
		}
		all := map[string]bool{"css/" + strings.TrimSuffix(path.Base(name), ".js") + ".css": true}
		s.with(name, shell, all)
		n, text := first, 0
		for one := range all {
			switch {
			case one == "vendor/marked.js" || one == "vendor/dompurify.js":
				text += weigh(s.assets[one])
			case !shell[one]:
				n += weigh(s.assets[one])
			}
		}
		if n > onePage || n+text > withText {
			t.Errorf("%s loads %d bytes, %d with Markdown, and may load %d and %d", name, n, n+text, onePage, withText)
		}
		t.Logf("%s: %d, %d with Markdown", name, n, n+text)
	}
}

// TestSilent: what a browser gets has no comments, and every line where it was.
func TestSilent(t *testing.T) {
	text := "// a\nlet b = 1; // c\n  /**\n   * d\n   */\nconst e = `\n  f /* g */`;\n/* h */\n/** i */ const j = 1;\nconst k = 2;\n/* l **/\n"
	if got, want := string(silent([]byte(text))), "\nlet b = 1; // c\n\n\n\nconst e = `\n  f /* g */`;\n\n/** i */ const j = 1;\nconst k = 2;\n\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestSizes: a module is one idea, at most 400 lines of it, like a file of Go.
func TestSizes(t *testing.T) {
	err := fs.WalkDir(files, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/vendor/") || path.Ext(name) != ".js" && path.Ext(name) != ".css" {
			return err
		}
		body, err := files.ReadFile(name)
		if lines := strings.Count(string(body), "\n"); lines > 400 {
			t.Errorf("%s has %d lines, and may have 400", name, lines)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
