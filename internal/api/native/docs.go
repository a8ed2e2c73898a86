package native

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"errand/api"
	"errand/internal/api/wire"
)

//go:embed docs.html
var docsHTML string

//go:embed docs.css
var docsCSS string

// contract is api/openapi.yaml in the forms in which it is shown. They are made
// when someone first asks, because most servers are never asked and all start.
type contract struct {
	html func() ([]byte, error)
	json func() ([]byte, error)
}

func newContract() contract {
	return contract{html: sync.OnceValues(renderDocs), json: sync.OnceValues(contractJSON)}
}

func contractJSON() ([]byte, error) {
	var document any
	if err := yaml.Unmarshal(api.YAML, &document); err != nil {
		return nil, fmt.Errorf("reading the contract: %w", err)
	}
	return json.Marshal(document)
}

func renderDocs() ([]byte, error) {
	page, err := readDocs(api.YAML)
	if err != nil {
		return nil, err
	}
	page.CSS = template.CSS(docsCSS) // our own file
	pattern, err := template.New("docs").Parse(docsHTML)
	if err != nil {
		return nil, fmt.Errorf("reading the docs' template: %w", err)
	}
	var out bytes.Buffer
	if err := pattern.Execute(&out, page); err != nil {
		return nil, fmt.Errorf("rendering the docs: %w", err)
	}
	return out.Bytes(), nil
}

// pageRoutes are those that need no key.
func (a *API) pageRoutes() []wire.Route {
	page := func(path string, handler http.HandlerFunc) wire.Route {
		return wire.Route{Method: "GET", Path: path, Open: true, HTTP: handler}
	}
	return []wire.Route{
		page("/", a.home),
		page("/docs", a.docs),
		page("/openapi.yaml", func(w http.ResponseWriter, _ *http.Request) { show(w, "application/yaml; charset=utf-8", api.YAML) }),
		page("/openapi.json", a.openapiJSON),
	}
}

// home sends a browser to a page and tells anyone else what this is.
func (a *API) home(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Vary", "Accept")
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Redirect(w, r, a.cfg.Home, http.StatusSeeOther)
		return
	}
	body, err := json.Marshal(map[string]string{"name": "errand", "version": a.cfg.Version, "docs": "/docs"})
	if err != nil { // strings always have a JSON form
		http.Error(w, "errand", http.StatusInternalServerError)
		return
	}
	show(w, "application/json", body)
}

func (a *API) docs(w http.ResponseWriter, _ *http.Request) {
	body, err := a.contract.html()
	if err != nil {
		http.Error(w, "The contract could not be rendered; /openapi.yaml has it.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Security-Policy", docsPolicy())
	show(w, "text/html; charset=utf-8", body)
}

// docsPolicy lets the page's one style sheet apply and nothing else happen.
func docsPolicy() string {
	sum := sha256.Sum256([]byte(docsCSS))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
}

func (a *API) openapiJSON(w http.ResponseWriter, _ *http.Request) {
	body, err := a.contract.json()
	if err != nil {
		http.Error(w, "The contract could not be converted; /openapi.yaml has it.", http.StatusInternalServerError)
		return
	}
	show(w, "application/json", body)
}

// show writes a page. It changes only with the program, but caches may not keep
// it longer than they can ask for it.
func show(w http.ResponseWriter, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(body) // the reader has gone: nobody is left to tell
}
