package client

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"time"
)

// StatsQuery selects the time of a report; zero fields are the server's defaults.
type StatsQuery struct {
	Bucket   string // minute, hour or day; empty = hour
	From, To time.Time
}

// Stats counts the runs of a project by when they were made.
type Stats struct {
	Bucket   string    `json:"bucket"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Data     []StatsAt `json:"data"` // each bucket, also those without runs
	Complete bool      `json:"complete"`
	UsageOf  string    `json:"usage_of"` // booked: of the calls of a day; runs: of those made in the bucket

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// StatsAt is one bucket.
type StatsAt struct {
	At     time.Time      `json:"at"`
	Runs   int            `json:"runs"`
	Status map[string]int `json:"by_status"`
	Usage  struct {
		Input    int     `json:"input_tokens"`
		Output   int     `json:"output_tokens"`
		Cost     float64 `json:"cost_usd"`
		Unpriced bool    `json:"unpriced"` // some calls had no known price, and are not in Cost
	} `json:"usage"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (s *Stats) UnmarshalJSON(text []byte) error {
	type plain Stats
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	s.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Stats counts the runs of the key's project.
func (r *Runs) Stats(ctx context.Context, q StatsQuery) (stats Stats, err error) {
	query := url.Values{}
	if q.Bucket != "" {
		query.Set("bucket", q.Bucket)
	}
	for name, at := range map[string]time.Time{"from": q.From, "to": q.To} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339))
		}
	}
	err = r.c.do(ctx, call{method: http.MethodGet, path: "/v1/stats", query: query, into: &stats})
	return stats, err
}

// RunLine is a run as lists have it.
type RunLine struct {
	ID         string `json:"id"`
	Agent      string `json:"agent"`
	Status     string `json:"status"`
	StopReason string `json:"stop_reason"`
	Model      string `json:"model"`
	Title      string `json:"title"`
	Pending    int    `json:"pending"` // actions that wait for a person
	Usage      Usage  `json:"usage"`
}

// Change returns the run of a frame of Changes as it stands now; ok is false for
// anything but run.changed.
func (f Frame) Change() (at time.Time, run RunLine, ok bool) {
	if f.Type != "run.changed" {
		return at, run, false
	}
	var changed struct {
		At  time.Time `json:"at"`
		Run RunLine   `json:"run"`
	}
	ok = json.Unmarshal(f.Data, &changed) == nil
	return changed.At, changed.Run, ok
}

// Changes yields what changes in the key's project, from now on or behind a frame's id:
// run.changed, approval.changed, run.deleted, and resync, after which lists have to be
// read again. When the connection breaks or the server restarts it goes on after the
// last frame; it gives up with an error when the server stays away.
func (r *Runs) Changes(ctx context.Context, after string) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for lost := 0; ; lost++ {
			heard, stopped, err := r.changes(ctx, &after, yield)
			if stopped {
				return
			}
			if heard {
				lost = 0
			}
			var told *Error
			never := after == "" // nothing has been read: a wrong address, most likely
			if ctx.Err() != nil || never || errors.As(err, &told) && told.Status < 500 || lost >= streamTries {
				yield(Frame{}, err)
				return
			}
			if err := sleep(ctx, r.c.pause<<min(lost, 4)); err != nil {
				yield(Frame{}, err)
				return
			}
		}
	}
}

// changes follows one connection. heard: it has brought something; stopped: the caller
// wants no more.
func (r *Runs) changes(ctx context.Context, after *string, yield func(Frame, error) bool) (heard, stopped bool, err error) {
	headers := map[string]string{"Accept": "text/event-stream"}
	if *after != "" {
		headers["Last-Event-ID"] = *after
	}
	answer, err := r.c.send(ctx, call{method: http.MethodGet, path: "/v1/stream"}, headers)
	if err != nil {
		return false, false, err
	}
	defer answer.Body.Close()
	for frame, err := range frames(answer.Body) {
		if err != nil {
			return heard, false, err
		}
		if frame.ID != "" {
			*after = frame.ID
		}
		if heard = true; !yield(frame, nil) {
			return heard, true, nil
		}
	}
	return heard, false, errors.New("the stream ended")
}

// LogLevel returns from what level on the server's log is written: debug, info, warn
// or error.
func (c *Client) LogLevel(ctx context.Context) (string, error) {
	var at struct {
		Level string `json:"level"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/v1/log-level", into: &at})
	return at.Level, err
}

// SetLogLevel changes it until the server stops.
func (c *Client) SetLogLevel(ctx context.Context, level string) error {
	return c.do(ctx, call{method: http.MethodPut, path: "/v1/log-level", body: map[string]string{"level": level}})
}
