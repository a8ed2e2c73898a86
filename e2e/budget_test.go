package e2e

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"errand/e2e/rig"
)

// callCost is what one call of the model's endpoint costs in a priced world: it
// counts 18 tokens, at a tenth of a cent each.
const callCost = 0.018

// priced is a world in which the model's calls cost something.
func priced(t *testing.T) *rig.World {
	t.Helper()
	w := rig.New(t)
	file, err := os.OpenFile(w.Env["ERRAND_CONFIG"], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("\nprices:\n  openai/mock: {input: 1000, output: 1000}\n"); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return w
}

// A provider that does not say how many tokens a call had is not free: what it may
// have had is booked, held against budgets, and marked wherever it is shown.
func TestAProviderThatCountsNothing(t *testing.T) {
	w := priced(t)
	w.Model.Mute()
	c := w.Start().Client()
	var b budget
	c.Post("/v1/budgets", map[string]any{"period": "day", "max_cost_usd": 30}, &b)
	id := paying(c, "mute", "")
	c.Until(id, "completed")
	type used struct {
		Input     int      `json:"input_tokens"`
		Output    int      `json:"output_tokens"`
		Total     int      `json:"total_tokens"`
		Cost      *float64 `json:"cost_usd"`
		Estimated bool
	}
	var run struct{ Usage used }
	c.Get("/v1/runs/"+id, &run)
	var explained struct {
		Usage used
		Steps []struct{ Usage used }
	}
	c.Get("/v1/runs/"+id+"/explain", &explained)
	var report struct{ Total used }
	c.Get("/v1/usage", &report)
	for where, u := range map[string]used{"the run": run.Usage, "explain": explained.Usage, "the report": report.Total} {
		if !u.Estimated || u.Input < 100 || u.Output < len("It is late.") || u.Cost == nil || math.Abs(*u.Cost-float64(u.Total)/1000) > 1e-6 {
			t.Errorf("%s says %+v", where, u)
		}
	}
	if len(explained.Steps) != 2 || !explained.Steps[0].Usage.Estimated {
		t.Errorf("the steps are %+v", explained.Steps)
	}
	marked := 0
	for _, e := range c.Events(id) {
		if e.Type == "model.responded" && strings.Contains(fmt.Sprint(e.Data["usage"]), "estimated:true") {
			marked++
		}
	}
	if marked != 2 {
		t.Errorf("%d replies of the trace are marked", marked)
	}
	c.Get("/v1/budgets/"+b.ID, &b)
	if math.Abs(b.Spent.Cost-*run.Usage.Cost) > 1e-6 || b.Spent.Tokens != run.Usage.Total {
		t.Errorf("the budget has seen %+v of %+v", b.Spent, run.Usage)
	}
}

// budget is one as the tests look at it.
type budget struct {
	ID       string
	Unpriced bool
	Spent    struct {
		Cost   float64 `json:"cost_usd"`
		Tokens int
		Runs   int
	}
	Reserved struct {
		Cost float64 `json:"cost_usd"`
	}
}

// usage is a report as the tests look at it.
type usage struct {
	Data  []usageRow
	Total usageRow
}

type usageRow struct {
	Day, Agent, Key, Model *string
	Runs, Calls            int
	Tokens                 int     `json:"total_tokens"`
	Cost                   float64 `json:"cost_usd"`
}

// paidRun is a run with what it has cost.
type paidRun struct {
	rig.Run
	WaitingFor []string                `json:"waiting_for"`
	Result     *struct{ Partial bool } `json:"result"`
	Usage      struct {
		Total int      `json:"total_tokens"`
		Cost  *float64 `json:"cost_usd"`
	}
}

// paying starts a run of two calls of the model in the background.
func paying(c *rig.Client, title, onBudget string) string {
	c.T.Helper()
	var run rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"time.now"}, "background": true, "on_budget": onBudget,
		"params": map[string]any{"max_tokens": 40}, "prompt": rig.Steps(title, `time.now {}`, rig.Say("It is late.")),
	}, &run)
	return run.ID
}

func same(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// TestHundredRunsAndADollar lets a hundred runs at once draw from one dollar. They
// never have more of it than there is, each ends honestly, and what the budget, the
// report and the runs themselves say of the money is the same.
func TestHundredRunsAndADollar(t *testing.T) {
	t.Parallel()
	w := priced(t)
	c := w.Start().Client()
	var dollar budget
	c.Post("/v1/budgets", `{"name":"dollar","period":"month","max_cost_usd":1}`, &dollar)
	watched, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		for {
			select {
			case <-done:
				return
			default:
			}
			var now budget
			c.Get("/v1/budgets/dollar", &now)
			if now.Spent.Cost+now.Reserved.Cost > 1+1e-9 {
				t.Errorf("%+v of one dollar", now)
			}
			rig.Pause(5_000_000)
		}
	}()
	ids := make([]string, 100)
	for i := range 3 { // of a hundred at once none may come as far as its second call
		ids[i] = paying(c, fmt.Sprint("early ", i), "fail")
		over(w, c, ids[i])
	}
	var all sync.WaitGroup
	for i := 3; i < len(ids); i++ {
		all.Go(func() { ids[i] = paying(c, fmt.Sprint("spender ", i), "fail") })
	}
	all.Wait()
	ends, sum := map[string]int{}, 0.0
	for _, id := range ids {
		r := over(w, c, id)
		if r.StopReason == nil || r.Usage.Cost == nil {
			t.Fatalf("%+v", r)
		}
		ends[*r.StopReason]++
		sum += *r.Usage.Cost
		if *r.StopReason == "budget_exhausted" && (r.Status != "failed" || !r.Result.Partial || !strings.Contains(r.Error.Message, "dollar")) {
			t.Errorf("%s: %+v %+v", r.Status, r.Result, r.Error)
		}
	}
	close(done)
	<-watched
	if ends["answered"]+ends["budget_exhausted"] != 100 || ends["answered"] == 0 || ends["budget_exhausted"] == 0 {
		t.Errorf("the runs ended as %v", ends)
	}
	var report usage
	c.Get("/v1/budgets/"+dollar.ID, &dollar)
	c.Get("/v1/usage?group_by=key,model", &report)
	calls := len(w.Model.Calls())
	if paid := float64(calls) * callCost; paid > 1 || !same(dollar.Spent.Cost, paid) || !same(report.Total.Cost, paid) || !same(sum, paid) {
		t.Errorf("%d calls cost %v; the budget says %+v, the report %+v, the runs %v", calls, paid, dollar, report.Total, sum)
	}
	if dollar.Reserved.Cost != 0 || dollar.Spent.Runs != 100 || report.Total.Runs != 100 || report.Total.Calls != calls || len(report.Data) != 2 {
		t.Errorf("%+v %+v", dollar, report)
	}
}

// over waits for a run's end.
func over(w *rig.World, c *rig.Client, id string) (r paidRun) {
	c.T.Helper()
	w.Eventually("the end of "+id, func() bool {
		c.Get("/v1/runs/"+id, &r)
		return r.Over()
	})
	return r
}

// TestBudgetSurvivesAKill kills the server while calls are under way: what was
// reserved for them is charged in full at the next start, once.
func TestBudgetSurvivesAKill(t *testing.T) {
	t.Parallel()
	w := priced(t)
	s := w.Start()
	c := s.Client()
	c.Post("/v1/budgets", `{"name":"b","period":"month","max_cost_usd":1000}`, nil)
	spent := over(w, c, paying(c, "before", "fail"))
	release := w.Model.Hold()
	ids := make([]string, 5)
	for i := range ids {
		ids[i] = paying(c, fmt.Sprint("cut ", i), "fail")
	}
	w.Eventually("the calls", func() bool { return len(w.Model.Calls()) == 2+len(ids) })
	w.Eventually("the reservations on the disk", func() bool { // which they reach with the commits behind them
		return sql(t, w, "SELECT count(*) FROM rows WHERE kind = 'hold'")[0] == fmt.Sprint(len(ids))
	})
	var before, after budget
	c.Get("/v1/budgets/b", &before)
	s.Kill()
	s = w.Start()
	c = s.Client()
	w.Eventually("the calls again", func() bool { return len(w.Model.Calls()) == 2+2*len(ids) })
	var report usage
	c.Get("/v1/usage", &report)
	c.Get("/v1/budgets/b", &after)
	if want := *spent.Usage.Cost + before.Reserved.Cost; before.Reserved.Cost == 0 || !same(after.Spent.Cost, want) || !same(report.Total.Cost, want) {
		t.Errorf("charged are %v and booked %v, want %v: %v was spent, and %v reserved", after.Spent.Cost, report.Total.Cost, want, *spent.Usage.Cost, before.Reserved.Cost)
	}
	release()
	for _, id := range ids {
		over(w, c, id)
	}
	c.Get("/v1/budgets/b", &after)
	c.Get("/v1/usage", &report)
	if want := *spent.Usage.Cost + before.Reserved.Cost + float64(2*len(ids))*callCost; !same(after.Spent.Cost, want) || !same(report.Total.Cost, want) || after.Spent.Runs != 6 {
		t.Errorf("in the end %+v are charged and %v booked, want %v", after.Spent, report.Total.Cost, want)
	}
	s.Terminate()
	c = w.Start().Client()
	var again budget
	if c.Get("/v1/budgets/b", &again); again != after {
		t.Errorf("after another start %+v, before it %+v", again, after)
	}
}

// TestBudgetIsRaised: runs that wait for a budget go on when it is raised, or taken
// away, and say meanwhile what they wait for.
func TestBudgetIsRaised(t *testing.T) {
	t.Parallel()
	w := priced(t)
	c := w.Start().Client()
	var small budget
	c.Post("/v1/budgets", `{"period":"month","max_cost_usd":0.01}`, &small)
	first, second := paying(c, "patient", "wait"), paying(c, "as patient", "wait")
	for _, id := range []string{first, second} {
		c.Until(id, "paused")
		var r paidRun
		if c.Get("/v1/runs/"+id, &r); len(r.WaitingFor) != 1 || r.WaitingFor[0] != small.ID {
			t.Errorf("it waits for %v", r.WaitingFor)
		}
	}
	c.Do("PATCH", "/v1/budgets/"+small.ID, `{"max_cost_usd":0.02}`).Is(http.StatusOK)
	w.Eventually("both to be refused again", func() bool {
		return told(c, first)["budget.refused"] == 2 && told(c, second)["budget.refused"] == 2
	})
	if n := len(w.Model.Calls()); n != 0 {
		t.Errorf("%d calls without room", n)
	}
	c.Until(first, "paused")
	c.Do("PATCH", "/v1/budgets/"+small.ID, `{"max_cost_usd":1.5}`).Is(http.StatusOK)
	c.Until(first, "completed")
	c.Until(second, "completed")
	c.Do("PATCH", "/v1/budgets/"+small.ID, `{"max_cost_usd":0.01}`).Is(http.StatusOK)
	third := paying(c, "freed", "wait")
	c.Until(third, "paused")
	c.Do("DELETE", "/v1/budgets/"+small.ID, nil).Is(http.StatusOK)
	c.Until(third, "completed")
	if log := told(c, first); log["budget.refused"] < 2 || log["budget.refused"] != log["budget.raised"] {
		t.Errorf("the log has %v", log)
	}
	var traced struct {
		Trace []struct{ Type, Decision, Text string }
	}
	c.Get("/v1/runs/"+third+"?include_trace=true", &traced)
	var story []string
	for _, entry := range traced.Trace {
		if entry.Type == "budget" {
			story = append(story, entry.Decision)
		}
	}
	if strings.Join(story, " ") != "refused raised" {
		t.Errorf("the trace tells %v", story)
	}
}

// told counts the events of a run's log, by type.
func told(c *rig.Client, id string) map[string]int {
	c.T.Helper()
	count := map[string]int{}
	for _, event := range c.Events(id) {
		count[event.Type]++
	}
	return count
}

// TestNoMoreRuns: a run that a budget has no room for is not made, and each API says
// so in its own shape, with the time at which it begins anew.
func TestNoMoreRuns(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Post("/v1/agents", `{"name":"clock","model":"auto","instructions":"Tell the time.","tools":[]}`, nil)
	c.Post("/v1/agent/robots", `{"member_id":"clock","display_name":"Clock","robot_config":{"identity":{"role":"clock","duties":["Tell the time."]}}}`, nil)
	c.Post("/v1/budgets", `{"name":"one","period":"month","max_runs":1}`, nil)
	c.Post("/v1/runs", `{"model":"auto","prompt":"Hello."}`, nil)
	for _, ask := range []struct{ path, body, code string }{
		{"/v1/runs", `{"model":"auto","prompt":"Hello."}`, "error.code"},
		{"/v1/agents/clock/run", `{"prompt":"Hello."}`, "error.code"},
		{"/v1/agents/runs", `{"agent":"express","input":"Hello.","stream":false}`, "code"},
		{"/v1/agent/completions", `{"agent_config":{"agent_name":"a","model_name":"auto","max_loops":1},"task":"Hello."}`, ""},
		{"/v1/chat/completions", `{"model":"agent:clock","messages":[{"role":"user","content":"Hello."}]}`, "error.code"},
		{"/api/runs", `{"prompt":"Hello."}`, ""},
		{"/v1/agent/robots/clock/execute", `{"goals":"Tell the time."}`, "error.code"},
		{"/v1/agent/robots/clock/completions", `{"messages":[{"role":"user","content":"Hello."}]}`, "error.code"},
	} {
		answer := c.Do(http.MethodPost, ask.path, ask.body)
		if answer.Status != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" || !strings.Contains(string(answer.Body), "budget") {
			t.Errorf("%s: %d, Retry-After %q: %s", ask.path, answer.Status, answer.Header.Get("Retry-After"), answer.Body)
		}
		if ask.code != "" && !strings.Contains(string(answer.Body), `"code":"rate_limited"`) {
			t.Errorf("%s: %s", ask.path, answer.Body)
		}
	}
	var report usage
	if c.Get("/v1/usage?group_by=agent", &report); report.Total.Runs != 1 {
		t.Errorf("%+v", report)
	}
}
