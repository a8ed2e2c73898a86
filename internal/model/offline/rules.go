package offline

import (
	"fmt"

	"errand/internal/run"
)

// rule is one thing that the model does. It reports false when it has nothing to
// say about a turn.
type rule struct {
	means string
	move  func(*turn) (move, bool)
}

// move is what the model does with a turn: calls, or a text that ends the run.
type move struct {
	calls []run.Call
	text  string
}

// rules is the behaviour of the model: the first that has a move makes it.
func rules() []rule {
	return []rule{
		{"goals that were handed over are planned, worked off task by task, and delivered", pipeline},
		{"a person who says stop is obeyed, and a run whose beginning is out of sight is not continued", halt},
		{"goals are settled with the person before they are handed over", host},
		{"a tool that must be called is called", required},
		{"what has to be read is read first", read},
		{"then what is to be done is done", act},
		{"a structured answer is built from the results", structured},
		{"what was read and done is told, with its sources", report},
		{"a long text is answered with its own sentences", quote},
		{"what is beyond the rules is said to be", beyond},
	}
}

func halt(t *turn) (move, bool) {
	stopped := len(t.wishes) > 0 && t.wishes[len(t.wishes)-1].stops()
	if !stopped && !t.blind {
		return move{}, false
	}
	if t.plan(); t.blind {
		t.remark("nothing further was called: the beginning of this run is no longer in view, and a call might have been made already")
	} else if len(t.missing(t.made.reads))+len(t.missing(t.made.acts)) > 0 {
		t.remark("nothing further was called: you said stop")
	}
	for _, end := range []func(*turn) (move, bool){structured, report} {
		if m, ok := end(t); ok {
			return m, true
		}
	}
	return move{text: "Stopped; nothing was called. " + t.disclaimer()}, true
}

func read(t *turn) (move, bool) { return t.call(t.missing(t.plan().reads)) }

// act leaves out the calls of a tool that has done nothing but fail.
func act(t *turn) (move, bool) {
	var open []planned
	for _, call := range t.missing(t.plan().acts) {
		if t.hopeless(call.tool.Name) {
			t.remark(call.tool.Name + " was not called again: every call of it has failed")
			continue
		}
		open = append(open, call)
	}
	return t.call(open)
}

func (t *turn) call(open []planned) (move, bool) {
	var m move
	for i, call := range open[:min(len(open), maxCalls)] {
		m.calls = append(m.calls, run.Call{
			ID: fmt.Sprintf("call_%d_%d", max(t.req.Step, 1), i+1), Name: call.tool.Name, Arguments: call.arguments,
		})
	}
	return m, len(m.calls) > 0
}
