package openai_test

import (
	"encoding/json"
	"io"
	"testing"

	"errand/internal/model/script"
)

// FuzzBody: whatever a body says, it is understood or refused in this API's shape.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"model":"agent:x","messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"data:,"}}]}]}`, `{"model":"m","messages":[]}`,
		`{"model":"m","messages":[{"role":"tool","tool_call_id":"x"}],"tools":[{"type":"function","function":null}],"tool_choice":{"type":"x"}}`,
		`{"model":"m","messages":[{"role":"user","content":"x"}],"n":1e9,"stop":[1],"response_format":{"type":"json_schema"}}`, `null`, `[]`, ``, `{`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, script.Steps())
		got := w.post(t.Context(), body)
		text, err := io.ReadAll(got.Body)
		got.Body.Close()
		var fault struct {
			Error struct{ Code, Message string }
		}
		if err != nil || got.StatusCode == 500 || got.StatusCode >= 400 && (json.Unmarshal(text, &fault) != nil || fault.Error.Message == "") {
			t.Errorf("%q: %d %s %v", body, got.StatusCode, text, err)
		}
	})
}
