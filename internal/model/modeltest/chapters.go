package modeltest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

const answer = "In Bergen it rains; take an umbrella, and another one for the wind."

func plainAnswer(t *testing.T, can Abilities, open Open) {
	m := open(t, []script.Line{script.Say(answer)})
	req := Request(1)
	req.Tools = nil
	req.Messages[1].Text = "Say in a sentence or two what you are."
	reply, deltas := asked(t, can, m, req)
	same(t, can, reply, run.Reply{Text: answer, Finish: "stop"})
	if reply.Text == "" || len(reply.Calls) != 0 {
		t.Errorf("want a text and no call, got %+v", reply)
	}
	if can.Streams && len(deltas) < 2 {
		t.Errorf("a longer answer came in %d deltas", len(deltas))
	}
}

func toolCall(t *testing.T, can Abilities, open Open) {
	m := open(t, []script.Line{script.Call("weather.read", `{"city": "Bergen"}`)})
	reply, _ := asked(t, can, m, Request(1))
	same(t, can, reply, run.Reply{Finish: "tool_calls", Calls: []run.Call{{Name: "weather.read", Arguments: `{"city": "Bergen"}`}}})
	if len(reply.Calls) == 0 || reply.Calls[0].Name != "weather.read" {
		t.Errorf("want a call of weather.read by its own name, got %+v", reply.Calls)
	}
}

func parallelCalls(t *testing.T, can Abilities, open Open) {
	line := script.Call("weather.read", `{"city":"Bergen"}`).And("weather.read", `{"city":"Tromsø"}`).And("weather.read", `{"city":"Oslo"}`)
	m := open(t, []script.Line{line})
	reply, _ := asked(t, can, m, Request(1))
	same(t, can, reply, run.Reply{Finish: "tool_calls", Calls: line.Reply.Calls})
}

// requiredTool asks for a call where nothing in the conversation does. The script
// has words for it, which only a model that is held to a tool makes a call of.
func requiredTool(t *testing.T, can Abilities, open Open) {
	t.Run("by name", func(t *testing.T) {
		heldTo(t, can, open, "weather.read", run.Tool{Name: "time.now", Description: "Tells the time.", Class: run.Safe, Version: "1"})
	})
	t.Run("any", func(t *testing.T) { heldTo(t, can, open, run.AnyTool) })
}

func heldTo(t *testing.T, can Abilities, open Open, tool string, more ...run.Tool) {
	m := open(t, []script.Line{script.Say(`{"city":"Bergen"}`)})
	req := Request(1)
	req.Messages[1].Text = "Good morning, city Bergen!"
	req.Tools = append(req.Tools, more...)
	req.Require = tool
	reply, _ := asked(t, can, m, req)
	same(t, can, reply, run.Reply{Finish: "tool_calls", Calls: []run.Call{{Name: "weather.read", Arguments: `{"city":"Bergen"}`}}})
	if len(reply.Calls) != 1 || reply.Calls[0].Name != "weather.read" {
		t.Errorf("want one call of weather.read, got %+v", reply.Calls)
	}
}

func secondStep(t *testing.T, can Abilities, open Open) {
	m := open(t, []script.Line{script.Call("weather.read", `{"city":"Bergen"}`), script.Say(answer)})
	first, _ := asked(t, can, m, Request(1))
	req := Request(2)
	req.Messages = append(req.Messages, run.Message{Role: run.Assistant, Text: first.Text, Reasoning: first.Reasoning, Calls: first.Calls, Carry: first.Carry})
	for _, c := range first.Calls {
		req.Messages = append(req.Messages, run.Message{Role: run.ToolRole, CallID: c.ID, Tool: c.Name, Text: `{"weather":"rain"}`})
	}
	second, _ := asked(t, can, m, req)
	same(t, can, second, run.Reply{Text: answer, Finish: "stop"})
}

func wholeCharacters(t *testing.T, can Abilities, open Open) {
	const text = "Blåbær 🫐 für 3 € — 你好, \"quoted\" \\ and\ttabbed\nlines"
	m := open(t, []script.Line{script.Say(text)})
	reply, _ := asked(t, can, m, Request(1))
	same(t, can, reply, run.Reply{Text: text, Finish: "stop"})
}

func reasoning(t *testing.T, can Abilities, open Open) {
	line := script.Say(answer)
	line.Reply.Reasoning = "It is Bergen, so it rains."
	m := open(t, []script.Line{line})
	reply, _ := asked(t, can, m, Request(1))
	same(t, can, reply, run.Reply{Text: answer, Reasoning: line.Reply.Reasoning, Finish: "stop"})
}

// carriedBack holds a client to bringing a turn back as it was: the provider
// behind it refuses any other.
func carriedBack(t *testing.T, can Abilities, open Open) {
	thought := script.Call("weather.read", `{"city":"Bergen"}`)
	thought.Reply.Reasoning = "It is Bergen, so I look – and bring an umbrella."
	m := open(t, []script.Line{thought, script.Say(answer)})
	first, _ := asked(t, can, m, Request(1))
	if len(first.Carry) == 0 {
		t.Fatal("the reply carries nothing")
	}
	req := Request(2)
	req.Messages = append(req.Messages,
		run.Message{Role: run.Assistant, Text: first.Text, Reasoning: first.Reasoning, Calls: first.Calls, Carry: first.Carry},
		run.Message{Role: run.ToolRole, CallID: first.Calls[0].ID, Tool: first.Calls[0].Name, Text: `{"weather":"rain"}`})
	second, _ := asked(t, can, m, req)
	same(t, can, second, run.Reply{Text: answer, Finish: "stop"})

	req.Messages[2].Carry = []byte(`{"by":"somebody else","blocks":[{"k":"thinking","n":99999}],"calls":[{},{},{}]}`)
	if _, err := m.Reply(t.Context(), req, func(run.Delta) {}); err == nil {
		t.Error("the provider was to refuse a turn without what it carried")
	}
}

func spans(t *testing.T, can Abilities, open Open) {
	line := script.Call("weather.read", `{"city":"Bergen"}`)
	line.Reply.Text = "Looking it up now."
	arguments := line.Reply.Calls[0].Arguments
	line.Reply.Spans = []run.Span{
		{Kind: run.TextDelta, Bytes: len("Looking ")},
		{Kind: run.CallDelta, Bytes: len(arguments)},
		{Kind: run.TextDelta, Bytes: len("it up now.")},
	}
	m := open(t, []script.Line{line})
	reply, _ := asked(t, can, m, Request(1))
	want := line.Reply
	want.Finish = "tool_calls"
	same(t, can, reply, want)
}

func typedErrors(t *testing.T, _ Abilities, open Open) {
	for _, code := range []problem.Code{
		problem.ModelAuth, problem.ModelRefused, problem.ModelRateLimited, problem.ModelUnavailable, problem.ModelGarbled,
	} {
		t.Run(string(code), func(t *testing.T) {
			failure := problem.New(code, "the script says so")
			if code == problem.ModelRateLimited {
				failure.RetryAfter = 7 * time.Second
			}
			m := open(t, []script.Line{{Err: failure}})
			_, err := m.Reply(t.Context(), Request(1), func(run.Delta) {})
			if !problem.Is(err, code) {
				t.Fatalf("error = %v, want code %s", err, code)
			}
			if got := problem.From(err); got.Detail == "" || got.RetryAfter != failure.RetryAfter {
				t.Errorf("detail %q, retry after %s; want a detail and %s", got.Detail, got.RetryAfter, failure.RetryAfter)
			}
		})
	}
}

func cancelledBefore(t *testing.T, _ Abilities, open Open) {
	m := open(t, []script.Line{script.Say(answer)})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var done sync.WaitGroup
	var err error
	done.Go(func() { _, err = m.Reply(ctx, Request(1), func(run.Delta) {}) })
	ends(t, &done, "a call whose context had ended")
	if !isContext(err) {
		t.Errorf("error = %v, want context.Canceled and no problem", err)
	}
}

func cancelledInTheMiddle(t *testing.T, _ Abilities, open Open) {
	line := script.Say(answer)
	line.Deltas = []run.Delta{{Kind: run.TextDelta, Text: "In Bergen "}}
	line.Stall = true
	m := open(t, []script.Line{line})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done sync.WaitGroup
	var err error
	var heard strings.Builder
	done.Go(func() {
		_, err = m.Reply(ctx, Request(1), func(d run.Delta) {
			heard.WriteString(d.Text)
			cancel()
		})
	})
	ends(t, &done, "a call that was cancelled")
	if !isContext(err) {
		t.Errorf("error = %v, want context.Canceled and no problem", err)
	}
	if heard.String() != "In Bergen " {
		t.Errorf("heard %q before the cancel", heard.String())
	}
}

func manyAtOnce(t *testing.T, can Abilities, open Open) {
	m := open(t, []script.Line{script.Say(answer)})
	var done sync.WaitGroup
	for range 16 {
		done.Go(func() {
			req := Request(1)
			req.Tools = nil
			var heard strings.Builder
			reply, err := m.Reply(t.Context(), req, func(d run.Delta) { heard.WriteString(d.Text) })
			if err != nil || heard.String() != reply.Text || can.Scripted && reply.Text != answer {
				t.Errorf("reply %q, heard %q, error %v", reply.Text, heard.String(), err)
			}
		})
	}
	done.Wait()
}
