package client

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestStats(t *testing.T) {
	s, c := newScript(t, answer(200, `{"object":"stats","bucket":"day","complete":true,"data":[{"at":"2026-06-01T00:00:00Z","runs":3,"by_status":{"completed":3},"usage":{"cost_usd":0.5}}]}`))
	stats, err := c.Runs.Stats(t.Context(), StatsQuery{Bucket: "day", From: time.Date(2026, 6, 1, 2, 0, 0, 0, time.FixedZone("", 7200))})
	if err != nil || len(stats.Data) != 1 || stats.Data[0].Status["completed"] != 3 || stats.Data[0].Usage.Cost != 0.5 || len(stats.Raw) == 0 {
		t.Fatalf("%v %+v", err, stats)
	}
	if got, want := s.seen[0].URL.String(), "/v1/stats?bucket=day&from=2026-06-01T00%3A00%3A00Z"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What changes in a project goes on behind the last frame when the connection breaks,
// and ends when the server says no, or stays away.
func TestChanges(t *testing.T) {
	s, c := newScript(t,
		drop("id: 7.1\nevent: resync\ndata: {\"reason\":\"begin\"}\n\nid: 7.2\nevent: run.changed\ndata: {\"at\":\"2026-06-01T00:00:00Z\",\"run\":{\"id\":\"run_1\",\"status\":\"awaiting_approval\",\"pending\":1}}\n\n"),
		answer(503, ""), answer(503, ""), answer(503, ""), answer(503, ""), // each request is tried four times
		drop("id: 7.3\nevent: run.deleted\ndata: {\"run\":\"run_1\"}\n\n"),
		answer(403, `{"error":{"code":"scope_denied","message":"no"}}`),
	)
	var types []string
	var last error
	for frame, err := range c.Runs.Changes(t.Context(), "") {
		if last = err; err != nil {
			continue
		}
		types = append(types, frame.Type)
		if _, run, ok := frame.Change(); ok != (frame.Type == "run.changed") || ok && run.Pending != 1 {
			t.Errorf("%s: %+v, %v", frame.Type, run, ok)
		}
	}
	var told *Error
	if got := strings.Join(types, " "); got != "resync run.changed run.deleted" || !errors.As(last, &told) || told.Status != 403 {
		t.Errorf("%s, then %v", got, last)
	}
	if after := s.seen[6].Header.Get("Last-Event-ID"); after != "7.3" || s.seen[1].Header.Get("Last-Event-ID") != "7.2" {
		t.Errorf("it goes on after %q", after)
	}
	_, c = newScript(t, answer(401, `{"error":{"code":"unauthenticated","message":"no"}}`))
	for _, err := range c.Runs.Changes(t.Context(), "") {
		if !errors.As(err, &told) || told.Status != 401 {
			t.Error(err)
		}
	}
}

func TestLogLevel(t *testing.T) {
	s, c := newScript(t, answer(200, `{"object":"log_level","level":"debug"}`), answer(200, `{"object":"log_level","level":"debug"}`))
	if err := c.SetLogLevel(t.Context(), "debug"); err != nil || s.bodies[0] != `{"level":"debug"}` || s.seen[0].Method != "PUT" {
		t.Errorf("%v, %s %s", err, s.seen[0].Method, s.bodies[0])
	}
	if level, err := c.LogLevel(t.Context()); err != nil || level != "debug" {
		t.Errorf("%q, %v", level, err)
	}
}
