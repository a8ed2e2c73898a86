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

const description = "Fetches a web page by its URL and returns its readable part as Markdown, with its title and final address. Reads HTML, plain text, JSON and XML."

const parameters = `{"type":"object","properties":{"url":{"type":"string","description":"Absolute http or https URL"}},"required":["url"],"additionalProperties":false}`

// Fetcher is the tool.
type Fetcher struct {
	client *http.Client
	agent  string
}

// New returns the tool. The agent is its User-Agent, for example errand/1.0.
func New(guard *egress.Guard, agent string) *Fetcher {
	return &Fetcher{
		client: guard.Client(egress.Options{Redirects: redirects, Timeout: timeout, MaxBody: maxPage + 1}),
		agent:  agent,
	}
}

// Describe is what a run knows of the tool.
func (f *Fetcher) Describe() run.Tool {
	return run.Tool{
		Name: "web.fetch", Description: description, Parameters: json.RawMessage(parameters),
		Class: run.Safe, Preview: "{{url}}", Version: tool.Digest([]byte("web.fetch 1" + description + parameters)),
	}
}

// Close drops idle connections.
func (f *Fetcher) Close() error {
	f.client.CloseIdleConnections()
	return nil
}

// Call fetches one page.
func (f *Fetcher) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	var arguments struct {
		URL string `json:"url"`
	}
	if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
		return run.ToolResult{}, failed("the arguments are not a JSON object with url as a string", err)
	}
	address, _, _ := strings.Cut(arguments.URL, "#") // links come with fragments, which are never sent
	target, err := egress.CheckURL(address)
	if err != nil {
		return run.ToolResult{}, failed(err.Error(), err)
	}
	got, err := f.fetch(ctx, target)
	if err != nil {
		return run.ToolResult{}, err
	}
	shown, err := got.read(ctx)
	if err != nil {
		return run.ToolResult{}, err
	}
	return run.ToolResult{Output: shown}, nil
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
