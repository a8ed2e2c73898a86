package native_test

import (
	"fmt"
	"sync"
	"testing"
)

// TestCrowd: fifty people decide the same action at once. One word counts, all
// are told the same truth, and the e-mail is sent at most once.
func TestCrowd(t *testing.T) {
	w := newWorld(t, chaser())
	w.want(200, "POST", "/v1/agents", invoiceChaser)
	waiting := w.want(200, "POST", "/v1/agents/invoice-chaser/run", `{"prompt":"x"}`)
	id := waiting.text("id")
	answers := make([]reply, 50)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			answers[i] = w.do("POST", "/v1/runs/"+id+"/approve", fmt.Sprintf(`{"action_ids":["act_02"],"reject":%t}`, i%2 == 1))
		})
	}
	all.Wait()
	won := 0 // approved, unless the first who was heard rejected
	if answers[1].Status == 200 {
		won = 1
	}
	for i, answer := range answers {
		want := 409
		if i%2 == won {
			want = 200
		}
		if answer.Status != want || want == 200 && string(answer.Body) != string(answers[won].Body) {
			t.Errorf("%d: got %d %s", i, answer.Status, answer.Body)
		}
	}
	w.want(200, "GET", "/v1/runs/"+id+"/stream", "")
	w.want(200, "GET", "/v1/runs/"+id, "").has("status", "completed")
	if n := w.shelf.called("email.send"); n != 1-won {
		t.Errorf("%d e-mails when %d had won", n, won)
	}
}
