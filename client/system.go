package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// System is how a server stands.
type System struct {
	Version   string    `json:"version"`
	StartedAt time.Time `json:"started_at"`
	Uptime    int64     `json:"uptime_s"`
	Model     string    `json:"default_model"`
	Streams   int       `json:"streams"`
	Runs      struct {
		Driven    int `json:"driven"`
		Waiting   int `json:"waiting"`
		MaxActive int `json:"max_active"`
	} `json:"runs"`
	Store struct {
		Kind     string `json:"kind"`
		Path     string `json:"path"`
		File     int64  `json:"file_bytes"`
		WAL      int64  `json:"wal_bytes"`
		DiskFree *int64 `json:"disk_free_bytes"`
		Commits  int64  `json:"commits"`
		Groups   int64  `json:"commit_groups"`
	} `json:"store"`
	Providers []struct {
		Name   string `json:"name"`
		Models int    `json:"models"`
		Health *struct {
			State     string `json:"state"` // closed, half_open, open
			LastError string `json:"last_error"`
			Active    int    `json:"active_calls"`
			Waiting   int    `json:"waiting_calls"`
		} `json:"health"`
	} `json:"providers"`
	Browser string `json:"browser"` // the Chromium; empty = there is none
	// Doctor is there if it was asked for.
	Doctor *struct {
		OK     bool      `json:"ok"`
		Checks []Finding `json:"checks"`
	} `json:"doctor"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// Finding is one thing that the doctor has looked at.
type Finding struct {
	Check string `json:"check"`
	Level string `json:"level"` // ok, warn, fail
	Found string `json:"found"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (s *System) UnmarshalJSON(text []byte) error {
	type plain System
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	s.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// System says how the server stands, for the admin of the project default. The doctor
// takes seconds.
func (c *Client) System(ctx context.Context, doctor bool) (system System, err error) {
	query := url.Values{}
	if doctor {
		query.Set("doctor", "true")
	}
	err = c.do(ctx, call{method: http.MethodGet, path: "/v1/system", query: query, into: &system})
	return system, err
}
