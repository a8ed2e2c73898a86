package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html/charset"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

const (
	timeout   = 20 * time.Second // a page that takes longer is not worth a model's wait
	maxPage   = 2 << 20          // bytes of a page that are read; what a model sees is far less
	redirects = 8
)

const description = "Fetches web pages by their URLs and returns their readable parts as Markdown, with title and final address. Several URLs are read at once. Reads HTML, plain text, JSON and XML, and documents of this server's index (index://…)."

const parameters = `{"type":"object","properties":{"url":{"type":"string","description":"Absolute http or https URL"},` +
	`"urls":{"type":"array","items":{"type":"string"},"minItems":1,"maxItems":8,"description":"Several URLs, to be read at once"}},"minProperties":1,"additionalProperties":false}`

// Library has documents that are not on the web. internal/index has one.
type Library interface {
	// Document returns a document of the project by its index:// address; a
	// not_found problem if there is none.
	Document(ctx context.Context, project, address string) (title, text string, err error)
}

// Config is what a Fetcher needs.
type Config struct {
	Guard   *egress.Guard
	Agent   string  // User-Agent, for example errand/1.0
	Library Library // nil = index:// addresses are refused
}

// Fetcher is the tool.
type Fetcher struct {
	client  *http.Client
	agent   string
	library Library
}

// New returns the tool.
func New(cfg Config) *Fetcher {
	return &Fetcher{
		client: cfg.Guard.Client(egress.Options{Redirects: redirects, Timeout: timeout, MaxBody: maxPage + 1}),
		agent:  cfg.Agent, library: cfg.Library,
	}
}

// Describe is what a run knows of the tool.
func (f *Fetcher) Describe() run.Tool {
	return run.Tool{
		Name: "web.fetch", Description: description, Parameters: json.RawMessage(parameters),
		Class: run.Safe, Outside: true, Preview: "{{url}}{{urls}}", Version: tool.Digest([]byte("web.fetch 2" + description + parameters)),
	}
}

// Close drops idle connections.
func (f *Fetcher) Close() error {
	f.client.CloseIdleConnections()
	return nil
}

// Call fetches one page, or several at once.
func (f *Fetcher) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	addresses, err := addresses(call.Arguments)
	if err != nil {
		return run.ToolResult{}, err
	}
	if len(addresses) > 1 {
		return f.many(ctx, call.Project, addresses)
	}
	found, err := f.one(ctx, call.Project, addresses[0])
	if err != nil {
		return run.ToolResult{}, err
	}
	return run.ToolResult{Output: found.shown()}, nil
}

// one reads one address.
func (f *Fetcher) one(ctx context.Context, project, address string) (Page, error) {
	if !strings.HasPrefix(address, "index://") || f.library == nil {
		return f.Page(ctx, address)
	}
	title, text, err := f.library.Document(ctx, project, address)
	if problem.Is(err, problem.NotFound) {
		return Page{}, failed(tool.Cut(address, 2<<10)+" is not in this server's index", err)
	}
	if err != nil {
		return Page{}, failed("this server's index could not be read", err)
	}
	return Page{Title: title, URL: address, Text: text}, nil
}

// Page reads one page of the web.
func (f *Fetcher) Page(ctx context.Context, address string) (Page, error) {
	address, _, _ = strings.Cut(address, "#") // links come with fragments, which are never sent
	target, err := egress.CheckURL(address)
	if err != nil {
		return Page{}, failed(err.Error(), err)
	}
	got, err := f.fetch(ctx, target)
	if err != nil {
		return Page{}, err
	}
	return got.parse(ctx)
}

// page is what came back.
type page struct {
	final *url.URL
	media string // without parameters
	kind  string // the whole Content-Type, for its charset
	body  []byte
	cut   bool // there was more than maxPage
}

func (f *Fetcher) fetch(ctx context.Context, target *url.URL) (*page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, failed("this is not a URL that can be fetched", err)
	}
	req.Header.Set("User-Agent", f.agent)
	req.Header.Set("Accept", "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.9, application/xml;q=0.8, */*;q=0.1")
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, unreachable(ctx, target, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, failed(fmt.Sprintf("%s answered %d %s", resp.Request.URL.Host, resp.StatusCode, http.StatusText(resp.StatusCode)), nil)
	}
	p := &page{final: resp.Request.URL, kind: resp.Header.Get("Content-Type")}
	buffered := &bytes.Buffer{}
	if _, err := io.Copy(buffered, io.LimitReader(resp.Body, 512)); err != nil { // as much as sniffing looks at
		return nil, unreachable(ctx, target, err)
	}
	if p.kind == "" {
		p.kind = http.DetectContentType(buffered.Bytes())
	}
	if p.media, _, err = mime.ParseMediaType(p.kind); err != nil {
		p.media = strings.ToLower(strings.TrimSpace(strings.SplitN(p.kind, ";", 2)[0]))
	}
	if !p.html() && !p.text() {
		return nil, failed(fmt.Sprintf("%s is %s, which this tool does not read: it reads HTML, plain text, JSON and XML", p.final, p.media), nil)
	}
	if _, err := io.Copy(buffered, io.LimitReader(resp.Body, maxPage+1-int64(buffered.Len()))); err != nil {
		return nil, unreachable(ctx, target, err)
	}
	p.body = buffered.Bytes()
	if len(p.body) > maxPage {
		p.body, p.cut = p.body[:maxPage], true
	}
	return p, nil
}

func (p *page) html() bool { return p.media == "text/html" || p.media == "application/xhtml+xml" }

func (p *page) text() bool {
	switch p.media {
	case "application/json", "application/xml", "application/yaml", "application/x-ndjson", "application/javascript":
		return true
	}
	return strings.HasPrefix(p.media, "text/") || strings.HasSuffix(p.media, "+json") || strings.HasSuffix(p.media, "+xml") && p.media != "image/svg+xml"
}

// decoded is the body in UTF-8: by the header's charset, a byte order mark, what
// the page says of itself, or what it looks like, in this order.
func (p *page) decoded() (io.Reader, error) {
	if len(p.body) == 0 {
		return bytes.NewReader(nil), nil
	}
	if !p.html() && !strings.Contains(strings.ToLower(p.kind), "charset") {
		return bytes.NewReader(bytes.TrimPrefix(p.body, []byte("\xef\xbb\xbf"))), nil // JSON and text are UTF-8 unless they say otherwise
	}
	return charset.NewReader(bytes.NewReader(p.body), p.kind)
}

func unreachable(ctx context.Context, target *url.URL, err error) error {
	if told, ok := egress.Public(err); ok {
		return problem.New(told.Code, "web.fetch: %s", told.Detail).Because(err)
	}
	why := "could not be reached"
	var timedOut interface{ Timeout() bool }
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		why = "was not fetched: the call was cancelled"
	case errors.As(err, &timedOut) && timedOut.Timeout():
		why = fmt.Sprintf("took longer than %s", timeout)
	}
	return failed(target.Host+" "+why, err)
}

func failed(why string, cause error) error {
	return problem.New(problem.ToolFailed, "web.fetch: %s.", why).Because(cause)
}
