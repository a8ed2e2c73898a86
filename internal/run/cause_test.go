package run_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// TestCauses: what is told of why an action waits is what made it wait.
func TestCauses(t *testing.T) {
	pay := run.Tool{Name: "pay.out", Class: run.Once}
	waiting := run.Action{Step: 1, Tool: pay, Arguments: `{"amount":500}`, Stage: run.PendingStage, Reason: run.GateReason}
	read := run.Action{Step: 1, Tool: run.Tool{Name: "web.fetch", Outside: true}, Stage: run.FinishedStage}
	with := func(change func(*run.Action)) run.Action {
		a := waiting
		change(&a)
		return a
	}
	approval := &run.Approval{
		Rules: []run.Rule{{Tool: "pay.*", When: "amount > 100"}, {Tool: "pay.*", When: "amount > 1000"}, {Tool: "mail", When: "true"}}, Untrusted: []string{"pay.*"},
	}
	holds := func(when, arguments string) bool { return when == "amount > 100" && strings.Contains(arguments, "500") }
	rule, untrusted := run.Cause{Kind: run.RuleCause, Gate: "pay.*", When: "amount > 100"}, run.Cause{Kind: run.UntrustedCause, Gate: "pay.*"}
	for name, one := range map[string]struct {
		action   run.Action
		gates    []string
		approval *run.Approval
		others   []run.Action
		want     []run.Cause
	}{
		"a gate":             {waiting, []string{"mail", "pay.*"}, approval, nil, []run.Cause{{Kind: run.GateCause, Gate: "pay.*"}}},
		"a rule that holds":  {waiting, nil, approval, nil, []run.Cause{rule}},
		"what it has read":   {waiting, nil, approval, []run.Action{read}, []run.Cause{rule, untrusted}},
		"edited arguments":   {with(func(a *run.Action) { a.Arguments, a.Original = `{"amount":1}`, a.Arguments }), nil, approval, nil, []run.Cause{rule}},
		"changed":            {with(func(a *run.Action) { a.Reason = run.ChangedReason }), nil, approval, nil, []run.Cause{{Kind: run.ChangedCause}, rule}},
		"nobody knows":       {with(func(a *run.Action) { a.Reason = run.UnknownReason }), []string{"pay.*"}, nil, nil, []run.Cause{{Kind: run.UnknownCause}}},
		"it does not wait":   {read, []string{"*"}, nil, nil, nil},
		"only what was said": {waiting, nil, nil, nil, nil},
	} {
		s := run.State{Spec: run.Spec{Gates: one.gates, Approval: one.approval}, Turns: []run.Turn{{Step: 1, Actions: append(one.others, one.action)}}}
		if diff := cmp.Diff(one.want, s.Causes(&one.action, holds)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestOnExpiry: what is told of a gate's time is what happens when it is over.
func TestOnExpiry(t *testing.T) {
	for name, one := range map[string]struct {
		timeout run.Seconds
		on      run.OnTimeout
		reason  string
		want    run.OnTimeout
	}{
		"no time":                     {0, run.ApproveOnTimeout, run.GateReason, ""},
		"nothing is said":             {60, "", run.GateReason, run.RejectOnTimeout},
		"the model goes on":           {60, run.ContinueOnTimeout, run.GateReason, run.ContinueOnTimeout},
		"silence is a yes":            {60, run.ApproveOnTimeout, run.GateReason, run.ApproveOnTimeout},
		"but not to what was changed": {60, run.ApproveOnTimeout, run.ChangedReason, run.RejectOnTimeout},
		"nobody knows":                {60, run.ApproveOnTimeout, run.UnknownReason, ""},
	} {
		s := run.State{Spec: run.Spec{GateTimeout: one.timeout, Approval: &run.Approval{OnTimeout: one.on}}}
		a := run.Action{Stage: run.PendingStage, Reason: one.reason, Since: time.Unix(1, 0)}
		if got := s.OnExpiry(&a); got != one.want {
			t.Errorf("%s: %q, want %q", name, got, one.want)
		}
	}
}
