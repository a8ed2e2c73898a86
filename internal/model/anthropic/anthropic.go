// Package anthropic answers model calls over Anthropic's Messages API, by its
// official SDK: the wire format is rich and changes often, and it is not the hot
// path.
//
// What the package promises:
//   - Deltas are emitted by the calling goroutine, in order, each ending at a
//     character boundary, and together they are the reply.
//   - What the model thought goes back to it unchanged, signatures and redacted
//     blocks included, as long as the conversation stays with the same model.
//   - The stable beginning of a conversation is marked for the provider's cache.
//   - Every error is the context's own or a *problem.Error with a model_* code,
//     whose public detail never contains the key. The SDK repeats nothing and
//     reads no environment: whether a call is made again is not decided here.
//   - A parameter that only a default had set and that a model refuses is left
//     out, once, and remembered; one that the caller set is refused by name.
//   - No redirect is followed, so the key goes to the configured origin alone.
//
// A tour: call.go (one HTTP call and its limits), request.go and messages.go
// (what is sent), cache.go (what is marked for the cache), thinking.go (budgets
// and effort), reply.go (events become a reply), carry.go (what goes back with a
// turn), failure.go (refusals and provider errors).
//
// To change what is sent, edit request.go; to use a new kind of block, edit
// reply.go and carry.go.
package anthropic

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// Config says where the provider is. Name and BaseURL must be set.
type Config struct {
	Name    string            // the endpoint's name, the prefix of Reply.Model
	BaseURL string            // with or without /v1
	Key     string            // sent as x-api-key; empty = none
	Headers map[string]string // sent with each call

	Timeouts  remote.Timeouts
	Now       func() time.Time  // for Retry-After dates; nil = time.Now
	Transport http.RoundTripper // nil = one that is tuned for many calls at once
}

// Client calls one endpoint. It is safe for concurrent use.
type Client struct {
	cfg       Config
	messages  sdk.MessageService // these two and no sdk.Client, which would link all the others too
	models    sdk.ModelService
	place     remote.Place
	transport http.RoundTripper
	owned     *http.Transport // to be closed with the client, or nil
	memory    remote.Memory
}

// New returns a client for the endpoint. It makes no connection yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(strings.TrimSpace(cfg.BaseURL))
	if err != nil || base.Host == "" || base.User != nil || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("endpoint %s: the base URL must be http(s)://host[:port][/path]", cfg.Name)
	}
	if strings.ContainsAny(cfg.Key, "\r\n") {
		return nil, fmt.Errorf("endpoint %s: the key must not contain a line break", cfg.Name)
	}
	cfg.Timeouts = cfg.Timeouts.WithDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Client{cfg: cfg, transport: cfg.Transport, place: remote.Place{Name: cfg.Name, Secrets: []string{cfg.Key}, Now: cfg.Now}}
	if c.transport == nil {
		c.owned = remote.NewTransport(cfg.Timeouts)
		c.transport = c.owned
	}
	query := base.Query()
	base.RawQuery, base.Fragment = "", ""
	base.Path = strings.TrimSuffix(strings.TrimRight(base.Path, "/"), "/v1") + "/"
	options := []option.RequestOption{
		option.WithBaseURL(base.String()), option.WithMaxRetries(0), option.WithHeader("User-Agent", "errand"),
	}
	if cfg.Key != "" {
		options = append(options, option.WithAPIKey(cfg.Key))
	}
	for name := range query {
		options = append(options, option.WithQuery(name, query.Get(name)))
	}
	for name, value := range cfg.Headers {
		c.place.Secrets = append(c.place.Secrets, value)
		options = append(options, option.WithHeader(name, value))
	}
	c.messages, c.models = sdk.NewMessageService(options...), sdk.NewModelService(options...)
	return c, nil
}

// Close drops idle connections. Calls under way go on.
func (c *Client) Close() {
	if c.owned != nil {
		c.owned.CloseIdleConnections()
	}
}

// Reply makes one model call. What a model is found to refuse is put in another
// way and the call made again, so a call may be up to a few requests; nothing is
// emitted before the one that is accepted.
func (c *Client) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	if emit == nil {
		emit = func(run.Delta) {}
	}
	if name := remote.Unheard(&req.Params, never); name != "" {
		return run.Reply{}, remote.Refused(c.cfg.Name+"/"+req.Model, name, "this provider has no such parameter")
	}
	known := never | c.memory.Of(req.Model)
	for {
		reply, err := c.call(ctx, req, known, emit)
		var refused *refusal
		if !errors.As(err, &refused) {
			return reply, err
		}
		learned := refused.lesson(req, known)
		if learned == known {
			return reply, refused.problem(c.cfg.Name + "/" + req.Model)
		}
		c.memory.Add(req.Model, learned&^forgetful)
		known = learned
	}
}

// List returns the names of the models that the endpoint says it has.
func (c *Client) List(ctx context.Context) ([]string, error) {
	watch := remote.NewWatch(ctx, c.cfg.Timeouts)
	defer watch.Stop()
	over := &sender{client: c, watch: watch, accept: "json"}
	pages := c.models.ListAutoPaging(watch.Context, sdk.ModelListParams{Limit: sdk.Int(1000)}, option.WithHTTPClient(over))
	names := []string{}
	for pages.Next() {
		names = append(names, pages.Current().ID)
	}
	err := pages.Err()
	var sent *answered
	var why remote.Garbled
	switch {
	case err == nil:
		return names, nil
	case errors.As(err, &sent):
		return nil, c.place.Judge(sent.status, remote.ParseFailure(sent.body), sent.header, "")
	case over.begun || errors.As(err, &why):
		return nil, problem.New(problem.ModelGarbled, "The list of models of %s can't be read.", c.cfg.Name).Because(err)
	}
	return nil, watch.Broken(ctx, c.cfg.Name, err, problem.ModelUnavailable)
}
