package ui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestRuns: a person finds a run, reads where its time went, decides in place, runs it
// again with changes and holds the two against each other.
func TestRuns(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	s.seedWork()
	s.seedChild()
	s.seedLong()
	s.Model.Paces(25 * time.Millisecond) // text that one can see being written
	s.drives("runs")
}

// seedWork makes a run that has a waterfall to look at: calls side by side, a call that
// was made, and one that waits for a person; and one that writes for as long as one looks.
func (s *stage) seedWork() {
	s.Tools.Paces(120 * time.Millisecond)
	s.Model.Paces(40 * time.Millisecond)
	work := s.id("/v1/runs", object{
		"model": "openai/gpt-5-mini", "background": true, "parallel": true, "max_steps": 16, "metadata": object{"team": "payables"},
		"instructions": "You match supplier invoices against purchase orders and pay what agrees.",
		"tools":        []string{"ledger.match", "sql.lookup", "tender.fetch", "payments.transfer"}, "approval": object{"required_for": []string{"payments.transfer"}},
		"prompt": strings.Join([]string{
			"Match November invoices of Harbour Paper and pay what agrees",
			`sql.lookup {"invoice":"INV-2026-1188"} | tender.fetch {"order":"PO 77-402"} | ledger.match {"vendor":"Harbour Paper B.V."}`,
			`ledger.match {"invoice":"INV-2026-1188","order":"PO 77-402"}`,
			`payments.transfer {"amount":12345678901234567890.50,"currency":"EUR","beneficiary":"Harbour Paper B.V.","reference":"INV-2026-1188"}`,
			"= Paid. The transfer is booked for Monday.",
		}, "\n"),
	})
	s.until(work, "awaiting_approval")
	s.knows("work", work)
}

// seedChild makes a run that has handed work to another one.
func (s *stage) seedChild() {
	agent := func(name string) object {
		return object{"agent_name": name, "system_prompt": "You write letters.", "model_name": "openai/gpt-5-mini", "max_loops": 1}
	}
	config := agent("Clerk")
	config["handoffs"] = []any{agent("Writer")}
	var answer struct {
		ID string `json:"job_id"`
	}
	s.post("/v1/agent/completions", object{"agent_config": config, "task": "Write to the vendor\n" + `handoff.Writer {"task":"Say what is paid and when"}` + "\n= The letter is written."}, &answer)
	var list struct{ Data []struct{ ID string } }
	s.ask(http.MethodGet, "/v1/runs?dialect=swarms&order=oldest&limit=1", nil, &list)
	if len(list.Data) == 0 {
		s.t.Fatal("the run of the swarms API is in no list")
	}
	s.knows("parent", list.Data[0].ID)
}

// seedLong makes a run whose waterfall has more rows than anybody's window, and leaves
// the tools and the model as they were.
func (s *stage) seedLong() {
	s.Tools.Paces(0)
	s.Model.Paces(0)
	lines := []string{"Read the whole archive"}
	for i := range 15 {
		var calls []string
		for j := range 14 {
			calls = append(calls, fmt.Sprintf(`sql.lookup {"page":%d,"part":%d}`, i, j))
		}
		lines = append(lines, strings.Join(calls, " | "))
	}
	lines = append(lines, "= The archive is read.")
	long := s.id("/v1/runs", object{"model": "openai/gpt-5-mini", "background": true, "max_steps": 16, "tools": []string{"sql.lookup"}, "prompt": strings.Join(lines, "\n")})
	s.until(long, "completed")
	s.knows("long", long)
}
