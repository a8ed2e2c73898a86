package anthropic

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// told is an assembler that has been told the events, up to the first that it refuses.
func told(t *testing.T, events ...string) (*assembler, []run.Delta) {
	t.Helper()
	var deltas []run.Delta
	a := newAssembler(func(d run.Delta) { deltas = append(deltas, d) }, remote.Names{}, &run.Request{Step: 1, Model: "m"})
	for _, text := range events {
		var e sdk.MessageStreamEventUnion
		if err := json.Unmarshal([]byte(text), &e); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if a.add(&e) != nil {
			break
		}
	}
	return a, deltas
}

// A count that can't be is none: a negative one would give money back, and a huge
// one would overflow the sum of a run.
func TestCountsThatCannotBe(t *testing.T) {
	a, _ := told(t,
		`{"type":"message_start","message":{"usage":{"input_tokens":-5,"cache_read_input_tokens":-7,"cache_creation_input_tokens":-1,"output_tokens":-9}}}`,
		`{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":9223372036854775807,"cache_read_input_tokens":9223372036854775807,"output_tokens":-3}}`,
	)
	u := a.reply().Usage
	if u.Input < 0 || u.Cached < 0 || u.Written < 0 || u.Output < 0 || u.Input > math.MaxInt32*4 || u.Cached > u.Input {
		t.Errorf("the usage is %+v", u)
	}
}

// Whatever order events come in, the deltas together are the reply, and nothing
// breaks.
func TestEventsInAnyOrder(t *testing.T) {
	events := []string{
		`{"type":"message_start","message":{"usage":{"input_tokens":5}}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"a"}}`,
		`{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"x","name":"read","input":{"q":1}}}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"x","name":"","input":null}}`,
		`{"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":"h","signature":"s"}}`,
		`{"type":"content_block_start","index":-1,"content_block":{"type":"redacted_thinking","data":"d"}}`,
		`{"type":"content_block_start","index":2,"content_block":{"type":"new_kind"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"grüße"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"1}"}}`,
		`{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"hm"}}`,
		`{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"sig"}}`,
		`{"type":"content_block_delta","index":9,"delta":{"type":"text_delta","text":"lost"}}`,
		`{"type":"content_block_stop","index":7}`, `{"type":"ping"}`, `{"type":"news"}`, `{}`,
		`{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":3}}`,
	}
	dice := rand.New(rand.NewPCG(1, 1))
	for range 3000 {
		var chosen []string
		for range dice.IntN(14) {
			chosen = append(chosen, events[dice.IntN(len(events))])
		}
		var deltas []run.Delta
		a, _ := told(t)
		a.emit = func(d run.Delta) { deltas = append(deltas, d) }
		for _, text := range chosen {
			var e sdk.MessageStreamEventUnion
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			if err := a.add(&e); err != nil && !problem.Is(err, problem.ModelGarbled) {
				break
			}
		}
		_ = a.end()
		reply := a.reply()
		said, size := map[run.Span]string{}, 0
		for _, d := range deltas {
			said[run.Span{Kind: d.Kind, Call: d.Call}] += d.Text
		}
		for _, s := range reply.Spans {
			size += s.Bytes
		}
		whole := len(reply.Text) + len(reply.Reasoning)
		for i, c := range reply.Calls {
			whole += len(c.Arguments)
			if said[run.Span{Kind: run.CallDelta, Call: i}] != c.Arguments {
				t.Fatalf("call %d: %q was said of %q\n%s", i, said[run.Span{Kind: run.CallDelta, Call: i}], c.Arguments, strings.Join(chosen, "\n"))
			}
		}
		if said[run.Span{Kind: run.TextDelta}] != reply.Text || said[run.Span{Kind: run.ReasoningDelta}] != reply.Reasoning || reply.Spans != nil && size != whole {
			t.Fatalf("%v, %d of %d bytes, became %+v\n%s", said, size, whole, reply, strings.Join(chosen, "\n"))
		}
		var talk conversation
		talk.taken = map[string]bool{}
		talk.model = "m"
		talk.add([]run.Message{{Role: run.Assistant, Text: reply.Text, Reasoning: reply.Reasoning, Calls: reply.Calls, Carry: reply.Carry}})
	}
}
