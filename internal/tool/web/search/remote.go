package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
)

const (
	maxAnswer = 4 << 20          // bytes; twenty results with long excerpts are a tenth of it
	keepAlive = 90 * time.Second // an agent's next search mostly comes within that
)

// Options is what an engine needs to be asked.
type Options struct {
	Guard *egress.Guard
	Agent string // User-Agent
	Key   string
	Base  string // address of the service; empty = its public one. Required for SearXNG
}

// remote is a search engine behind HTTP.
type remote struct {
	name    string
	setting string // where its key comes from, for messages
	agent   string
	client  *http.Client
	ask     func(q Query) (request, error)
	read    func(body []byte) ([]run.Source, error)
	hint    map[int]string // what some statuses mean with this engine
}

// request is how a query is put to an engine.
type request struct {
	url     string
	query   url.Values
	headers map[string]string
	body    any // makes it a POST; nil = GET
}

func newRemote(name, setting string, o Options) *remote {
	own := ""
	if base, err := url.Parse(o.Base); err == nil && o.Base != "" {
		own = egress.HostPort(base) // only the operator names a base
	}
	return &remote{
		name: name, setting: setting, agent: o.Agent,
		client: o.Guard.Client(egress.Options{Timeout: patience, MaxBody: maxAnswer, KeepAlive: keepAlive, Own: own}),
	}
}

// Name is what the settings call it.
func (r *remote) Name() string { return r.name }

// Close drops idle connections.
func (r *remote) Close() error {
	r.client.CloseIdleConnections()
	return nil
}

// Search makes one call.
func (r *remote) Search(ctx context.Context, q Query) ([]run.Source, error) {
	asked, err := r.ask(q)
	if err != nil {
		return nil, err
	}
	req, err := asked.make(ctx)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", r.agent)
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer resp.Body.Close()
	body, err := whole(resp) // of a refusal too, so that the connection is used again
	if resp.StatusCode != http.StatusOK {
		return nil, r.refused(resp)
	}
	if err != nil {
		return nil, unreachable(err)
	}
	found, err := r.read(body)
	var public *problem.Error
	if err != nil && !errors.As(err, &public) {
		return nil, problem.New(problem.ToolFailed, "sent an answer that can't be read").Because(err)
	}
	return found, err
}

// whole reads an answer. Most say how long they are, which saves growing.
func whole(resp *http.Response) ([]byte, error) {
	const most = 64 << 10 // is believed
	body := bytes.NewBuffer(make([]byte, 0, min(max(resp.ContentLength, 0), most)+bytes.MinRead))
	_, err := body.ReadFrom(resp.Body)
	return body.Bytes(), err
}

// decode reads an answer as leniently as encoding/json does, at a fraction of its cost:
// it is by far the longest text of a search, and a few of its fields are wanted.
func decode(body []byte, into any) error {
	return jsonv2.Unmarshal(body, into, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
}

func (a *request) make(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if a.body != nil {
		text, err := json.Marshal(a.body)
		if err != nil {
			return nil, fmt.Errorf("encoding a query: %w", err)
		}
		method, body = http.MethodPost, bytes.NewReader(text)
	}
	address := a.url
	if len(a.query) > 0 {
		address += "?" + a.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("making a search request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if a.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range a.headers {
		req.Header.Set(name, value)
	}
	return req, nil
}

// refused says what a status means. The engine's own words are not repeated: some
// of them quote the key.
func (r *remote) refused(resp *http.Response) error {
	status := resp.StatusCode
	if hint := r.hint[status]; hint != "" {
		return problem.New(problem.ToolFailed, "answered %d: %s", status, hint)
	}
	switch {
	case status == http.StatusTooManyRequests:
		limited := problem.New(problem.RateLimited, "answered 429: too many searches for its plan")
		if seconds, err := strconv.Atoi(strings.TrimSpace(resp.Header.Get("Retry-After"))); err == nil && seconds > 0 {
			limited.RetryAfter = time.Duration(min(seconds, 3600)) * time.Second
		}
		return limited
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if r.setting == "" {
			break
		}
		return problem.New(problem.ToolFailed, "answered %d: it refuses the key in %s", status, r.setting)
	case status == http.StatusPaymentRequired:
		return problem.New(problem.ToolFailed, "answered 402: its plan is used up")
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		return problem.New(problem.InvalidRequest, "answered %d: it refuses this query", status)
	}
	return problem.New(problem.ToolFailed, "answered %d %s", status, http.StatusText(status))
}

func unreachable(err error) error {
	if told, ok := egress.Public(err); ok {
		return problem.New(problem.ToolFailed, "could not be asked: %s", strings.TrimSuffix(told.Detail, ".")).Because(err)
	}
	var late interface{ Timeout() bool }
	if errors.As(err, &late) && late.Timeout() {
		return problem.New(problem.ToolFailed, "took longer than %s", patience).Because(err)
	}
	return problem.New(problem.ToolFailed, "could not be reached").Because(err)
}

// base is the service's address without a slash at its end.
func (o *Options) base(public string) string {
	if o.Base == "" {
		return public
	}
	return strings.TrimRight(o.Base, "/")
}
