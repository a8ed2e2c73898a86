package run

import (
	"testing"
	"time"
)

// A message that cuts the reply off asks for another attempt of the same step; the
// next step begins at one again.
func TestCut(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := State{ID: ID{1}}
	take := func(e Event) Decision {
		e.Seq, e.At = s.Seq+1, at
		s.Take(&e)
		return Decide(&s)
	}
	take(Event{Type: RunCreated, Created: &Created{Spec: Spec{Limits: Limits{MaxSteps: 4}, RawResults: true}}})
	if got := take(Event{Type: MessageAdded, Message: &Added{Text: "Quietly."}}).Effects; len(got) != 1 || got[0].Attempt != 1 {
		t.Fatalf("a message cuts nothing off by itself: %+v", got)
	}
	got := take(Event{Type: MessageAdded, Message: &Added{Text: "Stop that.", Cut: true}}).Effects
	if len(got) != 1 || got[0].Step != 1 || got[0].Attempt != 2 {
		t.Fatalf("after the cut: %+v", got)
	}
	// The reply has not seen the messages: the run goes on, also where the results of
	// tools are the answer, because there are none.
	got = take(Event{Type: ModelResponded, Responded: &Responded{Step: 1, Attempt: 2, Seen: 1, Reply: Reply{Text: "Yes?"}}}).Effects
	if len(got) != 1 || got[0].Step != 2 || got[0].Attempt != 1 {
		t.Fatalf("the next step: %+v", got)
	}
	end := take(Event{Type: ModelResponded, Responded: &Responded{Step: 2, Attempt: 1, Seen: 2, Reply: Reply{Text: "Done."}}}).Finish
	if end == nil || end.Result.Summary != "Done." {
		t.Fatalf("the end: %+v", end)
	}
}
