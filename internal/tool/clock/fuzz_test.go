package clock

import (
	"encoding/json"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// FuzzZone asks for the time in any zone: it is that moment, in a zone that the IANA
// database has, and says nothing of where this server stands.
func FuzzZone(f *testing.F) {
	for _, seed := range []string{`{"timezone":"Europe/Berlin"}`, `{"timezone":""}`, `{"timezone":"Local"}`, `{"timezone":"local"}`, `{"timezone":"../../../etc/localtime"}`, `{"timezone":"/etc/localtime"}`, `{"timezone":"UTC\u0000"}`, `{"timezone":"America/Argentina/Buenos_Aires"}`, `{"timezone":"posixrules"}`, `{"timezone":7}`, `{}`, `null`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	now := time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)
	c := New(func() time.Time { return now })
	f.Fuzz(func(t *testing.T, arguments []byte) {
		got, err := c.Call(t.Context(), run.ToolCall{Arguments: arguments})
		if err != nil {
			if told := problem.From(err); told.Code != problem.ToolFailed || len(told.Detail) > 500 {
				t.Errorf("%q: %v", arguments, err)
			}
			return
		}
		var told struct {
			Time     time.Time
			Timezone string
			Unix     int64
		}
		if err := json.Unmarshal([]byte(got.Output), &told); err != nil || !told.Time.Equal(now) || told.Unix != now.Unix() || told.Timezone == "Local" || told.Timezone == "" {
			t.Errorf("%q: %s, %v", arguments, got.Output, err)
		}
	})
}
