package run

import (
	"strings"
	"testing"
	"time"
)

// parent is a run whose turn hands work over and calls send, as far as it has come.
func parent(t *testing.T, spec Spec, events ...Event) State {
	t.Helper()
	h := Handoff{Name: "helper", Spec: Spec{Model: "child", Limits: Limits{MaxSteps: 4}}}
	spec.Project, spec.Model, spec.Scopes, spec.Handoffs = "p", "m", []string{"admin"}, []Handoff{h}
	spec.Tools = []Tool{h.Tool("hand", ""), {Name: "send", Class: Once}}
	spec.Limits.MaxSteps = 8
	reply := Reply{
		Calls: []Call{{ID: "1", Name: "hand", Arguments: `{"task":"one"}`}, {ID: "2", Name: "send", Arguments: "{}"}},
		Usage: Usage{Input: 60, Output: 20, Cost: 700},
	}
	log := []Event{{Type: RunCreated, Created: &Created{Spec: spec}}}
	s := State{ID: NewID(epoch, 0, 1)}
	for i, e := range log {
		e.Seq, e.At = int64(i+1), epoch
		s.Take(&e)
	}
	planned := Plan(&s, &reply, Judge{Check: func(*Tool, string) error { return nil }})
	child := NewID(epoch, 0, 2)
	log = append([]Event{
		{Type: ModelResponded, Responded: &Responded{Step: 1, Attempt: 1, Reply: reply, Actions: planned}},
		{Type: ToolStarted, Started: &Started{Action: "act_01", Epoch: 1, Attempt: 1, Child: &child}},
	}, events...)
	for i, e := range log {
		if e.At.IsZero() {
			e.At = epoch
		}
		e.Seq = int64(i + 2)
		s.Take(&e)
	}
	return s
}

// The time in which a person thinks and another run works is nobody's work here.
func TestWaitingForAChildIsNoWork(t *testing.T) {
	s := parent(t, Spec{Gates: []string{"send"}, Limits: Limits{WallTime: 60}}, Event{
		At: epoch.Add(time.Hour), Type: ApprovalDecided, Decided: &Decided{Actions: []string{"act_02"}, Approve: true},
	})
	if s.Worked != 0 {
		t.Errorf("it has worked for %s", s.Worked)
	}
}

// A run does not end while another one works for it, whatever else it has to end for.
func TestNoEndWhileAChildWorks(t *testing.T) {
	for name, test := range map[string]struct {
		spec   Spec
		events []Event
	}{
		"a call was lost": {Spec{OnUnknown: FailUnknown}, []Event{
			{Type: ToolStarted, Started: &Started{Action: "act_02", Epoch: 1, Attempt: 1}},
			{Type: ToolFinished, Finished: &Finished{Action: "act_02", Outcome: Unknown, Crash: true}},
		}},
		"no call is left": {Spec{Limits: Limits{MaxToolCalls: 1}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := parent(t, test.spec, test.events...)
			if d := Decide(&s); !d.Waits() {
				t.Fatalf("with the child at work the core wants %+v", d)
			}
			if !s.AwaitsChild() {
				t.Error("it does not await its child")
			}
			child := *s.Action("act_01").Child
			s.Take(&Event{Seq: 9, At: epoch, Type: ChildFinished, Child: &Child{Action: "act_01", Run: child, Outcome: OK, Output: "Done."}})
			if d := Decide(&s); d.Finish == nil {
				t.Errorf("after the child's end the core wants %+v", d)
			}
		})
	}
}

// What a child may spend is what its parent has left.
func TestChildDrawsFromItsParent(t *testing.T) {
	for name, test := range map[string]struct {
		own, most, want Limits
		why             string
	}{
		"no limits":      {want: Limits{MaxSteps: 4}},
		"its own":        {own: Limits{MaxTokens: 10, MaxCost: 10}, want: Limits{MaxSteps: 4, MaxTokens: 10, MaxCost: 10}},
		"what is left":   {most: Limits{MaxTokens: 100, MaxCost: 1000}, want: Limits{MaxSteps: 4, MaxTokens: 20, MaxCost: 300}},
		"the lower one":  {own: Limits{MaxTokens: 5, MaxCost: 5000}, most: Limits{MaxTokens: 100, MaxCost: 1000}, want: Limits{MaxSteps: 4, MaxTokens: 5, MaxCost: 300}},
		"no tokens left": {most: Limits{MaxTokens: 80}, why: "80 tokens"},
		"no money left":  {most: Limits{MaxCost: 700}, why: "0.0007 US dollars"},
	} {
		t.Run(name, func(t *testing.T) {
			s := parent(t, Spec{Limits: test.most})
			s.Spec.Handoffs[0].Spec.Limits.MaxTokens, s.Spec.Handoffs[0].Spec.Limits.MaxCost = test.own.MaxTokens, test.own.MaxCost
			child, err := s.Child(s.Action("act_01"))
			switch {
			case test.why != "":
				if err == nil || !strings.Contains(err.Error(), test.why) {
					t.Errorf("the error is %v, want %q in it", err, test.why)
				}
			case err != nil:
				t.Error(err)
			case child.Limits != test.want:
				t.Errorf("the child's limits are %+v, want %+v", child.Limits, test.want)
			}
		})
	}
}

// A tool that ends the run does so by its first success, not by a failure.
func TestFinalTool(t *testing.T) {
	spec := Spec{Project: "p", Model: "m", Scopes: []string{"admin"}, Final: "deliver", Require: "deliver",
		Tools: []Tool{{Name: "deliver", Class: Safe}, {Name: "read", Class: Safe}}, Limits: Limits{MaxSteps: 8}}
	for _, outcome := range []Outcome{OK, Errored} {
		s := State{ID: NewID(epoch, 0, 1)}
		take := func(events ...Event) {
			for _, e := range events {
				e.Seq, e.At = s.Seq+1, epoch
				s.Take(&e)
			}
		}
		take(Event{Type: RunCreated, Created: &Created{Spec: spec}})
		if s.Required() != "deliver" {
			t.Error("the first reply is free")
		}
		reply := Reply{Calls: []Call{{ID: "1", Name: "deliver", Arguments: "{}"}}}
		take(Event{Type: ModelResponded, Responded: &Responded{Step: 1, Attempt: 1, Reply: reply, Actions: []Planned{{ID: "act_01"}}}},
			Event{Type: ToolStarted, Started: &Started{Action: "act_01", Epoch: 1, Attempt: 1}},
			Event{Type: ToolFinished, Finished: &Finished{Action: "act_01", Outcome: outcome, Output: "the parcel"}})
		d := Decide(&s)
		if ends := d.Finish != nil && d.Finish.Status == Completed && d.Finish.Result.Summary == "the parcel"; ends != (outcome == OK) {
			t.Errorf("after %s the run decides %+v", outcome, d)
		}
		if s.Required() != "" {
			t.Error("a later reply is not free")
		}
	}
}
