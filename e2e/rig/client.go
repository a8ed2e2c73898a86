package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/contract"
)

// requestTime bounds one request, and the whole of a stream: the longest wait of the
// API, and patience on top.
const requestTime = 30*time.Second + Patience

// Client speaks to a server with one key. Every answer that it gets must fit the
// contract.
type Client struct {
	T    testing.TB
	URL  string
	Key  string
	http *http.Client
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	t      testing.TB
}

// Client returns a client with the admin key, or with another one.
func (s *Server) Client(key ...string) *Client {
	c := &Client{T: s.w.T, URL: s.URL, Key: AdminKey}
	if len(key) > 0 {
		c.Key = key[0]
	}
	c.http = &http.Client{Transport: &contract.Transport{T: s.w.T, Contract: s.w.agreement, Next: s.w.transport}}
	return c
}

// Try makes a request that may get no answer at all. A body of type string or
// []byte is sent as it is, any other as JSON, nil not at all. header are names and
// values in turn.
func (c *Client) Try(method, path string, body any, header ...string) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	request, err := c.request(ctx, method+" "+path, body, header)
	if err != nil {
		return Answer{}, err
	}
	got, err := c.http.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	return Answer{Status: got.StatusCode, Header: got.Header, Body: text, t: c.T}, err
}

func (c *Client) request(ctx context.Context, route string, body any, header []string) (*http.Request, error) {
	method, path, _ := strings.Cut(route, " ")
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	case []byte:
		reader = bytes.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, reader)
	if err != nil {
		return nil, err
	}
	request.GetBody = nil // the rig repeats what it wants repeated, and the transport nothing
	if c.Key != "" {
		request.Header.Set("Authorization", "Bearer "+c.Key)
	}
	if reader != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return request, nil
}

// Do makes a request that must be answered.
func (c *Client) Do(method, path string, body any, header ...string) Answer {
	c.T.Helper()
	answer, err := c.Try(method, path, body, header...)
	if err != nil {
		c.T.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// Get reads with status 200 into a value.
func (c *Client) Get(path string, into any) Answer {
	c.T.Helper()
	return c.Do(http.MethodGet, path, nil).Is(http.StatusOK).Into(into)
}

// Post sends with status 200 or 201 and reads the answer into a value.
func (c *Client) Post(path string, body, into any, header ...string) Answer {
	c.T.Helper()
	answer := c.Do(http.MethodPost, path, body, header...)
	return answer.Good().Into(into)
}

// Is fails the test unless the status is this one.
func (a Answer) Is(status int) Answer {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// Good fails the test unless the request has succeeded.
func (a Answer) Good() Answer {
	a.t.Helper()
	if a.Status < 200 || a.Status > 299 {
		a.t.Fatalf("status %d: %s", a.Status, a.Body)
	}
	return a
}

// Into reads the body; nil reads nothing.
func (a Answer) Into(into any) Answer {
	a.t.Helper()
	if into != nil {
		if err := json.Unmarshal(a.Body, into); err != nil {
			a.t.Fatalf("%v in %s", err, a.Body)
		}
	}
	return a
}

// Fault is the native API's error.
type Fault struct {
	Code      string            `json:"code"`
	Message   string            `json:"message"`
	Param     *string           `json:"param"`
	RequestID string            `json:"request_id"`
	Errors    map[string]string `json:"errors"`
}

// Fault reads an error.
func (a Answer) Fault() Fault {
	a.t.Helper()
	var body struct {
		Error  Fault             `json:"error"`
		Errors map[string]string `json:"errors"`
	}
	a.Into(&body)
	if body.Error.Code == "" || body.Error.Message == "" || body.Error.RequestID == "" {
		a.t.Errorf("an error without code, message or request id: %s", a.Body)
	}
	return body.Error
}

// Refused fails the test unless the answer is an error of this status and code.
func (a Answer) Refused(status int, code string) Fault {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d %s: %s", a.Status, status, code, a.Body)
	}
	fault := a.Fault()
	if fault.Code != code {
		a.t.Errorf("code %s, want %s: %s", fault.Code, code, a.Body)
	}
	return fault
}
