package mcp

import (
	"context"
	"io"
	"net/http"
	"time"
)

const (
	// firstPause and longestPause are how long a stream that broke is left alone.
	firstPause   = time.Second
	longestPause = time.Minute
)

// listen answers a client that wants to hear what the server says by itself, at
// once and with a stream that never ends. A server that offers none, lets one
// hang, or cuts it every minute then costs nothing: what is missed is seen when
// the list is fetched anew. Left to the protocol's client, the first would hold
// up connecting, and the last would end the session with the calls on it.
func (c *courier) listen(req *http.Request) *http.Response {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"text/event-stream"}}, ContentLength: -1,
		Body: &listener{courier: c, req: req},
	}
}

// listener is the body of such an answer. One goroutine reads it.
type listener struct {
	courier *courier
	req     *http.Request
	body    io.ReadCloser // of the stream that is open; nil = none
	pause   time.Duration
}

// Read waits for what the server says.
func (l *listener) Read(into []byte) (int, error) {
	for {
		if l.body == nil {
			if err := l.open(); err != nil {
				return 0, err
			}
		}
		n, err := l.body.Read(into)
		if n > 0 {
			l.pause = 0
			return n, nil
		}
		if err == nil {
			continue
		}
		_ = l.body.Close()
		l.body = nil
		// What was said so far may end in the middle of an event.
		return copy(into, "\n\n"), nil
	}
}

// open opens the stream. A server that offers none is not asked again: then it
// waits for the end of the connection.
func (l *listener) open() error {
	for {
		if l.pause > 0 {
			if err := l.rest(l.pause); err != nil {
				return err
			}
		}
		l.pause = min(max(2*l.pause, firstPause), longestPause)
		resp, err := l.courier.send(l.req)
		switch {
		case err != nil && l.req.Context().Err() != nil:
			return err
		case err != nil:
			continue
		case isStream(resp):
			l.body = resp.Body
			return nil
		}
		_ = resp.Body.Close()
		if resp.StatusCode < http.StatusInternalServerError {
			<-l.req.Context().Done()
			return context.Cause(l.req.Context())
		}
	}
}

func (l *listener) rest(pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-l.req.Context().Done():
		return context.Cause(l.req.Context())
	}
}

// Close ends the stream that is open.
func (l *listener) Close() error {
	if l.body == nil {
		return nil
	}
	return l.body.Close()
}
