package chat

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
)

// FuzzRequest reads the body of a completion: it is a conversation whose messages have
// a role, texts, and pictures that models can see, and parameters within their bounds;
// or the error is one of this format and names what is wrong.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		`{"model":"gpt-4.1","messages":[{"role":"developer","content":"You are a helpful assistant."},{"role":"user","content":"Hello!"}],"temperature":0.2,"max_completion_tokens":50,"stop":["\n"],"seed":7}`,
		`{"messages":[{"role":"user","content":[{"type":"text","text":"What is in this image?"},{"type":"image_url","image_url":{"url":"https://example.com/a.jpg","detail":"low"}},{"type":"image_url","image_url":"data:image/png;base64,iVBORw0KGgo="}]}]}`,
		`{"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]},{"role":"tool","tool_call_id":"call_1","content":"18 C"}]}`,
		`{"messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a.txt","file_data":"SGVsbG8="}},{"type":"file","file":{"file_data":"data:text/csv;charset=utf-8;base64,YSxi"}},{"type":"file","file":{"file_id":"file_1"}},{"type":"input_audio"},{"type":""},{"type":"x"}]}]}`,
		`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64"}},{"type":"image_url","image_url":{"url":"data:;base64,AAAA"}},{"type":"image_url","image_url":{"url":"http://h/"}},{"type":"image_url","image_url":7}]}]}`,
		`{"messages":[{"role":"function","content":{}},{"role":"tool"},{"role":"assistant","function_call":{"name":"x"},"tool_calls":[{}]},{}],"n":2,"stop":"","top_p":7,"max_tokens":1,"max_completion_tokens":2,"reasoning_effort":"huge"}`,
		`{"messages":[{"role":"assistant","content":[],"refusal":"no"}],"metadata":{"a":1,"b":"x","c":null},"modalities":["text","audio"],"logprobs":false,"tool_choice":"none","functions":[],"tools":[{}]}`, `{"messages":null}`, `{}`, `null`,
	} {
		f.Add([]byte(seed))
	}
	refused := func(t *testing.T, body []byte, err error) bool {
		var told *problem.Error
		if err != nil && (!errors.As(err, &told) || told.Detail == "" || !utf8.ValidString(told.Detail) || told.Code != problem.InvalidRequest && told.Code != Unsupported) {
			t.Errorf("%q: %v", body, err)
		}
		return err != nil
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var q Request
		if len(body) > 1<<14 || json.Unmarshal(body, &q) != nil {
			return
		}
		refused(t, body, q.Refused())
		refused(t, body, q.RefusedTools())
		if p, err := q.Params(run.Params{}); !refused(t, body, err) && (p.MaxTokens < 0 || p.TopP != nil && (*p.TopP < 0 || *p.TopP > 1) || p.Temperature != nil && (*p.Temperature < 0 || *p.Temperature > 2) || len(p.Stop) > maxStops) {
			t.Errorf("%q: %+v", body, p)
		}
		if labels := q.Labels(); len(labels) != len(q.Metadata) {
			t.Errorf("%q: %q", body, labels)
		}
		thread, err := q.Thread()
		if refused(t, body, err) {
			return
		}
		for _, m := range thread.Messages {
			if !slices.Contains([]run.Role{run.User, run.Assistant, run.ToolRole}, m.Role) || m.Role == run.User && m.Text == "" && len(m.Images) == 0 || m.Role == run.ToolRole && m.CallID == "" {
				t.Errorf("%q: %+v", body, m)
			}
			for _, image := range m.Images {
				kind, content, err := inline(image.URL)
				if https := strings.HasPrefix(image.URL, "https://"); !https && (err != nil || len(content) == 0 || !slices.Contains(imageTypes(), kind)) {
					t.Errorf("%q: the picture %.80q", body, image.URL)
				}
			}
			for _, call := range m.Calls {
				if call.ID == "" || call.Name == "" {
					t.Errorf("%q: %+v", body, call)
				}
			}
		}
	})
}
