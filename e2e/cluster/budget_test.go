//go:build unix

package cluster

import (
	"fmt"
	"math"
	"os"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// callCost is what one call of the model's endpoint costs in a priced fleet: it counts 18
// tokens, at a tenth of a cent each.
const callCost = 0.018

// pricedFleet is a fleet in which the model's calls cost something.
func pricedFleet(t *testing.T, nodes int) *fleet {
	t.Helper()
	f := newFleet(t, 0)
	file, err := os.OpenFile(f.Env["ERRAND_CONFIG"], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("\nprices:\n  openai/mock: {input: 1000, output: 1000}\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	for range nodes {
		f.join(nil)
	}
	return f
}

// budget is one as the tests look at it.
type budget struct {
	ID    string
	Spent struct {
		Cost float64 `json:"cost_usd"`
		Runs int
	}
	Reserved struct {
		Cost float64 `json:"cost_usd"`
	}
}

// over waits until a run has ended, and returns why.
func (m *member) over(id string) string {
	m.f.T.Helper()
	var r struct {
		Status     string
		StopReason *string `json:"stop_reason"`
	}
	m.f.soon("the end of run "+id, rig.Patience, func() bool {
		m.c.Get("/v1/runs/"+id, &r)
		return r.StopReason != nil
	})
	return *r.StopReason
}

// TestHundredRunsAndADollarOnTwoNodes lets a hundred runs at once, half of them on each
// node, draw from one dollar. They never have more of it than there is, and both nodes
// say the same. When one of them has died without a word, the other one goes on.
func TestHundredRunsAndADollarOnTwoNodes(t *testing.T) {
	f := pricedFleet(t, 2)
	var dollar budget
	f.members[0].c.Post("/v1/budgets", `{"name":"dollar","period":"month","max_cost_usd":1}`, &dollar)
	rig.Pause(heard) // so long it may take until the other node knows
	pays := func(m *member, title string) string {
		return m.order(rig.Steps(title, `time.now {}`, rig.Say("It is late.")), map[string]any{
			"tools": []string{"time.now"}, "on_budget": "fail", "params": map[string]any{"max_tokens": 40},
		}).ID
	}
	ids := make([]string, 100)
	for i := range 3 { // of a hundred at once none may come as far as its second call
		ids[i] = pays(f.members[i%2], fmt.Sprint("early ", i))
		f.members[i%2].over(ids[i])
	}
	var all sync.WaitGroup
	for i := 3; i < len(ids); i++ {
		all.Go(func() { ids[i] = pays(f.members[i%2], fmt.Sprint("spender ", i)) })
	}
	all.Wait()
	ends := map[string]int{}
	for i, id := range ids {
		ends[f.members[i%2].over(id)]++
	}
	if ends["answered"]+ends["budget_exhausted"] != 100 || ends["answered"] == 0 || ends["budget_exhausted"] == 0 {
		t.Errorf("the runs ended as %v", ends)
	}
	paid := float64(len(f.Model.Calls())) * callCost
	if paid > 1 {
		t.Errorf("%v paid", paid)
	}
	for _, m := range f.members {
		f.soon("each node to have said what it has spent", rig.Patience, func() bool {
			m.c.Get("/v1/budgets/dollar", &dollar)
			return math.Abs(dollar.Spent.Cost-paid) < 1e-9 && dollar.Reserved.Cost == 0
		})
	}
	if dollar.Spent.Runs != 100 {
		t.Errorf("%d runs have begun", dollar.Spent.Runs)
	}
	// What the dead one had drawn is settled, and there is room for one run more.
	f.members[1].Kill()
	one := f.members[0]
	one.c.Do("PATCH", "/v1/budgets/dollar", map[string]any{"max_cost_usd": dollar.Spent.Cost + 1}).Good()
	if ended := one.over(pays(one, "survivor")); ended != "answered" {
		t.Errorf("after the death of the other node a run ends as %s", ended)
	}
	rig.Pause(1500 * time.Millisecond)
	if paid, limit := float64(len(f.Model.Calls()))*callCost, dollar.Spent.Cost+1; paid > limit {
		t.Errorf("%v of %v paid", paid, limit)
	}
}
