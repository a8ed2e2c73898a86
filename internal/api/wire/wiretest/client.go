package wiretest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"errand/internal/auth"
	"errand/internal/run"
)

// Client sends requests with a key.
type Client struct {
	T      *testing.T
	HTTP   *http.Client
	URL    string
	Secret string // empty = no key
	Header string // that has the key; empty = Authorization, as a bearer
}

// As is the same client with another key.
func (c *Client) As(secret string) *Client {
	other := *c
	other.Secret = secret
	return &other
}

// Request is a request with the client's key; headers are pairs of name and value.
func (c *Client) Request(ctx context.Context, method, path, body string, headers []string) *http.Request {
	c.T.Helper()
	var sent io.Reader
	if body != "" {
		sent = strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, sent)
	if err != nil {
		c.T.Fatal(err)
	}
	switch {
	case c.Secret == "":
	case c.Header != "":
		request.Header.Set(c.Header, c.Secret)
	default:
		request.Header.Set("Authorization", "Bearer "+c.Secret)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	return request
}

// Do makes a request and reads the answer to its end.
func (c *Client) Do(method, path, body string, headers ...string) Reply {
	c.T.Helper()
	answer, err := c.HTTP.Do(c.Request(c.T.Context(), method, path, body, headers))
	if err != nil {
		c.T.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.T.Fatal(err)
	}
	return Reply{T: c.T, Status: answer.StatusCode, Header: answer.Header, Body: text}
}

// Want makes a request and ends the test when its answer has another status.
func (c *Client) Want(status int, method, path, body string, headers ...string) Reply {
	c.T.Helper()
	got := c.Do(method, path, body, headers...)
	if got.Status != status {
		c.T.Fatalf("%s %s %.300s: got %d, want %d: %s", method, path, body, got.Status, status, got.Body)
	}
	return got
}

// Reply is an answer with its body read.
type Reply struct {
	T      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// Into decodes the body.
func (r Reply) Into(value any) {
	r.T.Helper()
	if err := json.Unmarshal(r.Body, value); err != nil {
		r.T.Fatalf("%v: %s", err, r.Body)
	}
}

// State is a run of the project default, by any spelling of its id.
func (w *World) State(id string) run.State {
	w.T.Helper()
	parsed, err := run.ParseID(id)
	if err != nil {
		w.T.Fatal(err)
	}
	s, err := w.Engine.Get(w.T.Context(), auth.DefaultProject, parsed)
	if err != nil {
		w.T.Fatal(err)
	}
	return s
}
