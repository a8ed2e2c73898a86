package e2e

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

// TestKillBeforeTheMail kills the server right behind the acknowledged approval,
// before the mail server has answered anything.
func TestKillBeforeTheMail(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Model.Plays(chase)
	s := w.Start()
	_, run := chaser(t, s.Client())
	waiting := s.Client().Run(run)
	s.Kill() // the run waits on disk

	s = w.Start()
	c := s.Client()
	if diff := cmp.Diff(waiting, c.Run(run)); diff != "" {
		t.Errorf("the run after the restart (-before +after):\n%s", diff)
	}
	// Paused, the run takes the approval and does not act on it yet: the kill comes
	// between the two for certain.
	c.Post("/v1/runs/"+run+"/pause", nil, nil)
	c.Post("/v1/runs/"+run+"/approve", approving(waiting.Actions()), nil)
	s.Kill()
	if n := len(w.Mail.Letters()); n != 0 {
		t.Fatalf("%d mails of a paused run", n)
	}

	c = w.Start().Client()
	if r := c.Run(run); r.Status != "paused" || len(r.Pending) != 0 {
		t.Errorf("%+v", r)
	}
	c.Post("/v1/runs/"+run+"/resume", nil, nil)
	done := c.Until(run, "completed")
	if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
		t.Errorf("mails (-want +got):\n%s", diff)
	}
	if done.StepsUsed != 3 || len(w.Model.Calls()) != 3 {
		t.Errorf("%d steps, %d model calls: something was done twice", done.StepsUsed, len(w.Model.Calls()))
	}
}

// interrupted brings a run to its first mail, kills the server while the mail
// server holds that mail, and restarts it.
func interrupted(t *testing.T, w *rig.World, accepted bool) (*rig.Client, rig.Run, string) {
	t.Helper()
	w.Model.Plays(chase)
	s := w.Start()
	_, run := chaser(t, s.Client())
	w.Mail.Stall()
	s.Client().Post("/v1/runs/"+run+"/approve", approving(s.Client().Run(run).Actions()), nil)
	to := rig.Await(t, "the mail", w.Mail.Came())
	s.Kill()
	w.Mail.Release(accepted)
	c := w.Start().Client()
	r := c.Until(run, "awaiting_approval")
	if len(r.Pending) != 1 || r.Pending[0].Reason != "outcome_unknown" || r.Pending[0].Arguments["to"] != to {
		t.Fatalf("%+v", r.Pending)
	}
	return c, r, to
}

func TestKillDuringTheMail(t *testing.T) {
	t.Run("approving does it again", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		c, r, _ := interrupted(t, w, false)
		// An SDK that did not get the first approval's answer sends it again.
		c.Post("/v1/runs/"+r.ID+"/approve", approving(r.Actions()), nil, "X-Stainless-Retry-Count", "1")
		if again := c.Run(r.ID); len(again.Pending) != 1 {
			t.Errorf("a repeated approval decided the unknown outcome: %+v", again.Pending)
		}
		var answer struct{ Status string }
		c.Post("/v1/runs/"+r.ID+"/approve", approving(r.Actions()), &answer)
		if answer.Status != "running" {
			t.Errorf("status %s", answer.Status)
		}
		c.Until(r.ID, "completed")
		if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
			t.Errorf("mails (-want +got):\n%s", diff)
		}
	})
	t.Run("rejecting ends it without", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		c, r, to := interrupted(t, w, true) // it has arrived, and only the person knows
		c.Post("/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": r.Actions(), "reject": true}, nil)
		done := c.Until(r.ID, "completed")
		if *done.StopReason != "answered" {
			t.Errorf("stop_reason %s: the run should go on, and the model be told", *done.StopReason)
		}
		if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
			t.Errorf("mails to %s and others (-want +got):\n%s", to, diff)
		}
	})
	t.Run("a second crash asks again", func(t *testing.T) {
		t.Parallel()
		w := rig.New(t)
		c, r, to := interrupted(t, w, false)
		w.Eventually("the other two mails", func() bool { return len(w.Mail.Letters()) == 2 })
		for range 2 {
			rig.Await(t, "them", w.Mail.Came())
		}
		w.Mail.Stall()
		c.Post("/v1/runs/"+r.ID+"/approve", approving(r.Actions()), nil)
		rig.Await(t, "the mail again", w.Mail.Came())
		w.Kill()
		w.Mail.Release(false)
		c = w.Start().Client()
		again := c.Until(r.ID, "awaiting_approval")
		if diff := cmp.Diff(r.Pending, again.Pending); diff != "" {
			t.Errorf("what waits (-before +after):\n%s", diff)
		}
		c.Post("/v1/runs/"+r.ID+"/approve", approving(r.Actions()), nil)
		c.Until(r.ID, "completed")
		if diff := cmp.Diff(owed(), w.Mail.Addressees()); diff != "" {
			t.Errorf("mails, %s interrupted (-want +got):\n%s", to, diff)
		}
	})
}

// TestKillDuringKeyedAndOnce shows the two classes side by side: the keyed call is
// made again with its key, the once call waits for a person.
func TestKillDuringKeyedAndOnce(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	s.Client().Tool(w, "book.keyed", "keyed")
	s.Client().Tool(w, "book.once", "once")
	freeKeyed, freeOnce := w.Tools.Hold("book.keyed"), w.Tools.Hold("book.once")
	var r rig.Run
	s.Client().Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"book.keyed", "book.once"}, "background": true,
		"prompt": rig.Steps("two calls", `book.keyed {"n":1} | book.once {"n":2}`, rig.Say("Booked.")),
	}, &r)
	w.Eventually("both calls", func() bool { return len(w.Tools.Ledger()) == 2 })
	s.Kill()
	freeKeyed()
	freeOnce()
	c := w.Start().Client()
	waiting := c.Until(r.ID, "awaiting_approval")
	if len(waiting.Pending) != 1 || waiting.Pending[0].Tool != "book.once" || waiting.Pending[0].Reason != "outcome_unknown" {
		t.Fatalf("%+v", waiting.Pending)
	}
	w.Eventually("the repeated keyed call", func() bool { return len(w.Tools.Ledger("book.keyed")) == 2 })
	if calls := w.Tools.Ledger("book.keyed"); calls[0].Key != calls[1].Key || calls[0].Key != r.ID+"/"+calls[0].Action || calls[0].Body != calls[1].Body {
		t.Errorf("%+v", calls)
	}
	c.Post("/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": waiting.Actions(), "reject": true}, nil)
	if done := c.Until(r.ID, "completed"); done.Summary() != "Booked." {
		t.Errorf("%q", done.Summary())
	}
	if n := len(w.Tools.Ledger("book.once")); n != 1 {
		t.Errorf("%d calls of the once tool", n)
	}
}
