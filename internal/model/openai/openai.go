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
// messages.go (what is sent), names.go (tool names on the wire), lines.go (the
// event stream), scan.go and chunk.go (JSON), reply.go (pieces become a reply),
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
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"errand/internal/run"
)

// Kinds whose dialect of the wire format needs something of its own. Any other
// kind is spoken to in the common form.
const (
	DeepSeek = "deepseek" // wants a turn's reasoning back with its calls
	Mistral  = "mistral"  // accepts only call ids of nine letters and digits
	Google   = "google"   // wants a signature with each call of the history
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

	Timeouts  Timeouts
	Now       func() time.Time  // for Retry-After dates; nil = time.Now
	Transport http.RoundTripper // nil = one that is tuned for many calls at once
}

// Timeouts bound one model call; zero means the default.
type Timeouts struct {
	Connect time.Duration // to a connection with TLS: 10 s
	First   time.Duration // to the first token: 5 min, because reasoning models think first
	Silence time.Duration // without a byte after it: 60 s
	Total   time.Duration // in all: 10 min
	Tail    time.Duration // after finish_reason, for the usage and the end: 2 s
}

func (t Timeouts) withDefaults() Timeouts {
	for _, each := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&t.Connect, 10 * time.Second}, {&t.First, 5 * time.Minute}, {&t.Silence, time.Minute},
		{&t.Total, 10 * time.Minute}, {&t.Tail, 2 * time.Second},
	} {
		if *each.value <= 0 {
			*each.value = each.fallback
		}
	}
	return t
}

// Client calls one endpoint. It is safe for concurrent use.
type Client struct {
	cfg       Config
	template  http.Request // copied for each call
	listing   http.Request
	newMax    bool     // spells max_tokens max_completion_tokens
	secrets   []string // that no public detail may have
	transport http.RoundTripper
	owned     *http.Transport // to be closed with the client, or nil
	memory    memory
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
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	client := &Client{cfg: cfg, transport: cfg.Transport, newMax: base.Hostname() == "api.openai.com", secrets: []string{cfg.Key}}
	if password, ok := base.User.Password(); ok {
		client.secrets = append(client.secrets, password)
	}
	for _, value := range cfg.Headers {
		client.secrets = append(client.secrets, value)
	}
	if client.transport == nil {
		client.owned = newTransport(cfg.Timeouts)
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

// idlePerHost keeps the connections of a thousand parallel calls for the next
// thousand; net/http keeps two.
const idlePerHost = 1024

// connBuffer is the room that a connection has to read and to write: half of what
// net/http takes by itself, because every open stream has both. Heads fit, tokens
// are short, and what is longer goes around it.
const connBuffer = 2 << 10

// newTransport speaks HTTP/1.1 only: with a connection for each call, a lost
// packet or a stuck connection holds up one stream and not a hundred.
func newTransport(limits Timeouts) *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: limits.Connect, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: limits.Connect,
		MaxIdleConnsPerHost: idlePerHost,
		IdleConnTimeout:     90 * time.Second,
		ReadBufferSize:      connBuffer,
		WriteBufferSize:     connBuffer,
		DisableCompression:  true, // gzip would hold tokens back and cost CPU on both sides
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
func (c *Client) Reply(ctx context.Context, req run.Request, emit func(run.Delta)) (run.Reply, error) {
	if emit == nil {
		emit = func(run.Delta) {}
	}
	known := c.memory.of(req.Model)
	for {
		reply, err := c.call(ctx, &req, known, emit)
		var refused *refusal
		if !errors.As(err, &refused) {
			return reply, err
		}
		learned := refused.lesson(&req, known)
		if learned == known {
			return reply, refused.problem(c.cfg.Name+"/"+req.Model, &req)
		}
		c.memory.add(req.Model, learned)
		known = learned
	}
}
