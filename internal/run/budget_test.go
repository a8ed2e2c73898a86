package run

import (
	"testing"
	"time"
)

// A budget without room ends a run with what it has, or parks it until somebody
// raises it, as its spec says; a resume tries again.
func TestBudgetRefusal(t *testing.T) {
	for _, on := range []OnBudget{"", FailOnBudget, WaitForBudget} {
		s := State{ID: NewID(epoch, 0, 1)}
		take := func(events ...Event) {
			for _, e := range events {
				e.Seq, e.At = s.Seq+1, epoch.Add(time.Duration(s.Seq)*time.Hour)
				s.Take(&e)
			}
		}
		tool := Tool{Name: "read", Class: Safe}
		take(Event{Type: RunCreated, Created: &Created{Spec: Spec{
			Project: "p", Model: "m", Scopes: []string{"admin"}, OnBudget: on, Tools: []Tool{tool}, Limits: Limits{MaxSteps: 8, WallTime: 60},
		}}})
		reply := Reply{Text: "So far.", Calls: []Call{{ID: "1", Name: "read", Arguments: "{}"}}}
		take(Event{Type: ModelResponded, Responded: &Responded{Step: 1, Attempt: 1, Reply: reply, Actions: []Planned{{ID: "act_01"}}}},
			Event{Type: ToolStarted, Started: &Started{Action: "act_01", Epoch: 1, Attempt: 1}},
			Event{Type: ToolFinished, Finished: &Finished{Action: "act_01", Outcome: OK}})
		worked := s.Worked
		take(Event{Type: BudgetRefused, Refusal: &Refusal{Budget: "bud_1", Limit: "cost", Message: "No money."}})
		d := Decide(&s)
		if on != WaitForBudget {
			if d.Finish == nil || d.Finish.Reason != BudgetExhausted || d.Finish.Limit != "budget" || d.Finish.Error != "No money." ||
				!d.Finish.Result.Partial || d.Finish.Result.Summary != "So far." {
				t.Errorf("%q: it decides %+v", on, d.Finish)
			}
			continue
		}
		if !d.Waits() || s.Status != PausedStatus || s.Live() {
			t.Errorf("it is %s and decides %+v", s.Status, d)
		}
		for _, again := range []Event{{Type: BudgetRaised, Actor: &Actor{By: "key"}}, {Type: RunResumed, Actor: &Actor{}}} {
			take(again)
			if d := Decide(&s); len(d.Effects) != 1 || d.Effects[0].Kind != CallModel || s.Status != Running {
				t.Errorf("after %s it is %s and decides %+v", again.Type, s.Status, d)
			}
			take(Event{Type: RunDriven, Driven: &Driven{Epoch: s.Epoch + 1}}, Event{Type: BudgetRefused, Refusal: &Refusal{Budget: "bud_1"}})
		}
		if s.Takeovers != 0 {
			t.Errorf("%d drivers are said to have died", s.Takeovers)
		}
		if rest := s.Worked - worked; rest > 5*time.Hour { // each event of this log is an hour behind the one before
			t.Errorf("waiting counted as %s of work", rest)
		}
	}
}
