package robot_test

import (
	"encoding/json"
	"testing"

	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// FuzzProfile checks what may be said of a robot: all that is wrong is told by field;
// what is taken is stored, and read back is taken again as it was.
func FuzzProfile(f *testing.F) {
	for _, seed := range []string{
		`{"display_name":"Analyst","system_prompt":"You analyse.","autonomous_mode":true,"robot_config":{"identity":{"role":"Analyst","duties":["watch"],"rules":[]},"clock":{"mode":"times","times":["09:00"],"days":["Mon","Fri"],"tz":"Europe/Berlin","timeout":"30m"},"quota":{"max":2,"queue":10,"priority":5}}}`,
		`{"display_name":"a","robot_config":{"events":[{"type":"webhook","source":"orders","filter":{"a.b":[1,null]}},{"type":"database","source":"x"},{"type":"webhook","source":"orders"}],"delivery":{"email":{"enabled":true,"targets":[{"to":["ann@example.com"],"subject":"x"}]},"webhook":{"enabled":true,"targets":[{"url":"https://h/","headers":{"X-A":"b"},"secret":"s"}]}}}}`,
		`{"display_name":"\u0000","status":"x","robot_config":{"clock":{"mode":"interval","every":"1ns","tz":"Local"},"executor":{"mode":"sandbox"},"learn":{"on":true,"types":["x"],"keep":-1},"delivery":{"webhook":{"targets":[{"url":"//","method":"PUT","headers":{"Authorization":"x","a b":"c","Host":"d"}}]},"file":{"targets":[{"name":"../a"}]},"email":{"targets":[{"to":["a"],"template":"x"}]},"process":{"a":{"b":[]}}}}}`,
		`{"display_name":"a","agents":["Mailer","nobody"],"mcp_servers":["github","x"],"language_model":"?","cost_limit":1e300,"robot_config":{"kb":{"enabled":false,"x":1},"db":[{}],"integrations":{"telegram":{"enabled":true}},"resources":null}}`,
		`{"robot_config":{"clock":{"mode":"daemon","times":["24:00","09:00\n"],"days":["*","Mon "]},"quota":null,"triggers":{}}}`, `{}`, `null`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d robot.Draft
		if len(text) > 1<<13 || json.Unmarshal(text, &d) != nil {
			return
		}
		w := newWorld(t)
		p := d.Apply(robot.Profile{})
		err := w.desk.Check(t.Context(), project, &p)
		if err != nil {
			told := problem.From(err)
			if told.Code != problem.InvalidRequest || told.Detail == "" || len(told.Fields) == 0 {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		made, rows, err := w.book.Create(project, "my-robot", "key_1", p, w.at)
		if err != nil {
			t.Fatalf("%q is taken and can't be stored: %v", text, err)
		}
		w.commit(run.Commit{Rows: rows})
		read, err := w.book.Find(t.Context(), project, "my-robot")
		if err != nil {
			t.Fatalf("%q is stored and can't be read: %v", text, err)
		}
		first, err := json.Marshal(made.Public())
		second, failed := json.Marshal(read.Public())
		if err != nil || failed != nil || string(first) != string(second) {
			t.Errorf("%q is stored as %s and read as %s (%v, %v)", text, first, second, err, failed)
		}
		if err := w.desk.Check(t.Context(), project, &read.Profile); err != nil {
			t.Errorf("%q is taken, and as it was stored it is not: %v", text, err)
		}
	})
}
