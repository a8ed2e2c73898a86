package http

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/html/charset"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

const (
	// keepAlive is how long a connection of safe and keyed calls is kept idle:
	// shorter than any common server keeps it, so that calls do not race with the
	// server's closing.
	keepAlive = time.Second

	// maxError is how much of an error's body the model gets to read.
	maxError = 4 << 10
)

// Client makes calls. It is safe for concurrent use; Close ends it.
type Client struct {
	kept  *http.Client // for calls that may be repeated
	fresh *http.Client // for calls that may not: a connection each
	agent string
}

// New returns a client that calls what the guard lets through. The agent is its
// User-Agent, for example errand/1.0.
func New(guard *egress.Guard, agent string) *Client {
	return &Client{
		kept:  guard.Client(egress.Options{KeepAlive: keepAlive}),
		fresh: guard.Client(egress.Options{}),
		agent: agent,
	}
}

// Close drops the idle connections.
func (c *Client) Close() error {
	c.kept.CloseIdleConnections()
	c.fresh.CloseIdleConnections()
	return nil
}

// Call makes one call. Its errors are problems for the model: tool_failed and
// egress_denied are definite, tool_unknown is not.
func (c *Client) Call(ctx context.Context, d tool.Definition, call run.ToolCall) (run.ToolResult, error) {
	ctx, cancel := context.WithTimeout(ctx, d.Timeout())
	defer cancel()
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := c.request(ctx, d, call)
	if err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "%s could not be called: its definition makes no valid request.", d.Name).Because(err)
	}
	client := c.kept
	if d.Effect == run.Once {
		client = c.fresh
	}
	resp, err := client.Transport.RoundTrip(req) // and not Do, which reads a redirect's Location
	if err != nil {
		return run.ToolResult{}, broken(ctx, d, connected.Load(), err)
	}
	defer resp.Body.Close()
	return answer(ctx, d, resp)
}

func (c *Client) request(ctx context.Context, d tool.Definition, call run.ToolCall) (*http.Request, error) {
	arguments := call.Arguments
	if len(arguments) == 0 {
		arguments = []byte("{}")
	}
	req, err := http.NewRequestWithContext(ctx, d.Method, d.URL, bytes.NewReader(arguments))
	if err != nil {
		return nil, err
	}
	req.GetBody = nil // a body that can't be had again can't be sent again
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json, text/plain;q=0.9, */*;q=0.1")
	for name, value := range d.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", call.Key())
	req.Header.Set("X-Errand-Run", "run_"+call.Run.String())
	req.Header.Set("X-Errand-Action", call.Action)
	if call.Trace != "" {
		req.Header.Set("Traceparent", call.Trace)
	}
	return req, nil
}

// broken says what is known of a call that got no answer.
func broken(ctx context.Context, d tool.Definition, connected bool, err error) error {
	if denied, ok := egress.Public(err); ok && !connected {
		return denied
	}
	why := "the connection broke"
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		why = fmt.Sprintf("no answer came within %d seconds", d.TimeoutS)
	case ctx.Err() != nil:
		why = "the call was cancelled"
	}
	if connected {
		return problem.New(problem.ToolUnknown, "%s was called and %s: it may or may not have taken effect.", d.Name, why).Because(err)
	}
	if why == "the connection broke" {
		why = "its server could not be reached"
	}
	return problem.New(problem.ToolFailed, "%s was not called: %s. Nothing was sent.", d.Name, why).Because(err)
}

// answer turns a response into a result, or into an error for the model.
func answer(ctx context.Context, d tool.Definition, resp *http.Response) (run.ToolResult, error) {
	succeeded := resp.StatusCode >= 200 && resp.StatusCode <= 299
	limit := int64(maxError)
	if succeeded {
		limit = tool.MaxOutput
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil && succeeded {
		return run.ToolResult{}, broken(ctx, d, true, err)
	}
	total := int64(0)
	if int64(len(head)) > limit {
		if total = resp.ContentLength; total <= limit {
			total = -1 // not said, or said of the compressed form
		}
	}
	text := d.Redact(readable(head, resp.Header.Get("Content-Type")))
	if succeeded {
		return run.ToolResult{Output: tool.Bound(text, total)}, nil
	}
	status := fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if resp.StatusCode >= 300 && resp.StatusCode <= 399 {
		status += ", a redirect, which calls of tools do not follow"
	}
	detail := fmt.Sprintf("%s answered %s", d.Name, strings.TrimSpace(status))
	if text = strings.TrimSpace(tool.Cut(text, maxError)); text != "" {
		detail += ": " + text
	}
	return run.ToolResult{}, problem.New(problem.ToolFailed, "%s", detail)
}

// readable makes text of a body: other character sets are converted, and what is
// no text at all is described.
func readable(body []byte, contentType string) string {
	media, params, err := mime.ParseMediaType(contentType)
	if name := params["charset"]; err == nil && name != "" && !strings.EqualFold(name, "utf-8") {
		if r, err := charset.NewReaderLabel(name, bytes.NewReader(body)); err == nil {
			if converted, err := io.ReadAll(r); err == nil {
				return string(converted)
			}
		}
	}
	if bytes.IndexByte(body, 0) >= 0 {
		if media == "" {
			media = "data"
		}
		return fmt.Sprintf("(the answer is %s, which is not text)", media)
	}
	return string(body)
}
