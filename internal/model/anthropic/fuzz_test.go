package anthropic

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"errand/internal/model/modeltest"
	"errand/internal/problem"
	"errand/internal/run"
)

// provider answers every request with the same bytes.
type provider struct {
	status int
	kind   string
	body   []byte
}

func (p *provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
	return &http.Response{StatusCode: p.status, Header: http.Header{"Content-Type": {p.kind}}, Body: io.NopCloser(bytes.NewReader(p.body)), Request: r}, nil
}

// FuzzStream feeds any bytes as an answer: whatever comes, the call ends; what was
// emitted is the reply, in whole characters; and what fails is one of the model's
// errors, without the key.
func FuzzStream(f *testing.F) {
	event := func(kind, data string) string { return "event: " + kind + "\ndata: " + data + "\n\n" }
	begin := event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"m","stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1,"cache_read_input_tokens":5}}}`)
	end := event("content_block_stop", `{"type":"content_block_stop","index":0}`) + event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}`) + event("message_stop", `{"type":"message_stop"}`)
	for _, seed := range []string{
		begin + event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`) + event("ping", `{"type":"ping"}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello \ud83e\udd16"}}`) + end,
		begin + event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"city\": \"Par"}}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"is\"}"}}`) + strings.Replace(end, "end_turn", "tool_use", 1),
		begin + event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}`) +
			event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}`) + event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}`) + end,
		event("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded `+secret+`"}}`), begin + "data: {\n\n", begin, "", "data: null\n\n", event("message_stop", `{"type":"message_stop"}`), "{}", "\xff\xfe",
		`{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key ` + secret + `"}}`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, fine bool) {
		answer := &provider{status: http.StatusOK, kind: "text/event-stream", body: body}
		if !fine {
			answer.status, answer.kind = http.StatusBadRequest, "application/json"
		}
		client, err := New(Config{Name: "test", BaseURL: "http://test", Key: secret, Transport: answer})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var deltas []run.Delta
		reply, err := client.Reply(t.Context(), modeltest.Request(1), func(d run.Delta) { deltas = append(deltas, d) })
		var told *problem.Error
		switch {
		case err == nil:
			modeltest.Consistent(t, reply, deltas)
			if !fine {
				t.Errorf("an answer of status 400 is the reply %+v", reply)
			}
		case !errors.As(err, &told) || !strings.HasPrefix(string(told.Code), "model_"):
			t.Errorf("%q: %v", body, err)
		case strings.Contains(told.Detail, secret) || told.Detail == "":
			t.Errorf("%q: %s", body, told.Detail)
		}
		ids := map[string]bool{}
		for _, c := range reply.Calls {
			if c.ID == "" || ids[c.ID] {
				t.Errorf("%q: the id %q is empty or there twice", body, c.ID)
			}
			ids[c.ID] = true
		}
		if u := reply.Usage; u.Input < 0 || u.Output < 0 || u.Cached < 0 || u.Written < 0 || u.Cached+u.Written > u.Input {
			t.Errorf("%q: the usage is %+v", body, u)
		}
	})
}
