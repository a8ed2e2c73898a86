package robots

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

// pieceTime is how long a reader has to see a piece before the next thing happens.
const pieceTime = 50 * time.Millisecond

const capital = "The capital of France is Paris."

// tale takes so long that a reader who comes late hears it in pieces, too.
var tale = strings.TrimSpace(strings.Repeat("and so on ", 40))

// copied is a request's body, which stays to be read again.
func copied(r *http.Request) []byte {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// saved starts a server with two saved agents.
func saved(t *testing.T) (*rig.World, *rig.Server, *rig.Client) {
	t.Helper()
	w := newWorld(t)
	w.Model.Paces(pieceTime / 2)
	s := w.Start()
	c := s.Client()
	c.Post("/v1/agents", object{"name": "guide", "model": "default", "instructions": "Guide.", "tools": list{}}, nil).Good()
	c.Post("/v1/agents", object{"name": "careful", "model": "default", "instructions": "Write letters.",
		"tools": list{"email.send"}, "approval": object{"required_for": list{"email.send"}}}, nil).Good()
	w.Env["ERRAND_URL"], w.Env["ERRAND_API_KEY"] = s.URL, rig.AdminKey
	return w, s, c
}

// TestOpenAI: OpenAI's own SDK with saved agents and models. The run that it leaves
// waiting for a person is a run like any other.
func TestOpenAI(t *testing.T) {
	t.Parallel()
	w, s, c := saved(t)
	got := told(t, w.Node(t, "openai/completions.mjs"), s)
	halted, _ := got["halted_run"].(string)
	delete(got, "halted_run")
	for _, key := range []string{"broken", "broken_stream"} { // the run's id differs
		if thrown, is := got[key].(object); is {
			delete(thrown, "message")
		}
	}
	failed := func(kind string, status float64, code, sort string) object {
		return object{"kind": kind, "status": status, "code": code, "param": nil, "type": sort, "request": "string"}
	}
	noAgent := failed("NotFoundError", 404, "model_not_found", "not_found_error")
	noAgent["param"], noAgent["message"] = "model", `404 model: there is no model and no agent "agent:nobody" here: GET /v1/models lists them`
	tooMany := failed("BadRequestError", 400, "unsupported_parameter", "invalid_request_error")
	tooMany["param"], tooMany["message"] = "n", "400 n: only one answer is possible: leave it out, or send the request more than once"
	inStream := failed("APIError", 0, "model_garbled", "server_error")
	delete(inStream, "status")
	delete(inStream, "request")
	if thrown, is := got["broken_stream"].(object); is {
		delete(thrown, "request") // of the response's headers, if the SDK has them
	}
	want := object{
		"created":       object{"text": capital, "finish": "stop", "model": "agent:guide", "status": "completed", "ids": true, "request": true, "usage": 18.0},
		"streamed":      object{"text": capital, "finish": "stop", "status": "completed", "run": true, "usage": 18.0},
		"helper":        object{"text": tale, "same": true, "pieces": true},
		"calls":         object{"finish": "tool_calls", "name": "weather", "arguments": `{"city":"Rome"}`},
		"ran":           "It is 31 C in Rome.",
		"parsed":        object{"city": "Rome"},
		"halted":        object{"finish": "stop", "status": "awaiting_approval", "names": true},
		"no_agent":      noAgent,
		"too_many":      tooMany,
		"no_key":        failed("AuthenticationError", 401, "unauthenticated", "authentication_error"),
		"broken":        failed("BadRequestError", 400, "model_refused", "invalid_request_error"),
		"broken_stream": inStream,
		"models":        object{"first": list{"agent:careful", "agent:guide"}, "fields": true},
		"model":         list{"agent:guide", "openai/mock"},
		"plain":         "openai/mock",
	}
	if thrown, is := got["no_key"].(object); is {
		delete(thrown, "message")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	waiting := c.Until(halted, "awaiting_approval")
	c.Post("/v1/runs/"+halted+"/approve", object{"action_ids": waiting.Actions()}, nil).Good()
	if done := c.Until(halted, "completed"); done.Summary() != "The letter is on its way." || len(w.Mail.Letters()) != 1 {
		t.Errorf("%+v, %d letters", done, len(w.Mail.Letters()))
	}
	var runs struct {
		Data []struct{ ID, Dialect string }
	}
	c.Get("/v1/runs?dialect=openai&limit=100", &runs)
	if len(runs.Data) < 10 {
		t.Errorf("%d runs are listed", len(runs.Data))
	}
}

// clients are programs that other SDKs are made to run, with what they get.
var clients = map[string]object{
	"ai": {
		"generated": object{"text": capital, "finishReason": "stop", "total": 18.0, "run": true},
		"streamed":  object{"text": capital, "finishReason": "stop", "total": 18.0, "run": true},
		"tools":     object{"text": "It is 31 C in Rome.", "steps": 2.0},
		"object":    object{"city": "Rome"},
		"failed":    object{"status": 404.0, "message": `model: there is no model and no agent "agent:nobody" here: GET /v1/models lists them`, "retryable": false},
		"broken":    "error",
	},
	"langchain": {
		"invoked":    object{"text": capital, "finish": "stop", "total": 18.0},
		"streamed":   object{"text": capital, "total": 18.0},
		"tools":      object{"calls": 1.0, "text": "It is 31 C in Rome."},
		"structured": object{"city": "Rome"},
		"failed":     object{"status": 404.0, "code": "model_not_found"},
	},
	"agents": {
		"plain":    capital,
		"tools":    "It is 31 C in Rome.",
		"typed":    object{"city": "Rome"},
		"streamed": object{"text": "It is 31 C in Rome.", "final": "It is 31 C in Rome."},
	},
}

// TestClients: the Vercel AI SDK, LangChain and OpenAI's Agents SDK, each with a saved
// agent and with a plain model.
func TestClients(t *testing.T) {
	t.Parallel()
	w, s, _ := saved(t)
	for name, want := range clients {
		for _, model := range []string{"agent:guide", "openai/mock"} {
			t.Run(fmt.Sprint(name, " ", model), func(t *testing.T) {
				if diff := cmp.Diff(want, told(t, w.Node(t, "openai/"+name+".mjs", "/v1", model), s)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}
