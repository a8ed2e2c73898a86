package clock

import (
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/tool/tooltest"
)

func fixed() time.Time { return time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC) }

func TestTooltest(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		Tool:  New(fixed),
		Works: []string{`{}`, `{"timezone":"Europe/Berlin"}`, `{"timezone":""}`},
		Fails: []string{`{"timezone":"Mars/Olympus"}`, `{"timezone":"../../etc/passwd"}`},
		Bad:   []string{`{"timezone":7}`, `[]`},
	})
}

func TestNow(t *testing.T) {
	c := New(fixed)
	for arguments, want := range map[string]string{
		`{}`:                              `{"time":"2026-03-29T00:30:00Z","weekday":"Sunday","timezone":"UTC","unix":1774744200}`,
		`{"timezone":"Local"}`:            `{"time":"2026-03-29T00:30:00Z","weekday":"Sunday","timezone":"UTC","unix":1774744200}`,
		`{"timezone":"Europe/Berlin"}`:    `{"time":"2026-03-29T01:30:00+01:00","weekday":"Sunday","timezone":"Europe/Berlin","unix":1774744200}`,
		`{"timezone":"Asia/Kathmandu"}`:   `{"time":"2026-03-29T06:15:00+05:45","weekday":"Sunday","timezone":"Asia/Kathmandu","unix":1774744200}`,
		`{"timezone":"America/New_York"}`: `{"time":"2026-03-28T20:30:00-04:00","weekday":"Saturday","timezone":"America/New_York","unix":1774744200}`,
	} {
		if result, err := c.Call(t.Context(), tooltest.Call(c, arguments)); err != nil || result.Output != want {
			t.Errorf("%s: got %s, %v\nwant %s", arguments, result.Output, err, want)
		}
	}
	if _, err := c.Call(t.Context(), tooltest.Call(c, `{"timezone":"x"}`)); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("got %v, want tool_failed", err)
	}
}
