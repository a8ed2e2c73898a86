package plan

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// FuzzArguments gives each tool whatever a model may say: it answers in as few words as
// a tool may, or says what is wrong, and a plan that it repeats has its steps in order.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{"task_description":"Chase unpaid invoices","steps":[{"step_id":"find","description":"Find them"},{"step_id":"mail","description":"Write","dependencies":["find"]}]}`, `{"steps":[{"step_id":"a","dependencies":["b"]}]}`, `{"steps":[{"step_id":"a"},{"step_id":"a"}]}`, `{"steps":[{}]}`,
		`{"thought":"Hm."}`, `{"task_id":"find","summary":"Five","success":false}`, `{"summary":"x"}`, `{"message":""}`, `{"steps":null}`, `{"steps":[null]}`, `[]`, `null`, ``, `{"task_id":"\u202e\ud800"}`,
	} {
		f.Add([]byte(seed), 1)
	}
	tools := All()
	f.Fuzz(func(t *testing.T, arguments []byte, times int) {
		if times > 1 && times < 1<<17/(len(arguments)+1) { // a long text in it
			arguments = []byte(strings.ReplaceAll(string(arguments), "e", strings.Repeat("e", times)))
		}
		for _, each := range tools {
			got, err := each.Call(t.Context(), run.ToolCall{Arguments: arguments})
			if err != nil {
				if told := problem.From(err); told.Code != problem.ToolFailed || !strings.HasPrefix(told.Detail, Prefix) {
					t.Errorf("%s %q: %v", each.Describe().Name, arguments, err)
				}
				continue
			}
			if got.Output == "" || len(got.Output) > tool.MaxOutput || !utf8.ValidString(got.Output) || !json.Valid(arguments) {
				t.Errorf("%s %q answers %d bytes, %.200q", each.Describe().Name, arguments, len(got.Output), got.Output)
			}
		}
	})
}
