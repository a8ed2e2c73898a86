package run

import (
	"testing"
	"time"
)

// FuzzFold folds events in an order that makes no sense and holds the core to its
// promises: no panic, a terminal status for ever, a decision for every state, and
// a Live run whenever there is something to do.
func FuzzFold(f *testing.F) {
	f.Add([]byte{0, 3, 40, 5, 41, 6, 7})
	f.Add([]byte{0, 3, 3, 2, 2, 5, 5, 9, 10, 15, 3})
	f.Add([]byte{16, 1, 12, 13, 8, 8, 14, 4, 4, 2, 11, 15})
	f.Fuzz(func(t *testing.T, script []byte) {
		s := State{}
		var ended *Ended
		at := epoch
		for i, b := range script {
			at = at.Add(time.Duration(b) * time.Second)
			s = Apply(s, chaos(b, script[:i], at, s.Seq+1))
			if ended != nil && (s.Ended != ended || s.Status != ended.Status) {
				t.Fatalf("a terminal run changed from %v to %v", ended, s.Ended)
			}
			ended = s.Ended
			d := Decide(&s)
			if s.Ended != nil && (!d.Waits() || s.Live()) {
				t.Fatalf("an ended run wants %+v", d)
			}
			if !d.Waits() && !s.Live() {
				t.Fatalf("nobody would come to do %+v", d)
			}
			if d.Finish != nil && len(d.Effects) > 0 {
				t.Fatalf("a run ends with effects under way: %+v", d)
			}
			if s.Worked < 0 {
				t.Fatalf("it worked for %v", s.Worked)
			}
			History(&s)
			s.Summarize()
		}
	})
}

// chaos makes an event out of a byte; what it names comes from the bytes before.
func chaos(b byte, before []byte, at time.Time, seq int64) Event {
	pick := byte(0)
	if len(before) > 0 {
		pick = before[len(before)-1]
	}
	action := []string{"act_01", "act_02", "act_03", "act_99", ""}[int(pick)%5]
	tools := []Tool{{Name: "read", Class: Safe}, {Name: "send", Class: Once}, {Name: "charge", Class: Keyed}, {Name: "ask", Function: true}}
	e := Event{Seq: seq, At: at}
	switch b % 18 {
	case 0:
		e.Type, e.Created = RunCreated, &Created{Spec: Spec{Tools: tools, Gates: []string{"send"}, Limits: Limits{MaxSteps: 5, WallTime: 60}, GateTimeout: 9, OnUnknown: AskUnknown}}
	case 1:
		e.Type = RunStarted
	case 2:
		e.Type, e.Driven = RunDriven, &Driven{Epoch: int64(pick % 4)}
	case 3:
		r := &Responded{Step: int(pick%4) + 1, Seen: int(pick) - 3}
		for i := range int(b/18) % 4 {
			r.Reply.Calls = append(r.Reply.Calls, Call{ID: "c", Name: []string{"read", "send", "charge", "ask", "none"}[(i+int(pick))%5]})
			r.Actions = append(r.Actions, Planned{ID: []string{"act_01", "act_02", "act_03"}[i%3], Gated: pick%2 == 0})
		}
		e.Type, e.Responded = ModelResponded, r
	case 4:
		e.Type, e.Failed = ModelFailed, &Failed{Step: int(pick % 4), Retry: pick%2 == 0}
	case 5:
		e.Type, e.Started = ToolStarted, &Started{Action: action, Epoch: int64(pick % 3)}
	case 6:
		e.Type, e.Finished = ToolFinished, &Finished{Action: action, Outcome: []Outcome{OK, Errored, Unknown, Cancelled}[pick%4], Crash: pick%3 == 0}
	case 7:
		e.Type, e.Decided = ApprovalDecided, &Decided{Actions: []string{action}, Approve: pick%2 == 0, Continue: pick%3 == 0}
	case 8:
		e.Type, e.Expired = ApprovalExpired, &Expired{Actions: []string{action, "act_02"}, Timeout: pick%2 == 0}
	case 9:
		e.Type, e.Expired = ApprovalExpired, &Expired{Actions: []string{action}, Tool: &tools[1]}
	case 10:
		e.Type, e.Message = MessageAdded, &Added{Text: "Go on."}
	case 11:
		e.Type, e.Input = InputReceived, &Input{Outputs: []Output{{Action: action}}}
	case 12:
		e.Type = RunPaused
	case 13:
		e.Type = RunResumed
	case 14:
		e.Type, e.Cancel = CancelRequested, &Cancel{}
	case 15:
		e.Type, e.Ended = RunFinished, &Ended{Status: []Status{Completed, FailedStatus, CancelledStatus}[pick%3]}
	case 16:
		e.Type = RunCreated // a damaged event: its body is missing
	case 17:
		e.Type, e.Deadline = DeadlinePassed, &Deadline{Which: WallTime}
	}
	return e
}

// A run's working time is what its driver spent, not what people took to decide
// and not what lies between a crash and the next driver.
func TestWorked(t *testing.T) {
	s := tell(t, `
		tools send:once
		gate send
		limit steps=8 time=60
		-> model/1
		+10s
		reply send{}
		+300s
		approve act_01
		+5s
		start act_01
		+100s
		takeover
		+2s
		crash act_01
		+1000s
		reject act_01
		+3s
		reply Done.
	`)
	if want := 20 * time.Second; s.state.Worked != want {
		t.Errorf("it worked for %v, want %v", s.state.Worked, want)
	}
	if d := Decide(&s.state); d.Finish == nil || d.Finish.Reason != Answered {
		t.Errorf("it wants %+v", d)
	}
}

// Decide names the moment at which the run would be out of time.
func TestWakeAt(t *testing.T) {
	s := tell(t, `
		tools send:once read:safe
		gate send
		limit steps=8 time=60 gate=20
		+10s
		reply send{} read{}
	`)
	d := Decide(&s.state)
	if want := s.at.Add(20 * time.Second); d.Wake != GateTime || !d.WakeAt.Equal(want) {
		t.Errorf("wakes for %s at %v, want %s at %v", d.Wake, d.WakeAt, GateTime, want)
	}
	if ids := s.state.Lapsed(d.WakeAt.Add(-time.Millisecond)); ids != nil {
		t.Errorf("%v lapsed too early", ids)
	}
	if ids := s.state.Lapsed(d.WakeAt); len(ids) != 1 || ids[0] != "act_01" {
		t.Errorf("lapsed: %v", ids)
	}
}
