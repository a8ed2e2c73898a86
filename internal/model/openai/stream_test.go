package openai

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// delta is an event of a stream whose first choice carries this delta.
func delta(delta string) string {
	return `data: {"choices":[{"index":0,"delta":` + delta + `,"finish_reason":null}]}` + "\n\n"
}

func ended(reason string) string {
	return fmt.Sprintf(`data: {"choices":[{"index":0,"delta":{},"finish_reason":%q}]}`+"\n\n", reason)
}

const done = "data: [DONE]\n\n"

func text(s string) run.Reply { return run.Reply{Text: s, Finish: "stop"} }

func called1(id, name, arguments string) run.Reply {
	return run.Reply{Finish: "tool_calls", Calls: []run.Call{{ID: id, Name: name, Arguments: arguments}}}
}

// streamStory is what a real server does to a stream, and what is to come of it.
type streamStory struct {
	name   string
	stream string
	want   run.Reply
}

// callDelta begins a call, more goes on with it.
func callDelta(index int, id, name, arguments string) string {
	return delta(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%q,"type":"function","function":{"name":%q,"arguments":%q}}]}`, index, id, name, arguments))
}

func more(index int, arguments string) string {
	return delta(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%q}}]}`, index, arguments))
}

// textStreams are oddities of framing, text and characters.
func textStreams() []streamStory {
	return []streamStory{
		{"plain", delta(`{"role":"assistant","content":""}`) + delta(`{"content":"Hel"}`) + delta(`{"content":"lo"}`) + ended("stop") + done, text("Hello")},
		{"CRLF", strings.ReplaceAll(delta(`{"content":"Hello"}`)+ended("stop")+done, "\n", "\r\n"), text("Hello")},
		{"comments and other fields", ": PROCESSING\n\nid: 7\nevent: message\nretry: 10\n" + delta(`{"content":"Hello"}`) + ":\n" + ended("stop") + done, text("Hello")},
		{"no space after data", strings.ReplaceAll(delta(`{"content":"Hello"}`)+ended("stop")+done, "data: ", "data:"), text("Hello")},
		{"one line end between events", strings.ReplaceAll(delta(`{"content":"Hello"}`)+ended("stop")+done, "\n\n", "\n"), text("Hello")},
		{"an event over several data lines", "data: {\"choices\":[{\ndata: \"delta\":{\"content\":\"Hello\"},\ndata: \"finish_reason\":\"stop\"}]}\n\n" + done, text("Hello")},
		{"byte order mark", "\xef\xbb\xbf" + delta(`{"content":"Hello"}`) + ended("stop") + done, text("Hello")},
		{"no [DONE]", delta(`{"content":"Hello"}`) + ended("stop"), text("Hello")},
		{"last event without a line end", delta(`{"content":"Hello"}`) + strings.TrimSpace(ended("stop")), text("Hello")},
		{"finish told twice", delta(`{"content":"Hello"}`) + ended("length") + ended("stop") + done, run.Reply{Text: "Hello", Finish: "length"}},
		{"finish as an empty string", delta(`{"content":"Hel"}`) + strings.ReplaceAll(delta(`{"content":"lo"}`), "null", `""`) + ended("stop"), text("Hello")},
		{"text with the finish", `data: {"choices":[{"delta":{"content":"Hello"},"finish_reason":"stop"}]}` + "\n\n", text("Hello")},
		{"null deltas", delta("null") + delta(`{"content":null,"tool_calls":null,"role":null,"reasoning":null}`) + `data: {"choices":null}` + "\n\n" + delta(`{"content":"Hello"}`) + ended("stop"), text("Hello")},
		{"eos for stop", delta(`{"content":"Hello"}`) + ended("eos"), text("Hello")},
		{"refusal", delta(`{"refusal":"No."}`) + ended("stop"), text("No.")},
		{"filtered", ended("content_filter"), run.Reply{Finish: "content_filter"}},
		{"content as parts", delta(`{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"Hello"}]}`) + ended("stop"), run.Reply{Reasoning: "hm", Text: "Hello", Finish: "stop"}},
		{"reasoning_content", delta(`{"reasoning_content":"hm"}`) + delta(`{"content":"Hello"}`) + ended("stop"), run.Reply{Reasoning: "hm", Text: "Hello", Finish: "stop"}},
		{"reasoning in both fields", delta(`{"reasoning":"hm","reasoning_content":"hm"}`) + delta(`{"content":"Hello"}`) + ended("stop"), run.Reply{Reasoning: "hm", Text: "Hello", Finish: "stop"}},
		{"a character cut between two events", delta("{\"content\":\"3 \xe2\x82\"}") + delta("{\"content\":\"\xac!\"}") + ended("stop"), text("3 €!")},
		{"a character cut in three", delta("{\"content\":\"\xf0\"}") + delta("{\"content\":\"\x9f\xa7\"}") + delta("{\"content\":\"\x99\"}") + ended("stop"), text("🧙")},
		{"a surrogate pair cut", delta(`{"content":"\ud83e"}`) + delta(`{"content":"\uddd9"}`) + ended("stop"), text("🧙")},
		{"half a character for ever", delta("{\"content\":\"3 \xe2\x82\"}") + ended("stop"), text("3 \uFFFD")},
		{"half a pair alone", delta(`{"content":"a\udc00b\ud83e"}`) + delta(`{"content":"c"}`) + ended("stop"), text("a\uFFFDb\uFFFDc")},
		{"bytes that are no text", delta("{\"content\":\"a\xff\xfeb\"}") + ended("stop"), text("a\uFFFD\uFFFDb")},
		{"escapes", delta(`{"content":"\"\\\/\b\f\n\r\t\u00e9\ud83e\uddd9"}`) + ended("stop"), text("\"\\/\b\f\n\r\té🧙")},
	}
}

// callStreams are oddities of tool calls.
func callStreams() []streamStory {
	const wizard = `{"name":"🧙"}`
	two := run.Reply{Finish: "tool_calls", Calls: []run.Call{{ID: "a", Name: "f", Arguments: `{"x":1}`}, {ID: "b", Name: "g", Arguments: `{"y":2}`}}}
	return []streamStory{
		{"arguments in pieces", callDelta(0, "a", "f", "") + more(0, `{"x`) + more(0, `":1}`) + ended("tool_calls") + done, called1("a", "f", `{"x":1}`)},
		{"arguments cut in a character", callDelta(0, "a", "f", "") + delta("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"name\\\":\\\"\xf0\x9f\"}}]}") + delta("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\xa7\x99\\\"}\"}}]}") + ended("tool_calls"), called1("a", "f", wizard)},
		{"arguments as an object", delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}}]}`) + ended("tool_calls"), called1("a", "f", `{"x": 1}`)},
		{"no arguments", callDelta(0, "a", "f", "") + ended("tool_calls"), called1("a", "f", `{}`)},
		{"null arguments", delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":null}}]}`) + ended("tool_calls"), called1("a", "f", `{}`)},
		{"escapes in an id", delta(`{"tool_calls":[{"index":0,"id":"\ud83e\uddd9","function":{"name":"f\ud83e","arguments":"{}"}}]}`) + ended("tool_calls"), called1("🧙", "f\uFFFD", `{}`)},
		{"stop for tool_calls", callDelta(0, "a", "f", "{}") + ended("stop"), called1("a", "f", `{}`)},
		{"parallel, mixed", callDelta(0, "a", "f", "") + callDelta(1, "b", "g", "") + more(1, `{"y"`) + more(0, `{"x"`) + more(1, `:2}`) + more(0, `:1}`) + ended("tool_calls"),
			run.Reply{Finish: "tool_calls", Calls: two.Calls, Spans: []run.Span{{Kind: run.CallDelta, Call: 1, Bytes: 4}, {Kind: run.CallDelta, Bytes: 4}, {Kind: run.CallDelta, Call: 1, Bytes: 3}, {Kind: run.CallDelta, Bytes: 3}}}},
		{"parallel, all index 0", callDelta(0, "a", "f", `{"x":1}`) + callDelta(0, "b", "g", `{"y":2}`) + ended("tool_calls"), two},
		{"parallel, no index", delta(`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\":1}"}},{"id":"b","function":{"name":"g","arguments":"{\"y\":2}"}}]}`) + ended("tool_calls"), two},
		{"pieces without an index", delta(`{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}`) + delta(`{"tool_calls":[{"function":{"arguments":":1}"}}]}`) + ended("tool_calls"), called1("a", "f", `{"x":1}`)},
		{"a new id with each piece", callDelta(0, "a", "f", `{"x"`) + delta(`{"tool_calls":[{"index":0,"id":"z","function":{"arguments":":1}"}}]}`) + ended("tool_calls"), called1("a", "f", `{"x":1}`)},
		{"the name repeated", callDelta(0, "a", "f", `{"x"`) + callDelta(0, "a", "f", `:1}`) + ended("tool_calls"), called1("a", "f", `{"x":1}`)},
		{"the name in pieces", callDelta(0, "a", "get_", "") + callDelta(0, "", "time", "") + more(0, "{}") + ended("tool_calls"), called1("a", "get_time", `{}`)},
		{"an id later than the name", callDelta(0, "", "f", "") + callDelta(0, "a", "", "{}") + ended("tool_calls"), called1("a", "f", `{}`)},
		{"missing ids", callDelta(0, "", "f", `{"x":1}`) + callDelta(1, "", "g", `{"y":2}`) + ended("tool_calls"), run.Reply{Finish: "tool_calls", Calls: []run.Call{{ID: "call01001", Name: "f", Arguments: `{"x":1}`}, {ID: "call01002", Name: "g", Arguments: `{"y":2}`}}}},
		{"the same id twice", callDelta(0, "a", "f", `{"x":1}`) + callDelta(1, "a", "g", `{"y":2}`) + ended("tool_calls"), run.Reply{Finish: "tool_calls", Calls: []run.Call{{ID: "a", Name: "f", Arguments: `{"x":1}`}, {ID: "call01002", Name: "g", Arguments: `{"y":2}`}}}},
		{"a made-up id that is taken", callDelta(0, "", "f", `{"x":1}`) + callDelta(1, "call01001", "g", `{"y":2}`) + ended("tool_calls"), run.Reply{Finish: "tool_calls", Calls: []run.Call{{ID: "call01002", Name: "f", Arguments: `{"x":1}`}, {ID: "call01001", Name: "g", Arguments: `{"y":2}`}}}},
		{"text after the call", callDelta(0, "a", "f", "{}") + delta(`{"content":"Hello"}`) + ended("tool_calls"), run.Reply{Text: "Hello", Finish: "tool_calls", Calls: []run.Call{{ID: "a", Name: "f", Arguments: "{}"}}, Spans: []run.Span{{Kind: run.CallDelta, Bytes: 2}, {Kind: run.TextDelta, Bytes: 5}}}},
		{"garbled arguments stay as they are", callDelta(0, "a", "f", `{"x":`) + ended("tool_calls"), called1("a", "f", `{"x":`)},
	}
}

// usageStreams are oddities of usage, and of answers that are no stream.
func usageStreams() []streamStory {
	return []streamStory{
		{"usage in a separate event", delta(`{"content":"Hello"}`) + ended("stop") + `data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}` + "\n\n" + done,
			run.Reply{Text: "Hello", Finish: "stop", Usage: run.Usage{Input: 9, Output: 5, Cached: 4, Reasoning: 3}}},
		{"usage after null usages", `data: {"choices":[{"delta":{"content":"Hello"}}],"usage":null}` + "\n\n" + `data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"prompt_cache_hit_tokens":2}}` + "\n\n" + done,
			run.Reply{Text: "Hello", Finish: "stop", Usage: run.Usage{Input: 9, Output: 5, Cached: 2}}},
		{"usage of Groq", delta(`{"content":"Hello"}`) + `data: {"x_groq":{"id":"r","usage":{"prompt_tokens":9,"completion_tokens":5}},"choices":[{"delta":{},"finish_reason":"stop"}]}` + "\n\n" + done,
			run.Reply{Text: "Hello", Finish: "stop", Usage: run.Usage{Input: 9, Output: 5}}},
		{"reasoning outside the completion", delta(`{"content":"Hello"}`) + ended("stop") + `data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":34,"completion_tokens_details":{"reasoning_tokens":20}}}` + "\n\n" + done,
			run.Reply{Text: "Hello", Finish: "stop", Usage: run.Usage{Input: 9, Output: 25, Reasoning: 20}}},
		{"one JSON text though a stream was asked for", `{"choices":[{"message":{"content":"Hello","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}},{"id":"a","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}`,
			run.Reply{Text: "Hello", Finish: "tool_calls", Usage: run.Usage{Input: 1, Output: 2}, Calls: []run.Call{{ID: "a", Name: "f", Arguments: "{}"}, {ID: "call01002", Name: "f", Arguments: "{}"}}}},
	}
}

func TestStreams(t *testing.T) {
	for _, c := range slices.Concat(textStreams(), callStreams(), usageStreams()) {
		t.Run(c.name, func(t *testing.T) {
			for _, piece := range []int{1 << 20, 1, 7} {
				client := serving(t, pieces(c.stream, piece), nil)
				got, err := collect(t, client, modeltest.Request(1))
				if err != nil {
					t.Fatal(err)
				}
				want := c.want
				want.Model = "test/test-model"
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("in pieces of %d (-want +got):\n%s", piece, diff)
				}
			}
		})
	}
}

// pieces serves a stream, flushed every so many bytes.
func pieces(stream string, size int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for rest := stream; rest != ""; {
			n := min(size, len(rest))
			_, _ = io.WriteString(w, rest[:n])
			rest = rest[n:]
			if size > 1 { // single bytes are put together again by the server: enough to try
				_ = http.NewResponseController(w).Flush()
			}
		}
	})
}

func TestGarbled(t *testing.T) {
	whole := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, h := range map[string]http.Handler{
		"no finish":            pieces(delta(`{"content":"Hello"}`), 1<<20),
		"no finish but [DONE]": pieces(delta(`{"content":"Hello"}`)+done, 1<<20),
		"given up":             pieces(delta(`{"content":"Hello"}`)+ended("error"), 1<<20),
		"not JSON":             pieces(delta(`{"content":"Hello"}`)+"data: {oops\n\n"+ended("stop"), 1<<20),
		"cut in an event":      pieces(delta(`{"content":"Hello"}`)+`data: {"choices":[{"del`, 1<<20),
		"a huge line":          pieces("data: {\"x\":\""+strings.Repeat("x", remote.MaxLine+1), 1<<20),
		"only comments":        pieces(": hello\n\n", 1<<20),
		"prose":                whole("text/plain", "hello there"),
		"HTML":                 whole("text/html", "<!DOCTYPE html><title>It works</title>"),
		"HTML as a stream":     pieces("<!DOCTYPE html>\n<title>It works</title>", 1<<20),
		"HTML late":            pieces(delta(`{"content":"Hello"}`)+"<html>502</html>\n", 1<<20),
		"empty":                whole("application/json", ""),
		"space":                whole("application/json", " \n \n"),
		"no content":           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
		"no choices":           whole("application/json", `{"id":"x"}`),
		"half JSON":            whole("application/json", `{"choices":[{"message":{"content":"Hello"`),
		"JSON and more":        whole("application/json", `{"choices":[{"message":{"content":"a"}}]} {}`),
		"too deep":             whole("application/json", `{"x":`+strings.Repeat("[", 500)+strings.Repeat("]", 500)+`}`),
		"broken off": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, delta(`{"content":"Hello"}`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			client := serving(t, h, nil)
			reply, err := collect(t, client, modeltest.Request(1))
			if !problem.Is(err, problem.ModelGarbled) {
				t.Fatalf("reply %+v, error %v; want model_garbled", reply, err)
			}
		})
	}
}

// What follows the finish is not worth failing for.
func TestBrokenAfterTheFinish(t *testing.T) {
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, delta(`{"content":"Hello"}`)+ended("stop"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}), nil)
	reply, err := collect(t, client, modeltest.Request(1))
	if err != nil || reply.Text != "Hello" {
		t.Errorf("reply %+v, error %v", reply, err)
	}
}

// A reply that fails brings what it had, so that its usage is booked.
func TestPartialReply(t *testing.T) {
	stream := delta(`{"content":"Hel"}`) + `data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":1}}` + "\n\n"
	reply, err := collect(t, serving(t, pieces(stream, 1<<20), nil), modeltest.Request(1))
	want := run.Reply{Model: "test/test-model", Text: "Hel", Usage: run.Usage{Input: 9, Output: 1}}
	if diff := cmp.Diff(want, reply); diff != "" || !problem.Is(err, problem.ModelGarbled) {
		t.Errorf("error %v, reply (-want +got):\n%s", err, diff)
	}
}
