package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"errand/e2e/rig"
)

// gated starts a run that waits for a person before one call of book.once.
func gated(t *testing.T, c *rig.Client, title string) rig.Run {
	t.Helper()
	var r rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"book.once"}, "approval": map[string]any{"required_for": []string{"book.once"}},
		"prompt": rig.Steps(title, `book.once {"n":1}`, rig.Say("Booked.")),
	}, &r)
	if r.Status != "awaiting_approval" || len(r.Pending) != 1 {
		t.Fatalf("%+v", r)
	}
	return r
}

// TestOneDecisionWins lets fifty clients approve and reject one action at once,
// several times over, since who wins is chance.
func TestOneDecisionWins(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	for round := range 4 {
		r := gated(t, c, fmt.Sprintf("round %d", round))
		answers := storm(c, r, 50)
		won := decided(t, answers)
		done := c.Until(r.ID, "completed")
		calls := 0
		for _, call := range w.Tools.Ledger("book.once") {
			if call.Run == r.ID {
				calls++
			}
		}
		if want := map[bool]int{true: 1, false: 0}[won]; calls != want {
			t.Errorf("approved is %v, and %d calls were made", won, calls)
		}
		if want := map[bool]string{true: "answered", false: "rejected"}[won]; *done.StopReason != want {
			t.Errorf("approved is %v, and the run ended as %s", won, *done.StopReason)
		}
		decisions := 0
		for _, event := range c.Events(r.ID) {
			if event.Type == "approval.decided" {
				decisions++
			}
		}
		if decisions != 1 {
			t.Errorf("%d decisions in the log", decisions)
		}
	}
}

// storm lets n clients decide at once, the even ones to approve.
func storm(c *rig.Client, r rig.Run, n int) []rig.Answer {
	answers := make([]rig.Answer, n)
	var begin, done sync.WaitGroup
	begin.Add(1)
	for i := range n {
		done.Go(func() {
			begin.Wait()
			body := map[string]any{"action_ids": r.Actions(), "reject": i%2 == 1}
			answer, err := c.Try(http.MethodPost, "/v1/runs/"+r.ID+"/approve", body)
			if err != nil {
				c.T.Error(err)
			}
			answers[i] = answer
		})
	}
	begin.Done()
	done.Wait()
	return answers
}

// decided checks that all who said the same were told the same, and that those who
// said the other are told of the conflict. It reports whether the approval won.
func decided(t *testing.T, answers []rig.Answer) (approved bool) {
	t.Helper()
	approved = answers[0].Status == http.StatusOK
	var body string
	for i, answer := range answers {
		if (i%2 == 0) != approved {
			answer.Refused(http.StatusConflict, "conflict")
			continue
		}
		if answer.Status != http.StatusOK || body != "" && body != string(answer.Body) {
			t.Errorf("client %d got %d %s; another one %s", i, answer.Status, answer.Body, body)
		}
		body = string(answer.Body)
	}
	return approved
}
