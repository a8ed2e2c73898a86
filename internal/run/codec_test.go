package run

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each type of event reads back as it was written, with its body and without.
func TestCodec(t *testing.T) {
	types := []Type{
		RunCreated, RunStarted, RunDriven, ModelResponded, ModelFailed, ToolStarted, ToolFinished,
		ApprovalDecided, ApprovalExpired, MessageAdded, InputReceived, CancelRequested,
		RunPaused, RunResumed, DeadlinePassed, RunFinished,
	}
	for _, kind := range types {
		empty := Event{Type: kind}
		data, err := Encode(empty)
		if err != nil || data != nil {
			t.Errorf("%s without a body: %q, %v", kind, data, err)
		}
		full := Event{Type: kind}
		full.makeBody()
		if data, err = Encode(full); err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := Decode(kind, data, &back); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if again, _ := Encode(back); string(again) != string(data) {
			t.Errorf("%s: %s reads back as %s", kind, data, again)
		}
	}
}

// Arguments keep their bytes, whatever they are: they are what a person approves.
func TestCodecKeepsArguments(t *testing.T) {
	for _, arguments := range []string{`{ "n" : 9007199254740993,"s":"<&>\u2028" }`, `{"a":`, ``, "{\"x\":\"\u202e\"}"} {
		e := Event{Type: ModelResponded, Responded: &Responded{Reply: Reply{Calls: []Call{{ID: "c", Name: "n", Arguments: arguments}}}}}
		data, err := Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := Decode(e.Type, data, &back); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(arguments, back.Responded.Reply.Calls[0].Arguments); diff != "" {
			t.Error(diff)
		}
	}
}

// What a newer program has written is refused when it can't be understood, and
// an event of an unknown type is kept and changes nothing.
func TestCodecOfTheFuture(t *testing.T) {
	var e Event
	if err := Decode(RunDriven, []byte(`2{"epoch":7}`), &e); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a body of version 2: %v", err)
	}
	if err := Decode("run.teleported", []byte(`{"x":1}`), &e); err != nil || e.Type != "run.teleported" {
		t.Errorf("an unknown type: %v, %v", e.Type, err)
	}
	before := State{Status: Running, Seq: 4}
	if after := Apply(before, Event{Seq: 5, Type: "run.teleported"}); after.Seq != 5 || after.Ended != nil {
		t.Errorf("it folds to %+v", after)
	}
}

// A log that version 1 has written folds, word for word as it was stored.
func TestCodecVersionOne(t *testing.T) {
	stored := []struct{ kind, data string }{
		{"run.created", `{"spec":{"project":"default","dialect":"native","model":"y0-agent","input":{"role":"user","text":"Chase."},"tools":[{"name":"email.send","class":"once","version":"v"}],"gates":["email.send"],"limits":{"max_steps":8},"params":{},"on_unknown":"ask"}}`},
		{"model.responded", `{"step":1,"attempt":1,"reply":{"calls":[{"id":"c1","name":"email.send","arguments":"{}"}],"usage":{"input":3,"output":2}},"actions":[{"id":"act_01","gated":true}],"ms":4}`},
		{"approval.decided", `{"actions":["act_01"],"approve":true}`},
		{"run.driven", `{"epoch":2}`},
		{"tool.started", `{"action":"act_01","epoch":2,"attempt":1}`},
		{"tool.finished", `{"action":"act_01","outcome":"ok","output":"sent","ms":9}`},
		{"model.responded", `{"step":2,"attempt":1,"reply":{"text":"Done.","usage":{"input":5,"output":1}},"ms":2}`},
		{"run.finished", `{"status":"completed","reason":"answered","result":{"summary":"Done."}}`},
	}
	var events []Event
	for i, line := range stored {
		e := Event{Seq: int64(i + 1), At: epoch}
		if err := Decode(Type(line.kind), []byte(line.data), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	s := Fold(ID{1}, events)
	if s.Status != Completed || s.Ended.Result.Summary != "Done." || s.Turns[0].Actions[0].Output != "sent" || s.Usage != (Usage{Input: 8, Output: 3}) {
		t.Errorf("it folds to %+v", s)
	}
}
