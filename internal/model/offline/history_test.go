package offline_test

import (
	"testing"

	"errand/internal/run"
)

// TestTheCoresWordsAreUnderstood holds the rules to what the core really says
// about calls that did not go well.
func TestTheCoresWordsAreUnderstood(t *testing.T) {
	action := func(change func(*run.Action)) run.Action {
		a := run.Action{Tool: mail, Stage: run.FinishedStage, Outcome: run.OK, Output: `{"sent":true}`}
		change(&a)
		return a
	}
	for want, change := range map[string]func(*run.Action){
		"Done (1 of 1)":                          func(*run.Action) {},
		"rejected; it was not made":              func(a *run.Action) { a.Stage, a.Outcome = run.RejectedStage, run.Rejected },
		"not tried again (no)":                   func(a *run.Action) { a.Stage, a.Decision = run.RejectedStage, &run.Decided{Reason: "no"} },
		"is not tried again [1]":                 func(a *run.Action) { a.Stage, a.TimedOut = run.RejectedStage, true },
		"its outcome is unknown":                 func(a *run.Action) { a.Outcome, a.Output = run.Unknown, "" },
		"cut off before it did anything":         func(a *run.Action) { a.Outcome = run.Cancelled },
		"failed: 550 A person rejected this [1]": func(a *run.Action) { a.Outcome, a.Output = run.Errored, "550 A person rejected this" },
	} {
		t.Run(want, func(t *testing.T) {
			k := newTalk(t, "", "Tell bob@example.com that lunch is at noon.", mail)
			first := k.reply()
			messages, _ := run.History(&run.State{
				Spec:  run.Spec{Input: k.req.Messages[0]},
				Turns: []run.Turn{{Step: 1, Reply: first, Actions: []run.Action{action(change)}}},
			})
			k.req.Messages = messages
			last := k.reply()
			if len(last.Calls) != 0 {
				t.Fatalf("called again: %+v", last.Calls)
			}
			wants(t, last.Text, want)
		})
	}
}

// TestTheCoresRepairRequestIsNoNewTask: what asks for a better answer calls no
// tool and is not taken for a person's message.
func TestTheCoresRepairRequestIsNoNewTask(t *testing.T) {
	k := newTalk(t, "", "Tell bob@example.com that lunch is at noon.", mail)
	k.req.Output = []byte(`{"type":"object","properties":{"sent":{"type":"boolean"},"extra":{"type":"array","items":{"type":"string"}}},"required":["sent"]}`)
	first := k.reply()
	done := run.Action{Tool: mail, Stage: run.FinishedStage, Outcome: run.OK, Output: `{"sent":true}`}
	messages, _ := run.History(&run.State{
		Spec: run.Spec{Input: k.req.Messages[0]},
		Turns: []run.Turn{
			{Step: 1, Reply: first, Actions: []run.Action{done}},
			{Step: 2, Reply: run.Reply{Text: `{"extra":["e-mail"]}`}, Output: &run.Verdict{Problem: "at /: missing property sent"}},
		},
	})
	k.req.Messages, k.req.Step = messages, 3
	if last := k.reply(); len(last.Calls) != 0 || last.Text != `{"sent":true}` {
		t.Errorf("reply: %+v", last)
	}
}

// TestCallsOfTheCallersOwn: a caller who made the calls itself sends the whole
// conversation anew, and the run's first step is an answer to the results.
func TestCallsOfTheCallersOwn(t *testing.T) {
	k := newTalk(t, "", "Tell bob@example.com that lunch is at noon.", mail)
	first := k.reply()
	if len(first.Calls) != 1 {
		t.Fatalf("%+v", first)
	}
	k.req.Messages = append(k.req.Messages, run.Message{Role: run.Assistant, Calls: first.Calls},
		run.Message{Role: run.ToolRole, CallID: first.Calls[0].ID, Tool: mail.Name, Text: `{"sent":true}`})
	k.req.Step = 1
	last := k.reply()
	if len(last.Calls) != 0 {
		t.Fatalf("called again: %+v", last.Calls)
	}
	wants(t, last.Text, "Done (1 of 1)")
}
