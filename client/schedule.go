package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Schedule starts an agent or a robot by the clock.
type Schedule struct {
	ID string `json:"id"`
	Timetable
	Agent   string `json:"agent"` // id; empty = a robot
	Robot   string `json:"robot"`
	Input   string `json:"input"`
	Missed  string `json:"missed"`  // skip, once
	Overlap string `json:"overlap"` // skip, queue, allow
	Paused  bool   `json:"paused"`

	NextRun    *time.Time  `json:"next_run"` // nil = paused, or a daemon at work
	NextRuns   []time.Time `json:"next_runs"`
	Running    []string    `json:"running"` // runs that go on
	LastRun    string      `json:"last_run"`
	LastRunAt  *time.Time  `json:"last_run_at"`
	LastStatus string      `json:"last_status"` // empty = it goes on
	Queued     int         `json:"queued"`
	Failures   int         `json:"failures"` // in a row; they put off what is next
	Error      string      `json:"error"`    // why the last run could not be started
	Missing    int64       `json:"missed_count"`
	Skipped    int64       `json:"skipped_count"`
	CreatedAt  time.Time   `json:"created_at"`
	UpdatedAt  time.Time   `json:"updated_at"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (s *Schedule) UnmarshalJSON(text []byte) error {
	type plain Schedule
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	s.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Timetable says when: by one of Cron, Every, Times and Daemon.
type Timetable struct {
	Cron   string   `json:"cron,omitempty"`   // five fields
	Every  string   `json:"every,omitempty"`  // 30s, 15m, 24h
	Times  []string `json:"times,omitempty"`  // of the day: 09:00
	Days   []string `json:"days,omitempty"`   // of Times: Mon; none = each day
	Daemon bool     `json:"daemon,omitempty"` // as soon as the last run has ended
	TZ     string   `json:"tz,omitempty"`     // IANA name; empty = UTC
}

// NewSchedule asks for a schedule.
type NewSchedule struct {
	Timetable
	Agent   string `json:"agent,omitempty"` // id or name; or else Robot
	Robot   string `json:"robot,omitempty"`
	Input   string `json:"input,omitempty"`
	Missed  string `json:"missed,omitempty"`
	Overlap string `json:"overlap,omitempty"`
	Paused  bool   `json:"paused,omitempty"`
}

// Schedules are the schedules of the key's project.
type Schedules struct{ c *Client }

// Create adds a schedule. Its runs start on the key's word.
func (s *Schedules) Create(ctx context.Context, wanted NewSchedule) (made Schedule, err error) {
	err = s.c.do(ctx, call{method: http.MethodPost, path: "/v1/schedules", body: wanted, into: &made})
	return made, err
}

// List returns one page of schedules, newest first.
func (s *Schedules) List(ctx context.Context, after string, limit int) (Page[Schedule], error) {
	return list[Schedule](ctx, s.c, call{path: "/v1/schedules"}, after, limit)
}

// Get returns a schedule.
func (s *Schedules) Get(ctx context.Context, id string) (found Schedule, err error) {
	err = s.c.do(ctx, call{method: http.MethodGet, path: schedulePath(id), into: &found})
	return found, err
}

// Update replaces the fields that changes names: any value that encodes as a JSON
// object with fields of PATCH /v1/schedules/{id}.
func (s *Schedules) Update(ctx context.Context, id string, changes any) (changed Schedule, err error) {
	err = s.c.do(ctx, call{method: http.MethodPatch, path: schedulePath(id), body: changes, into: &changed})
	return changed, err
}

// Delete removes a schedule. Its runs go on.
func (s *Schedules) Delete(ctx context.Context, id string) error {
	return s.c.do(ctx, call{method: http.MethodDelete, path: schedulePath(id)})
}

// Run starts a run now, on the key's word, and answers at once.
func (s *Schedules) Run(ctx context.Context, id string) (run Run, err error) {
	body := map[string]bool{"background": true}
	err = s.c.do(ctx, call{method: http.MethodPost, path: schedulePath(id) + "/run", body: body, into: &run})
	return run, err
}

// Preview returns the next times at which a schedule would fire if it were saved now, in
// its zone; count is up to 50, and 0 = 5. Nothing is saved.
func (s *Schedules) Preview(ctx context.Context, when Timetable, count int) ([]time.Time, error) {
	body := struct {
		Timetable
		Count int `json:"count,omitempty"`
	}{when, count}
	var answer struct {
		Next []time.Time `json:"next_runs"`
	}
	err := s.c.do(ctx, call{method: http.MethodPost, path: "/v1/schedules/preview", body: body, into: &answer})
	return answer.Next, err
}

func schedulePath(id string) string { return "/v1/schedules/" + url.PathEscape(id) }
