package run

import (
	"strings"
	"testing"
)

func TestPasses(t *testing.T) {
	for name, text := range passStories {
		t.Run(name, func(t *testing.T) { tell(t, text) })
	}
}

func TestPassHistory(t *testing.T) {
	s := tell(t, `
		passes 2
		reply One.
		-> model/2`)
	messages, _ := History(&s.state)
	if n := len(messages); n != 3 || messages[2].Role != User || !strings.Contains(messages[2].Text, "pass 1 of 2") {
		t.Fatalf("the model sees %+v", messages)
	}
	s = tell(t, `
		passes 2
		reply One.
		reply Two.
		-> end completed answered`)
	if messages, _ = History(&s.state); len(messages) != 4 {
		t.Errorf("behind the last pass the model sees %+v", messages)
	}
}

func TestRawSummary(t *testing.T) {
	s := tell(t, `
		tools read:safe
		raw
		reply read{} read{}
		start act_01
		start act_02
		error act_02 no such table
		ok act_01 three rows
		-> end completed answered`)
	if got, want := Decide(&s.state).Finish.Result.Summary, "three rows\n\nno such table"; got != want {
		t.Errorf("the answer is %q, want %q", got, want)
	}
}

func TestVary(t *testing.T) {
	s := tell(t, `
		passes 3
		reply One.
		-> model/2`)
	s.state.Spec.Params.Vary = true
	first := s.state.Sampling()
	if first.Temperature == nil || *first.Temperature < 0 || *first.Temperature > 1 {
		t.Fatalf("the second pass has the temperature %v", first.Temperature)
	}
	if again := s.state.Sampling(); *again.Temperature != *first.Temperature {
		t.Error("a repeated call has another temperature")
	}
	s.add(Event{Type: ModelResponded, Responded: s.reply("Two.")})
	if third := s.state.Sampling(); *third.Temperature == *first.Temperature {
		t.Error("the third pass has the temperature of the second")
	}
	s.state.Turns = nil
	if got := s.state.Sampling(); got.Temperature != nil {
		t.Error("the first pass does not have the caller's temperature")
	}
}

var passStories = map[string]string{
	"each pass asks for another answer": `
			passes 3
			reply One.
			-> model/2
			reply Two.
			-> model/3
			reply Three.
			-> end completed answered`,

	"a turn that calls tools is no pass": `
			tools read:safe
			passes 2
			reply read{}
			start act_01
			ok act_01 rows
			-> model/2
			reply One.
			-> model/3
			reply Two.
			-> end completed answered`,

	"passes end at the step limit": `
			passes 5
			limit steps=2
			reply One.
			reply Two.
			-> end failed step_limit`,

	"an answer that has to be mended ends no pass": `
			passes 2
			schema {"type":"object"}
			repairs 3
			reply nonsense
			-> model/2
			reply {}
			-> model/3
			reply {}
			-> end completed answered`,

	"raw results are the answer": `
			tools read:safe
			raw
			reply read{}
			start act_01
			ok act_01 rows
			-> end completed answered`,

	"a refused call is no raw result": `
			tools read:safe
			raw
			reply wrong{}
			-> model/2`,

	"raw results end a pass": `
			tools read:safe
			raw
			passes 2
			reply read{}
			start act_01
			ok act_01 rows
			-> model/2
			reply Enough.
			-> end completed answered`,

	"a call that is handed back ends the run": `
			tools ask:function
			hand-back
			reply ask{}
			-> end completed answered`,

	"the server's own calls are made before the others are handed back": `
			tools ask:function read:safe
			hand-back
			reply ask{} read{}
			-> tool/act_02
			start act_02
			ok act_02 rows
			-> end completed answered`,

	"a gated call is handed back when it is approved": `
			tools ask:function
			hand-back
			gate ask
			reply ask{}
			-> wait awaiting_approval
			approve act_01
			-> end completed answered`,

	"a garbled call is not handed back": `
			tools ask:function
			hand-back
			reply ask{"x":
			-> model/2`,

	"a tool is called no more often than allowed, whatever the model asks": `
			tools read:safe
			at-most read=1
			reply read{} read{} read{}
			-> tool/act_01
			start act_01
			ok act_01 rows
			-> model/2
			reply read{}
			-> model/3
			reply Done.
			-> end completed answered`,

	"a garbled call does not count": `
			tools read:safe
			at-most read=1
			reply read{"x":
			-> model/2
			reply read{}
			-> tool/act_02`,
}

func TestOffered(t *testing.T) {
	s := tell(t, `
		tools read:safe send:once
		at-most read=1
		reply read{}
		start act_01
		ok act_01 rows
		-> model/2`)
	if got := s.state.Offered(); len(got) != 1 || got[0].Name != "send" {
		t.Errorf("after its only call, read is still among %v", got)
	}
	s.state.Spec.ToolLimits["send"] = 0
	if got := s.state.Offered(); len(got) != 2 {
		t.Errorf("with nothing left the request has the tools %v", got)
	}
	s.state.Spec.ToolLimits = nil
	if got := s.state.Offered(); len(got) != 2 {
		t.Errorf("without limits the request has the tools %v", got)
	}
}
