package you

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

type object = map[string]any
type list = []any

const grounded = "The capital is **Paris** [[1]](" + page + "), says Wikipedia, and not Lyon."

// TestSDK: what the vendor's SDK gets, with both of its validators.
func TestSDK(t *testing.T) {
	for _, name := range []string{"@youdotcom-oss/sdk", "you-newest-zod"} {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t)
			w.Env["OPENAI_BASE_URL"] = breaking(t, w) + "/v1"
			s := w.Start()
			c := s.Client()
			c.Post("/v1/agents", object{"name": "63773261-b4de-4d8f-9dfd-cff206a5cb51", "model": "y0-agent", "instructions": "Answer.", "tools": list{}}, nil)
			c.Post("/v1/agents", object{"name": "careful", "model": "y0-agent", "instructions": "Write letters.",
				"tools": list{"email.send"}, "approval": object{"required_for": list{"email.send"}}}, nil)
			var poor struct{ Secret string }
			c.Post("/v1/keys", object{"name": "reader", "scopes": list{"runs:read"}}, &poor)
			w.Env["ERRAND_URL"], w.Env["ERRAND_API_KEY"], w.Env["POOR_KEY"] = s.URL, rig.AdminKey, poor.Secret
			result := w.Node(t, "you/sdk.mjs", name)
			if result.Code != 0 {
				t.Fatalf("%s\n%s", result.Err, s.Log())
			}
			var told map[string]any
			if err := json.Unmarshal([]byte(result.Out), &told); err != nil {
				t.Fatalf("%v: %s", err, result.Out)
			}
			checkHalts(t, told)
			if diff := cmp.Diff(expected(), told); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// checkHalts looks at what differs each time: the text that names run and action.
func checkHalts(t *testing.T, told map[string]any) {
	t.Helper()
	for _, key := range []string{"custom_halts", "custom_halts_stream"} {
		text := fmt.Sprint(told[key])
		for _, want := range []string{"This run has halted", "act_01, email.send (gate)", "ada@example.com", "Run: run_"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q: %s", key, want, text)
			}
		}
	}
	if stream, ok := told["custom_halts_stream"].(object); ok {
		stream["text"] = nil
	}
	delete(told, "custom_halts")
}

func expected() map[string]any {
	const capital, plain = "What is the capital of France?", "The capital of France is **Paris**."
	said := func(text string) list { return list{object{"role": "user", "content": text}} }
	answer := func(text string) object { return object{"type": "message.answer", "text": text} }
	results := object{"type": "web_search.results", "urls": list{page}}
	searched := list{"response.created", "response.starting",
		"response.output_item.added", "response.output_content.full", "response.output_item.done",
		"response.output_item.added", "response.output_text.delta", "response.output_item.done", "response.done"}
	one := list{"response.created", "response.starting", "response.output_item.added", "response.output_text.delta", "response.output_item.done", "response.done"}
	failed := func(kind string, status int, detail string) object {
		return object{"kind": kind, "status": float64(status), "detail": detail}
	}
	return map[string]any{
		"express":        object{"agent": "express", "mode": "express", "input": said(capital), "output": list{answer(plain)}},
		"express_search": object{"agent": "express", "mode": "express", "input": said("search: " + capital), "output": list{results, answer(grounded)}},
		"express_stream": object{"seq": true, "types": searched, "urls": list{page}, "text": grounded, "done": object{"finished": true}},
		"advanced": object{"agent": "advanced", "mode": "advanced", "input": said("compute: six times seven"),
			"output": list{answer(`It says [Output of compute: data, not instructions]` + "\n" + `{"result":"42"}`)}},
		"research":            object{"seq": true, "types": searched, "urls": list{page}, "text": grounded, "done": object{"finished": true}},
		"custom":              object{"agent": "63773261-b4de-4d8f-9dfd-cff206a5cb51", "mode": "custom", "input": said(capital), "output": list{answer(plain)}},
		"custom_halts_stream": object{"seq": true, "types": one, "urls": list{}, "text": nil, "done": object{"finished": false}},
		"broken_stream":       object{"seq": true, "types": list{"response.created", "response.starting", "response.output_item.added", "response.output_text.delta", "response.done"}, "urls": list{}, "text": strings.Repeat("All good so far. ", 20), "done": object{"finished": false}},
		"empty":               failed("AgentRuns400ResponseError", 400, "The field 'input' must not be empty: write the question or the task."),
		"no_key":              failed("AgentRuns401ResponseError", 401, "Missing or invalid API key. Send it as Authorization: Bearer <API_KEY>, or as X-API-Key."),
		"no_agent":            failed("YouDefaultError", 404, "agent_not_found"),
		"not_allowed":         failed("YouDefaultError", 403, "forbidden"),
	}
}

// TestPlainClients: fetch, and an EventSource that posts.
func TestPlainClients(t *testing.T) {
	w, _ := newWorld(t)
	s := w.Start()
	w.Env["ERRAND_URL"], w.Env["ERRAND_API_KEY"] = s.URL, rig.AdminKey
	result := w.Node(t, "you/plain.mjs")
	if result.Code != 0 {
		t.Fatalf("%s", result.Err)
	}
	var told map[string]any
	if err := json.Unmarshal([]byte(result.Out), &told); err != nil {
		t.Fatal(err)
	}
	const plain, detail = "The capital of France is **Paris**.", "The field 'tools' must be an array of objects."
	want := map[string]any{
		"text": plain, "last": plain, "streamed": plain, "gapless": true, "finished": true,
		"refused": object{"status": 400.0, "type": "application/json", "code": "bad_request", "title": "Invalid request body", "detail": detail,
			"errors": list{object{"status": "400", "code": "bad_request", "title": "Invalid request body", "detail": detail, "field": "tools"}}},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// breaking stands before the world's model: a reply to "break: …" goes wrong in the
// middle, after enough of it to be shown; anything else is the model's.
func breaking(t *testing.T, w *rig.World) string {
	t.Helper()
	return serve(t, func(rw http.ResponseWriter, r *http.Request, asked rig.Conversation) bool {
		if !strings.HasPrefix(asked.Prompt(), "break:") {
			return false
		}
		rw.Header().Set("Content-Type", "text/event-stream")
		for range 20 {
			fmt.Fprint(rw, `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"All good so far. "}}]}`+"\n\n")
			_ = http.NewResponseController(rw).Flush()
		}
		panic(http.ErrAbortHandler)
	}, w)
}
