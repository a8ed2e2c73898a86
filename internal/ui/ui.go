// Package ui is Mission Control, the page on which people run agents: static files,
// embedded, and nothing else. What the page does goes through the public API.
//
// What it promises: the page works as it is in this folder, without a build; it loads
// nothing but its own files and talks to nothing but its own server; no script and no
// style stands in the HTML, and only DOMPurify may make markup out of text, so that
// nothing which a run brings along can become a script. Each file is compressed once,
// when it is first wanted, and lies under the digest of all of them: a browser keeps it
// for ever, and never mixes two versions.
//
// To change the page, edit page/: pages/ (what there is), part/ and lib/ (what pages
// share), css/ (how it looks). A new page is a line in page/lib/route.js, a module in
// page/pages and a style in page/css.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

//go:embed page
var files embed.FS

// policy lets the page have its own files and its own server. What is not named is
// forbidden: frames, forms, scripts and pictures from elsewhere, objects, workers.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; " +
	"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types dompurify"

// kinds are the media types of what is served, by the end of its name. A table, so
// that no file is served by accident and none by a guessed type. Texts are licences:
// those of what the page has of others ask to go wherever that goes.
func kinds() map[string]string {
	return map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".svg": "image/svg+xml", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
	}
}

// asset is a file as it is sent.
type asset struct {
	kind, cache string
	plain       func() []byte
	zipped      func() []byte // nil where compressing would save nothing
}

// Site serves the page.
type Site struct {
	page   *asset
	assets map[string]*asset // by name, such as "lib/api.js"
	prefix string            // "at/<digest>/", below which they lie
}

// New reads the embedded files for a server under this base path ("" or "/errand").
func New(base string) (*Site, error) {
	s := &Site{assets: map[string]*asset{}}
	sum := sha256.New()
	err := fs.WalkDir(files, "page", func(name string, entry fs.DirEntry, err error) error {
		kind := kinds()[path.Ext(name)]
		if err != nil || entry.IsDir() || kind == "" {
			return err
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, "page/")
		fmt.Fprintf(sum, "%s %d\n%s", name, len(body), body)
		s.assets[name] = made(kind, "public, max-age=31536000, immutable", func() []byte {
			if strings.HasPrefix(name, "vendor/") {
				return body
			}
			return silent(body)
		})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	s.prefix = "at/" + hex.EncodeToString(sum.Sum(nil)[:8]) + "/"
	index, err := files.ReadFile("page/index.html")
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	s.page = made("text/html; charset=utf-8", "no-cache", func() []byte { return s.address(index, html.EscapeString(base)+"/ui/") })
	return s, nil
}

// address writes addresses that hold under any path of the page, and asks the browser
// to load all modules that the page starts with at once, not one after the other.
func (s *Site) address(index []byte, home string) []byte {
	var preload strings.Builder
	for _, name := range s.imports("app.js") {
		preload.WriteString(`<link rel="modulepreload" href="@/` + name + "\">\n")
	}
	text := strings.Replace(string(index), "<!-- modules -->\n", preload.String(), 1)
	return []byte(strings.NewReplacer(`="@/`, `="`+home+s.prefix, `="~/`, `="`+home).Replace(text))
}

// imported finds what a module cannot start without: import() loads later.
var imported = regexp.MustCompile(`(?:from|import)\s*"(\.{1,2}/[^"]+)"`)

// imports lists the modules that a module needs, and they in turn, without itself.
func (s *Site) imports(name string) []string {
	var all []string
	todo := []string{name}
	for len(todo) > 0 {
		from := todo[0]
		todo = todo[1:]
		for _, found := range imported.FindAllSubmatch(s.assets[from].plain(), -1) {
			to := path.Join(path.Dir(from), string(found[1]))
			if s.assets[to] != nil && to != name && !slices.Contains(all, to) {
				all, todo = append(all, to), append(todo, to)
			}
		}
	}
	return all
}

// comment is a comment that has its lines to itself.
var comment = regexp.MustCompile(`(?m)^[ \t]*(//.*|/\*(?:[^*]|\*+[^*/])*\*+/[ \t]*)$`)

// silent leaves out the comments of a module or a style, which are as long as the rest
// of it, and keeps its lines, by which errors are found. A line that begins with // is
// a comment even inside a text: begin it otherwise.
func silent(body []byte) []byte {
	return comment.ReplaceAllFunc(body, func(found []byte) []byte {
		return bytes.Repeat([]byte("\n"), bytes.Count(found, []byte("\n")))
	})
}

// made is an asset whose bytes are made when it is first wanted, so that a start does
// not wait for them.
func made(kind, cache string, read func() []byte) *asset {
	a := &asset{kind: kind, cache: cache, plain: sync.OnceValue(read)}
	a.zipped = sync.OnceValue(func() []byte {
		var zipped bytes.Buffer
		w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression) // the level is a good one
		_, _ = w.Write(a.plain())                                  // into memory
		_ = w.Close()
		if zipped.Len() > len(a.plain())*9/10 {
			return nil
		}
		return zipped.Bytes()
	})
	return a
}

// ServeHTTP answers /ui/ and everything below it: files by their names, and the page
// itself under every other path, for its script to read.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/ui/")
	if !strings.HasPrefix(name, "at/") {
		s.page.send(w, r)
		return
	}
	a, ok := s.assets[strings.TrimPrefix(name, s.prefix)]
	if !ok {
		w.Header().Set("Cache-Control", "no-store") // it may be there after an update
		http.Error(w, "This version of the page has no such file. Load the page again.", http.StatusNotFound)
		return
	}
	a.send(w, r)
}

func (a *asset) send(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256(a.plain())
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Type": a.kind, "Cache-Control": a.cache, "ETag": tag, "Vary": "Accept-Encoding", "Content-Security-Policy": policy,
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		h.Set(name, value)
	}
	if strings.Contains(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := a.plain()
	if zipped := a.zipped(); zipped != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = zipped
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	_, _ = w.Write(body) // a reader who has gone is nobody to tell
}
