package app

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"errand/client"
	"errand/internal/config"
)

// defaultURL is where errand serve listens when it was told nothing.
const defaultURL = "http://127.0.0.1:8420"

// remote are the flags of the commands that talk to a server.
type remote struct {
	URL  string `help:"Address of the server (ERRAND_URL; default ${url})." placeholder:"URL"`
	Key  string `help:"API key (ERRAND_API_KEY)." placeholder:"KEY"`
	JSON bool   `help:"Print JSON, as the API answers it. This is the default when no person reads the output."`
}

// client returns a client of the server that flags and environment name. On the
// server's own machine its admin key will do.
func (r *remote) client(p *process) *client.Client {
	url := cmp.Or(r.URL, p.variable("ERRAND_URL"), defaultURL)
	key := cmp.Or(r.Key, p.variable("ERRAND_API_KEY"), p.variable("ERRAND_ADMIN_KEY"))
	return client.New(url, key, client.WithHTTPClient(&http.Client{Transport: transport()}),
		client.WithUserAgent("errand-cli/"+version()))
}

// connectTimeout is short: the server is near, or the address is wrong.
const connectTimeout = 5 * time.Second

// show prints value as JSON to programs, and calls person for people.
func (r *remote) show(p *process, value any, person func()) error {
	if !r.JSON && p.reads() {
		person()
		return nil
	}
	return p.printJSON(value)
}

// printJSON prints a value as indented JSON.
func (p *process) printJSON(value any) error {
	encoder := json.NewEncoder(p.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// paging are the flags of lists.
type paging struct {
	Limit int    `help:"How many at most, 1 to 100." default:"20"`
	After string `help:"Only what comes after this one in the list." placeholder:"ID"`
}

// Validate refuses what the client would take for a limit that was left out; kong
// calls it.
func (l paging) Validate() error {
	if l.Limit < 1 || l.Limit > 100 {
		return errors.New("--limit: must be from 1 to 100")
	}
	return nil
}

// more tells a person how to see the next page.
func more[T any](p *process, page client.Page[T]) {
	if page.HasMore && page.Next != "" {
		p.print("More: --after %s\n", page.Next)
	}
}

// readDefinition reads a YAML or JSON file; - is the input.
func readDefinition(p *process, path string) (json.RawMessage, error) {
	if path == "-" {
		document, err := config.ReadDocument(p.In, "the input")
		return document.JSON, err
	}
	document, err := config.ReadDocumentFile(path)
	return document.JSON, err
}

// transport connects fast or says that nobody is there. It has no limit on the
// whole answer: streams stay open for as long as a run waits.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout: connectTimeout,
	}
}
