// Package client is the Go client of Errand's native API.
//
//	c := client.New("http://127.0.0.1:8420", os.Getenv("ERRAND_API_KEY"))
//	r, err := c.Agents.Run(ctx, "invoice-chaser", client.Task{Prompt: "Chase the unpaid invoices."})
//
// What it promises: a request that may have been lost is sent again with the same
// Idempotency-Key, so that nothing is done twice; a stream that breaks goes on
// where it broke; an error of the API is an *Error with its code. It depends on
// the standard library alone.
//
// To add a route, edit the file of its object; to change how requests are sent
// and repeated, edit client.go.
package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client talks to one server with one key. It is safe for concurrent use.
type Client struct {
	Agents    *Agents
	Runs      *Runs
	Approvals *Approvals
	Tools     *Tools
	Servers   *Servers
	Keys      *Keys
	Models    *Models
	Index     *Index
	Files     *Files
	Webhooks  *Webhooks
	Schedules *Schedules
	Budgets   *Budgets
	Audit     *Audit
	Projects  *Projects
	Sessions  *Sessions

	base    string
	key     string
	http    *http.Client
	retries int
	pause   time.Duration
	agent   string
}

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient sends requests through another http.Client. It must not have a
// Timeout if streams are read: that would cut them.
func WithHTTPClient(h *http.Client) Option { return func(c *Client) { c.http = h } }

// WithRetries sets how often a request that may have been lost is sent again;
// 0 = never. The default is 3.
func WithRetries(n int) Option { return func(c *Client) { c.retries = n } }

// WithPause sets the wait before the first repetition, which doubles with each
// further one. The default is 200 ms.
func WithPause(d time.Duration) Option { return func(c *Client) { c.pause = d } }

// WithUserAgent names the program to the server.
func WithUserAgent(name string) Option { return func(c *Client) { c.agent = name } }

// New returns a client of the server at this address (http://127.0.0.1:8420).
func New(address, key string, options ...Option) *Client {
	c := &Client{
		base: strings.TrimRight(address, "/"), key: key,
		http: http.DefaultClient, retries: 3, pause: 200 * time.Millisecond, agent: "errand-go",
	}
	for _, option := range options {
		option(c)
	}
	c.Agents, c.Runs, c.Approvals = &Agents{c}, &Runs{c}, &Approvals{c}
	c.Tools, c.Servers, c.Keys, c.Models = &Tools{c}, &Servers{c}, &Keys{c}, &Models{c}
	c.Index, c.Files, c.Webhooks, c.Schedules = &Index{c}, &Files{c}, &Webhooks{c}, &Schedules{c}
	c.Budgets, c.Audit, c.Projects = &Budgets{c}, &Audit{c}, &Projects{c}
	c.Sessions = &Sessions{c}
	return c
}

// call is one request of the API.
type call struct {
	method string
	path   string
	query  url.Values
	body   any // encoded as JSON, unless it is a *form; nil = none
	into   any // decoded from the answer; nil = the answer is dropped

	headers map[string]string // beside those of every call
}

// do makes a call, again if its fate is unknown and repeating it is harmless.
func (c *Client) do(ctx context.Context, what call) error {
	answer, err := c.send(ctx, what, what.headers)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if what.into == nil {
		_, err := io.Copy(io.Discard, answer.Body)
		return err
	}
	if err := json.NewDecoder(answer.Body).Decode(what.into); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", what.method, what.path, err)
	}
	return nil
}

// send returns an answer below 400. The caller closes its body.
func (c *Client) send(ctx context.Context, what call, headers map[string]string) (*http.Response, error) {
	body, err := payloadOf(what.body)
	if err != nil {
		return nil, err
	}
	key := ""
	if what.method == http.MethodPost {
		key = rand.Text()
	}
	for try := 0; ; try++ {
		request, err := c.request(ctx, what, body)
		if err != nil {
			return nil, err
		}
		if key != "" {
			request.Header.Set("Idempotency-Key", key)
		}
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		answer, err := c.http.Do(request)
		wait, again := c.again(what.method, try, answer, err)
		again = again && (body == nil || body.again())
		switch {
		case !again && err != nil:
			return nil, err
		case !again && answer.StatusCode >= 400:
			return nil, decodeError(answer)
		case !again:
			return answer, nil
		}
		if answer != nil {
			answer.Body.Close()
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (c *Client) request(ctx context.Context, what call, body payload) (*http.Request, error) {
	address := c.base + what.path
	if len(what.query) > 0 {
		address += "?" + what.query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, what.method, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what.method, address, err)
	}
	if body != nil {
		from, size, err := body.open()
		if err != nil {
			return nil, err
		}
		request.Body, request.ContentLength = io.NopCloser(from), size
		request.Header.Set("Content-Type", body.kind())
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	request.Header.Set("User-Agent", c.agent)
	return request, nil
}

// again says whether to repeat and after how long. A POST carries a key and a GET
// changes nothing, so both are repeated whatever happened to them; the other
// methods only if the server certainly did nothing.
func (c *Client) again(method string, try int, answer *http.Response, err error) (time.Duration, bool) {
	if try >= c.retries {
		return 0, false
	}
	wait := c.pause << try
	if err != nil {
		var dial *net.OpError
		refused := errors.As(err, &dial) && dial.Op == "dial"
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || refused {
			return 0, false // a server that is not there is told at once
		}
		return wait, method == http.MethodPost || method == http.MethodGet
	}
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
			wait = max(wait, time.Duration(seconds)*time.Second)
		}
		return wait, wait <= longestWait
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return wait, method == http.MethodPost || method == http.MethodGet
	}
	return 0, false
}

// longestWait bounds what a caller is made to wait for: a budget that is used up is
// no hiccup, and the error says when there is room again.
const longestWait = time.Minute

// sleep waits, or returns the reason why ctx ended first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
