package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Frame is one entry of a run's stream. Type is an event's (run.created,
// tool.finished …), delta, or reset.
type Frame struct {
	ID   string // where to go on: a value for After
	Type string
	Data json.RawMessage
}

// Event is a stored fact about a run.
type Event struct {
	Seq  int64           `json:"seq"`
	Type string          `json:"type"`
	At   time.Time       `json:"at"`
	Data json.RawMessage `json:"data"`
}

// Event returns the frame as a stored event; ok is false for delta and reset.
func (f Frame) Event() (event Event, ok bool) {
	if f.Type == "delta" || f.Type == "reset" {
		return Event{}, false
	}
	return event, json.Unmarshal(f.Data, &event) == nil
}

// Delta is a piece of a reply while it is being written: a draft.
type Delta struct {
	Step      int             `json:"step"`
	Attempt   int             `json:"attempt"`
	Offset    int             `json:"offset"`
	Text      string          `json:"text"`
	Reasoning string          `json:"reasoning"`
	ToolCall  json.RawMessage `json:"tool_call"`
}

// Delta returns the frame as a draft; ok is false for anything else.
func (f Frame) Delta() (delta Delta, ok bool) {
	if f.Type != "delta" {
		return Delta{}, false
	}
	return delta, json.Unmarshal(f.Data, &delta) == nil
}

// Watch says which part of a stream to read.
type Watch struct {
	After     string // a Frame's ID; empty = from the start
	UntilRest bool   // end when the run waits for someone, instead of at its end
}

// Stream yields the run's frames, from its first event on, until the run has
// ended (or rests). When the connection breaks or the server restarts it goes on
// after the last frame; it gives up with an error when the server stays away.
func (r *Runs) Stream(ctx context.Context, id string, watch Watch) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		s := stream{runs: r, id: id, watch: watch}
		for lost := 0; ; {
			before := s.watch.After
			ended, stopped, err := s.read(ctx, yield)
			if ended || stopped {
				return
			}
			if s.watch.After != before {
				lost = 0
			}
			var told *Error
			never := s.watch.After == "" // nothing has been read: a wrong address, most likely
			if ctx.Err() != nil || never || errors.As(err, &told) && told.Status < 500 || lost >= streamTries {
				yield(Frame{}, err)
				return
			}
			if err := sleep(ctx, r.c.pause<<min(lost, 4)); err != nil {
				yield(Frame{}, err)
				return
			}
			lost++
		}
	}
}

// streamTries bounds reconnects that bring nothing: with the default pause about
// half a minute, in which a server has restarted.
const streamTries = 12

type stream struct {
	runs  *Runs
	id    string
	watch Watch
}

// read follows one connection. ended: there is nothing more to come; stopped: the
// caller wants no more; else err says how the connection was lost.
func (s *stream) read(ctx context.Context, yield func(Frame, error) bool) (ended, stopped bool, err error) {
	query, headers := url.Values{}, map[string]string{"Accept": "text/event-stream"}
	if s.watch.UntilRest {
		query.Set("until", "rest")
	}
	if s.watch.After != "" {
		headers["Last-Event-ID"] = s.watch.After
	}
	path := "/v1/runs/" + url.PathEscape(s.id) + "/stream"
	answer, err := s.runs.c.send(ctx, call{method: http.MethodGet, path: path, query: query}, headers)
	if err != nil {
		return false, false, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNoContent {
		return true, false, nil
	}
	for frame, err := range frames(answer.Body) {
		if err != nil {
			return false, false, err
		}
		if frame.ID != "" {
			s.watch.After = frame.ID
		}
		if !yield(frame, nil) {
			return false, true, nil
		}
		if frame.Type == "run.finished" {
			return true, false, nil
		}
	}
	if s.watch.UntilRest { // a stream that ended by itself: at rest, or in a restart?
		run, err := s.runs.Get(ctx, s.id)
		return err == nil && run.Resting(), false, err
	}
	return false, false, errors.New("the stream ended before the run")
}

// maxFrame bounds one frame: a tool's output and a long reply fit many times.
const maxFrame = 16 << 20

// frames reads server-sent events.
func frames(body interface{ Read([]byte) (int, error) }) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		lines := bufio.NewScanner(body)
		lines.Buffer(make([]byte, 0, 64<<10), maxFrame)
		var frame Frame
		var data [][]byte
		for lines.Scan() {
			line := lines.Text()
			if line == "" {
				if data != nil {
					frame.Data = bytes.Join(data, []byte("\n"))
					if !yield(frame, nil) {
						return
					}
				}
				frame, data = Frame{}, nil
				continue
			}
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "id":
				frame.ID = value
			case "event":
				frame.Type = value
			case "data":
				data = append(data, []byte(value))
			}
		}
		if err := lines.Err(); err != nil {
			yield(Frame{}, fmt.Errorf("reading the stream: %w", err))
		}
	}
}
