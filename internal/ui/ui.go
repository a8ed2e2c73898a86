// Package ui is the page on which a person decides what waits: static files, embedded,
// and nothing else.
//
// What it promises: the page works as it is in this folder, without a build; it loads
// nothing but its own files and talks to nothing but its own server; no script stands
// in the HTML, so that nothing which a run brings along can become one; the key stays
// in the tab that it was given in.
//
// To change the page, edit page/: index.html (what there is), app.js (what it does),
// app.css over tokens.css (how it looks).
package ui

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed page
var files embed.FS

// policy lets the page have its own files and its own server. What is not named is
// forbidden: frames, forms that leave, fonts, pictures, scripts from elsewhere.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

// kinds are the page's files with their media types. A table, so that no file is
// served by accident and none by a guessed type.
func kinds() map[string]string {
	return map[string]string{
		"index.html": "text/html; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
		"app.css": "text/css; charset=utf-8", "tokens.css": "text/css; charset=utf-8",
	}
}

// Files are the names under which Handler answers; the page itself is "".
func Files() []string { return []string{"", "app.js", "app.css", "tokens.css"} }

// Handler serves one of the files.
func Handler(name string) http.HandlerFunc {
	if name == "" {
		name = "index.html"
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		body, err := fs.ReadFile(files, "page/"+name)
		if err != nil { // Files names what is embedded
			http.Error(w, "The page is not in this program.", http.StatusInternalServerError)
			return
		}
		for header, value := range map[string]string{
			"Content-Type": kinds()[name], "Cache-Control": "no-cache", "Content-Security-Policy": policy,
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		} {
			w.Header().Set(header, value)
		}
		_, _ = w.Write(body) // a reader who has gone is nobody to tell
	}
}
