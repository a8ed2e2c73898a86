package ui

import (
	"os"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// TestShots makes the pictures of the documentation, of every page with a week of work
// behind it: make shots.
func TestShots(t *testing.T) {
	dir := os.Getenv("ERRAND_PICTURES")
	if dir == "" {
		t.Skip("it makes the pictures of docs/images: make shots")
	}
	s := newStage(t)
	s.Model.Plays(script(plays()))
	s.seedTools()
	s.seedAgents()
	s.small = 0
	s.Server.Terminate()
	s.history()
	s.start()
	s.Model.Paces(40 * time.Millisecond)
	s.Tools.Paces(400 * time.Millisecond)
	s.seedUnknown()
	s.seedRuns()
	s.seedRobots()
	s.seedRobotWork()
	s.seedRest()
	s.seedHero()
	t.Log(s.drives("shots", dir))
}

// seedHero is the run that the pictures show: three steps, calls side by side, and a
// payment that waits; and beside it a robot at work.
func (s *stage) seedHero() {
	s.tool("po.lookup", "safe", "Finds a purchase order by its number.")
	s.tool("mail.search", "safe", "Finds letters by sender and subject.")
	s.tool("ledger.post", "keyed", "Books an invoice, once per invoice.")
	s.ask("PATCH", "/v1/agents/"+s.seed["invoice-clerk"].(string), object{"tools": []string{"ledger.match", "ledger.post", "mail.search", "payments.transfer", "po.lookup"}}, nil)
	lines := plays()
	const title = "Pay the open invoices of Harbour Paper"
	payment := lines["Match October invoices of Harbour Paper and pay what agrees"][1]
	lines[title] = []string{
		`po.lookup {"order":"PO 77-318"} | ledger.match {"vendor":"Harbour Paper B.V.","month":"2026-10"} | mail.search {"from":"harbour-paper.example"}`,
		`ledger.post {"invoice":"INV-2026-1043","amount":"4180.00"}`, `mail.search {"subject":"INV-2026-1043"} | ` + payment, "= Paid.",
	}
	held := make(chan struct{})
	s.t.Cleanup(func() { close(held) })
	talk := script(lines)
	s.Model.Plays(func(c rig.Conversation) rig.Turn {
		for _, m := range c.Messages {
			if strings.Contains(m.Text(), "coated paper") { // a robot that is at work while the pictures are made
				<-held
			}
		}
		return talk(c)
	})
	s.Model.Paces(450 * time.Millisecond)
	s.Tools.Paces(700 * time.Millisecond)
	hero := s.begin("invoice-clerk", title)
	s.until(hero, "awaiting_approval")
	s.knows("hero", hero)
	s.Model.Paces(40 * time.Millisecond)
	again := s.id("/v1/runs/"+s.seed["digest"].(string)+"/retry", object{"changes": object{"instructions": "You read why customers leave, and say it in three lines. Name no customer."}, "background": true})
	s.until(again, "completed")
	s.knows("again", again)
	var flow struct {
		Task int `json:"task_id"`
	}
	step := func(about, name string, params object) object {
		return object{"description": about, "actions": []any{object{"name": name, "params": params}}}
	}
	s.post("/api/runs", object{"prompt": "What do 12 boxes at 4.50 cost?", "use_cached_workflow": true, "parameters": object{"boxes": 12, "price": 4.5}, "cached_workflow": object{
		"prompt": "What do {{ boxes }} boxes at {{ price }} cost?",
		"parameters": []any{
			object{"name": "boxes", "type": "number", "description": "How many", "exampleValue": "12"}, object{"name": "price", "type": "number", "description": "Of one", "exampleValue": "4.5"},
		},
		"steps": []any{
			step("Multiply the number by the price.", "compute", object{"expression": "{{ boxes }} * {{ price }}"}),
			step("Say it.", "done", object{"text": "{{ boxes }} boxes at {{ price }} cost {{ result }}."}),
		},
	}}, &flow)
	s.knows("workflow", flow.Task)
	s.ask("PUT", "/v1/agent/robots/price-scout", object{"language_model": "openai/gpt-5-mini"}, nil)
	s.post("/v1/agent/robots/price-scout/trigger", object{"trigger_type": "human", "action": "task.add", "messages": []any{object{"role": "user", "content": "Compare the prices of coated paper at six suppliers."}}}, nil)
}
