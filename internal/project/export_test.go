package project_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"errand/internal/project"
	"errand/internal/run"
)

const hidden = "sk-hidden-value"

func (d *desk) exporter() *project.Exporter {
	return &project.Exporter{
		Log: d, Rows: d, Keys: d.book, Records: d.Store, Now: d.keeperNow, Version: "1.2.3",
		Mask: func(text string) string { return strings.ReplaceAll(text, "known-secret", "[redacted]") },
		More: func(_ context.Context, project string, put func(any) error) error {
			return put(map[string]string{"object": "file", "id": "file_1"})
		},
	}
}

func TestAnExportHasAllButSecrets(t *testing.T) {
	d := newDesk(t, 0)
	secret := d.furnish("mine")
	d.furnish("other")
	d.hideThings("mine")
	p, err := d.book.Project(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := d.exporter().Write(t.Context(), &out, &p); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var last struct {
		Object string
		Counts map[string]int
	}
	for i, line := range lines {
		last.Object, last.Counts = "", nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("line %d: %v: %s", i+1, err, line)
		}
		if counts[last.Object]++; i == 0 && last.Object != "export.manifest" {
			t.Errorf("the first line is %s", line)
		}
	}
	if last.Object != "export.end" || last.Counts["event"] != counts["event"] || last.Counts["row"] != counts["row"] {
		t.Errorf("the last line is %+v, and there are %v", last, counts)
	}
	// Five runs of six are not deleted, of which the newest was made here; rows are
	// their notes and those of above but for the answer, with the agent.
	want := map[string]int{"run": 5, "event": 20, "key": 3, "row": 6 + 1 + 5, "spend": 1, "file": 1, "export.manifest": 1, "export.end": 1}
	for object, n := range want {
		if counts[object] != n {
			t.Errorf("%d lines are a %s, want %d", counts[object], object, n)
		}
	}
	if counts["audit.line"] < 3 {
		t.Errorf("%d lines of the audit log", counts["audit.line"])
	}
	text := out.String()
	for _, leak := range []string{hidden, "known-secret", secret, "link of mine", `"other"`} {
		if strings.Contains(text, leak) {
			t.Errorf("%q is in it", leak)
		}
	}
	for _, there := range []string{`"password":{"type":"string"}`, `"X-Key"`, "https://m.example", "[redacted]", "There are none in here"} {
		if !strings.Contains(text, there) {
			t.Errorf("%q is not in it", there)
		}
	}
}

// hideThings puts something hidden wherever a project can have secrets.
func (d *desk) hideThings(project string) {
	d.Helper()
	sealed := `"sealed":"` + hidden + `"`
	for id, data := range map[string]string{
		"tool":        `{"name":"crm","headers":{"X-Key":"` + hidden + `"},"sealed_headers":"` + hidden + `","parameters":{"properties":{"password":{"type":"string"}}}}`,
		"webhook":     `{"url":"https://a.example","secret":"` + hidden + `","before":"` + hidden + `"}`,
		"robot":       `{"name":"r","Keyring":{"own":"` + hidden + `"}}`,
		"mcp_server":  `{"id":"m","url":"https://m.example",` + sealed + `}`,
		"answer":      `{"body":"` + hidden + `"}`,
		"swarm_agent": `{"nested":[{"api_key":"` + hidden + `"}],"text":"a known-secret here"}`,
	} {
		row := run.RowWrite{Row: run.Row{Kind: id, Project: project, ID: "1", Data: []byte(data)}}
		if err := d.Store.Append(d.Context(), run.Commit{Rows: []run.RowWrite{row}}); err != nil {
			d.Fatal(err)
		}
	}
	d.past(project, 400, day, func(s *run.Spec) {
		s.Servers = []run.Server{{Name: "desk", URL: "https://m.example", Config: json.RawMessage(`{` + sealed + `}`)}}
		s.Handoffs = []run.Handoff{{Name: "clerk", Spec: run.Spec{Servers: s.Servers}}}
	})
}

// closedPipe fails after so many bytes.
type closedPipe struct{ room int }

func (c *closedPipe) Write(p []byte) (int, error) {
	if c.room -= len(p); c.room < 0 {
		return 0, errors.New("nobody reads")
	}
	return len(p), nil
}

func TestAnExportThatNobodyReadsEnds(t *testing.T) {
	d := newDesk(t, 0)
	d.furnish("mine")
	p, err := d.book.Project(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.exporter().Write(t.Context(), &closedPipe{100}, &p); err == nil {
		t.Error("it is whole")
	}
}
