package rig

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Frame is one server-sent event, or a comment.
type Frame struct {
	ID, Event, Data string
	Comment         bool
}

// Ended reports the frame after which a stream ends.
func (f Frame) Ended() bool { return f.Event == "run.finished" }

// Stream is a stream that is being read.
type Stream struct {
	Answer
	lines  *bufio.Reader
	body   io.Closer
	cancel context.CancelFunc
}

// Follow opens a stream. Where it is none, the answer is complete and Next says
// io.EOF.
func (c *Client) Follow(method, path string, body any, header ...string) *Stream {
	c.T.Helper()
	s, err := c.TryFollow(method, path, body, header...)
	if err != nil {
		c.T.Fatalf("%s %s: %v", method, path, err)
	}
	return s
}

// TryFollow is Follow for a server that may be gone.
func (c *Client) TryFollow(method, path string, body any, header ...string) (*Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	request, err := c.request(ctx, method+" "+path, body, header)
	if err != nil {
		cancel()
		return nil, err
	}
	got, err := c.http.Do(request)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &Stream{
		Answer: Answer{Status: got.StatusCode, Header: got.Header, t: c.T},
		lines:  bufio.NewReader(got.Body), body: got.Body, cancel: cancel,
	}
	c.T.Cleanup(s.Close)
	if !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		s.Body, err = io.ReadAll(got.Body)
	}
	return s, err
}

// Close hangs up.
func (s *Stream) Close() {
	s.cancel()
	_ = s.body.Close() // what is left of it is of no interest
}

// Next reads a frame; io.EOF is the stream's regular end. A frame that is not
// made as promised (an id, an event, one line of JSON) is an error.
func (s *Stream) Next() (Frame, error) {
	var f Frame
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && (line != "" || f != Frame{}) {
				err = io.ErrUnexpectedEOF
			}
			return f, err
		}
		line = strings.TrimSuffix(line, "\n")
		name, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			return f, f.check()
		case strings.HasPrefix(line, ":"):
			f.Comment = true
		case name == "id" && f.ID == "":
			f.ID = value
		case name == "event" && f.Event == "":
			f.Event = value
		case name == "data" && f.Data == "":
			f.Data = value
		default:
			return f, fmt.Errorf("unexpected line %q in frame %+v", line, f)
		}
	}
}

func (f Frame) check() error {
	if f.Comment {
		return nil
	}
	if f.ID == "" || f.Event == "" || !json.Valid([]byte(f.Data)) {
		return fmt.Errorf("frame without id, event or JSON data: %+v", f)
	}
	return nil
}

// Rest reads all frames up to the stream's end, without comments.
func (s *Stream) Rest() []Frame {
	s.t.Helper()
	frames, err := s.drain()
	if err != nil {
		s.t.Fatalf("the stream broke after %d frames: %v", len(frames), err)
	}
	return frames
}

func (s *Stream) drain() ([]Frame, error) {
	var frames []Frame
	for {
		f, err := s.Next()
		switch {
		case errors.Is(err, io.EOF):
			return frames, nil
		case err != nil:
			return frames, err
		case !f.Comment:
			frames = append(frames, f)
		}
	}
}

// Reading reads a stream to its end in the background.
func (s *Stream) Reading() <-chan []Frame {
	all := make(chan []Frame, 1)
	go func() {
		frames, _ := s.drain() // a server that is killed breaks it
		all <- frames
	}()
	return all
}

// Await returns what Reading sends, within Patience.
func Await[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(Patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// Stream follows a run from a place on; "" is its begin.
func (c *Client) Stream(id, after string) *Stream {
	c.T.Helper()
	if after == "" {
		return c.Follow(http.MethodGet, "/v1/runs/"+id+"/stream", nil)
	}
	return c.Follow(http.MethodGet, "/v1/runs/"+id+"/stream", nil, "Last-Event-ID", after)
}
