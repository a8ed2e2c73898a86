// Package openai answers model calls over the chat-completions wire format,
// which OpenAI, DeepSeek, Groq, Mistral, Together, Google's compatible endpoint,
// Ollama, vLLM and llama.cpp speak. It is the hot path of the server, so it is a
// client of our own: one allocation for the body, no reflection per token.
//
// What the package promises:
//   - Deltas are emitted by the calling goroutine, in order, each ending at a
//     character boundary, and together they are the reply.
//   - Every error is the context's own or a *problem.Error with a model_* code,
//     whose public detail never contains the key. The reply beside an error
//     holds what had come by then, its usage above all.
//   - A conversation is always put so that a provider accepts it: tool names are
//     legal, every call is answered once, arguments are a JSON object.
//   - No redirect is followed, so the key goes to the configured origin alone.
//
// A tour: call.go (one HTTP call and its time limits), request.go and
// messages.go (what is sent), lines.go (the event stream), scan.go and chunk.go
// (JSON), reply.go (pieces become a reply), carry.go (what Google wants back),
// params.go (parameters that a model refuses), failure.go (provider errors).
//
// To change what is sent, edit request.go; to tolerate one more oddity of a
// server, edit chunk.go or reply.go and add it to stream_test.go.
package openai

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// Kinds whose dialect of the wire format needs something of its own. Any other
// kind is spoken to in the common form.
const (
	DeepSeek = "deepseek" // wants a turn's reasoning back with its calls
	Mistral  = "mistral"  // accepts only call ids of nine letters and digits
	Google   = "google"   // wants back the signature that came with a call
	Groq     = "groq"     // passes over some parameters that it does not have
	Ollama   = "ollama"   // likewise
)

// Config says where a model provider is and how to speak to it. Name and BaseURL
// must be set.
type Config struct {
	Name    string            // the endpoint's name, the prefix of Reply.Model
	BaseURL string            // up to and without /chat/completions; a query is kept
	Key     string            // sent as a bearer token; empty = none
	Kind    string            // DeepSeek, Mistral, Google or anything else
	Headers map[string]string // sent with each call
	Whole   bool              // ask for whole answers instead of streams

	Timeouts  remote.Timeouts
	Now       func() time.Time  // for Retry-After dates; nil = time.Now
	Transport http.RoundTripper // nil = one that is tuned for many calls at once
}

// Client calls one endpoint. It is safe for concurrent use.
type Client struct {
	cfg       Config
	template  http.Request // copied for each call
	listing   http.Request
	newMax    bool           // spells max_tokens max_completion_tokens
	never     remote.Lessons // parameters that this provider is known not to have
	place     remote.Place
	transport http.RoundTripper
	owned     *http.Transport // to be closed with the client, or nil
	memory    remote.Memory
	readers   sync.Pool // of *reader
}

// New returns a client for the endpoint. It makes no connection yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSpace(cfg.BaseURL))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %s: the base URL must be http(s)://host[:port][/path]", cfg.Name)
	}
	if strings.ContainsAny(cfg.Key, "\r\n") {
		return nil, fmt.Errorf("endpoint %s: the key must not contain a line break", cfg.Name)
	}
	cfg.Timeouts = cfg.Timeouts.WithDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	client := &Client{cfg: cfg, transport: cfg.Transport, newMax: base.Hostname() == "api.openai.com"}
	client.never = neverOf(cfg.Kind, client.newMax)
	client.place = remote.Place{Name: cfg.Name, Secrets: []string{cfg.Key}, Now: cfg.Now}
	if password, ok := base.User.Password(); ok {
		client.place.Secrets = append(client.place.Secrets, password)
	}
	for _, value := range cfg.Headers {
		client.place.Secrets = append(client.place.Secrets, value)
	}
	if client.transport == nil {
		client.owned = remote.NewTransport(cfg.Timeouts)
		client.transport = client.owned
	}
	client.readers.New = func() any { return newReader() }
	client.template = prepared(cfg, base, http.MethodPost, "/chat/completions")
	client.listing = prepared(cfg, base, http.MethodGet, "/models")
	return client, nil
}

// prepared is the part of a request that is the same for every call. Its header
// is shared: a RoundTripper may not modify it.
func prepared(cfg Config, base *url.URL, method, path string) http.Request {
	target := *base
	target.User = nil
	target.Path = strings.TrimRight(base.Path, "/") + path
	target.RawPath, target.Fragment = "", ""
	header := http.Header{"User-Agent": {"errand"}, "Accept": {"text/event-stream, application/json"}}
	if method == http.MethodPost {
		header.Set("Content-Type", "application/json")
	}
	if cfg.Key != "" {
		header.Set("Authorization", "Bearer "+cfg.Key)
	} else if base.User != nil {
		password, _ := base.User.Password()
		pair := base.User.Username() + ":" + password
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	for name, value := range cfg.Headers {
		header.Set(name, value)
	}
	return http.Request{
		Method: method, URL: &target, Host: target.Host, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
}

// Close drops idle connections. Calls under way go on.
func (c *Client) Close() {
	if c.owned != nil {
		c.owned.CloseIdleConnections()
	}
}

// Reply makes one model call. A parameter that only a default had set and that
// the model refuses is left out and the call made again, so a call may be up to
// a few requests; nothing is emitted before the one that is accepted.
func (c *Client) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (reply run.Reply, err error) {
	if emit == nil {
		emit = func(run.Delta) {}
	}
	if name := remote.Unheard(&req.Params, c.never); name != "" {
		return reply, remote.Refused(c.cfg.Name+"/"+req.Model, name, "this provider has no such parameter")
	}
	known := c.never | c.memory.Of(req.Model)
	for {
		reply, err = c.call(ctx, req, known, emit)
		if err == nil {
			return reply, nil
		}
		learned := known
		if learned, err = c.learn(req, known, err); learned == known {
			return reply, err
		}
		known = learned
	}
}

// learn takes note of a parameter that a call was refused for. If there is none, what
// is known stays, and the error is the one to report.
func (c *Client) learn(req *run.Request, known remote.Lessons, err error) (remote.Lessons, error) {
	var refused *refusal
	if !errors.As(err, &refused) {
		return known, err
	}
	learned := refused.lesson(req, known)
	if learned == known {
		return known, refused.problem(c.cfg.Name + "/" + req.Model)
	}
	c.memory.Add(req.Model, learned)
	return learned, nil
}
