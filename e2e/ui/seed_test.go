package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// plays is what the model answers, by the first line of the prompt: a line per turn,
// as rig.Model has it.
func plays() map[string][]string {
	return map[string][]string{
		"Match October invoices of Harbour Paper and pay what agrees": {
			`ledger.match {"vendor":"Harbour Paper B.V.","month":"2026-10"}`,
			"payments.transfer {\"amount\":\"4180.00\",\"currency\":\"EUR\",\"beneficiary\":\"Harbour\u200b Paper B.V.\u200f\",\"iban\":\"NL02HBRB0123456789\",\"reference\":\"INV-2026-1043\u00a0/\u00a0PO 77-318\",\"execute_on\":\"2026-11-23\",\"urgent\":false,\"evidence\":[" + strings.Repeat(`{"document":"INV-2026-1043","page":1,"text":"Quantities, prices and tax agree with the order, and the goods were received without remarks."},`, 24) + `{"document":"PO 77-318"}]}`,
			"= Paid. The transfer to Harbour Paper is booked for 23 November.",
		},
		"Draft release notes for 3.18 and store them": {`db.migrate {"table":"changelog_entries","add_column":"audience","type":"text","rows":1284.50}`, "= The notes for 3.18 are stored."},
		"Welcome the three new vendors":               {`mail.send {"to":["ana@harbour.example","lee@northmill.example","kim@papeterie.example"],"subject":"Welcome","body":"Dear colleagues,\n\nwelcome. Your portal opens on Monday.\n\nKind regards"}`, "= Three letters are out."},
		"Refund order 88-20417":                       {`refund.create {"order":"88-20417","amount":62.40,"currency":"USD"}`, "= Refunded."},
		"Weekly digest of churn reasons for the support team": {
			`sql.lookup {"question":"churn reasons of week 46"}`,
			"= # Churn in week 46\n\nThe three most frequent reasons:\n\n1. **Price** after the trial (41 %)\n2. Missing export (22 %)\n3. Slow first sync (17 %)\n\n| reason | accounts | change |\n|---|---|---|\n| price | 118 | +4 |\n| export | 63 | -9 |\n| sync | 49 | +1 |\n\n```sql\nSELECT reason, count(*) FROM churn GROUP BY 1;\n```",
		},
		"Answer ticket 55103: parcel shows as delivered":        {`sql.lookup {"ticket":55103} | sql.lookup {"parcel":"NL-778"}`, "= The parcel was handed to a neighbour at number 14. I have told the customer."},
		"Extract renewal terms from supplier contract 2026-114": {"ask_person {\"question\":\"Which of the two renewal dates is binding?\"}", "= It renews on 1 March."},
		"Read the tender documents and list the deadlines":      {`tender.fetch {"notice":"2026/S 201-1"}`, `tender.fetch {"notice":"2026/S 201-1","again":true}`, "= Done."},
		"Triage 214 new error groups from the night":            {`logs.scan {"since":"2026-11-21T22:00:00Z"}`, "= 9 of them matter."},
		"Compare shipping quotes of four carriers":              {`logs.scan {"carriers":4}`, "= The second is cheapest."},
		"Crawl the parts catalogue for discontinued items":      {`sql.lookup {"page":1}`, `logs.scan {"page":2}`, "= None."},
	}
}

// script answers by plays; what is not in it, by the lines of the prompt itself.
func script(turns map[string][]string) func(rig.Conversation) rig.Turn {
	return func(c rig.Conversation) rig.Turn {
		title, rest, _ := strings.Cut(c.Prompt(), "\n")
		lines := turns[title]
		if lines == nil {
			lines = strings.Split(strings.TrimSpace(rest), "\n")
		}
		step := c.Step()
		if step >= len(lines) || lines[step] == "" {
			return rig.Turn{Text: "Done."}
		}
		if text, says := strings.CutPrefix(lines[step], "= "); says {
			return rig.Turn{Text: text}
		}
		var turn rig.Turn
		for call := range strings.SplitSeq(lines[step], " | ") {
			name, arguments, _ := strings.Cut(call, " ")
			turn.Calls = append(turn.Calls, rig.ToolCall{Name: name, Arguments: arguments})
		}
		return turn
	}
}

// seeded starts a server on which a morning's work is under way: every status, every
// reason to wait, and something on every page.
func seeded(t *testing.T) *stage {
	t.Helper()
	s := newStage(t)
	s.Model.Plays(script(plays()))
	s.seedTools()
	s.seedAgents()
	s.seedUnknown()
	s.seedRuns()
	s.seedRobots()
	s.seedRest()
	return s
}

func (s *stage) seedTools() {
	for name, about := range map[string][2]string{
		"payments.transfer": {"once", "Transfers money from the operating account to a supplier."},
		"db.migrate":        {"once", "Changes the layout of a table of the production database."},
		"mail.send":         {"once", "Sends a letter in the company's name."},
		"refund.create":     {"once", "Gives a customer's money back."},
		"ledger.match":      {"safe", "Finds the ledger's entries for a supplier and a month."},
		"sql.lookup":        {"safe", "Answers a question from the warehouse, read only."},
		"tender.fetch":      {"safe", "Reads a notice of the tenders' register."},
		"logs.scan":         {"safe", "Looks through the logs of all services."},
	} {
		s.tool(name, about[0], about[1])
	}
}

// tool registers a tool of the back office.
func (s *stage) tool(name, effect, about string) {
	s.t.Helper()
	s.post("/v1/tools", object{
		"name": name, "description": about, "effect": effect, "url": s.Tools.URL + "/" + name, "parameters": object{"type": "object"},
	}, nil)
}

func (s *stage) seedAgents() {
	for _, a := range []struct {
		name, instructions string
		tools, gates       []string
	}{
		{"invoice-clerk", "You match supplier invoices against purchase orders and pay what agrees.\n\nPropose a payment only when every figure agrees: quantity, price, tax, delivery.", []string{"ledger.match", "payments.transfer"}, []string{"payments.transfer"}},
		{"release-notes", "You write release notes for customers, not for developers.", []string{"db.migrate"}, []string{"db.migrate"}},
		{"vendor-onboarding", "You welcome new vendors.", []string{"mail.send"}, []string{"mail.send"}},
		{"refund-desk", "You answer tickets and refund what is due.", []string{"refund.create", "sql.lookup"}, nil},
		{"churn-digest", "You read why customers leave, and say it in one page.", []string{"sql.lookup"}, nil},
		{"contract-reader", "You read contracts and tenders.", []string{"tender.fetch"}, nil},
		{"log-triage", "You look through errors of the night.", []string{"logs.scan", "sql.lookup"}, nil},
	} {
		body := object{"name": a.name, "description": strings.SplitAfter(a.instructions, ".")[0], "model": "openai/gpt-5-mini", "instructions": a.instructions, "tools": a.tools, "max_steps": 16}
		if a.gates != nil {
			body["approval"] = object{"required_for": a.gates, "timeout": 3600}
		}
		s.knows(a.name, s.id("/v1/agents", body))
	}
	clerk := "/v1/agents/" + s.seed["invoice-clerk"].(string)
	s.ask("PATCH", clerk, object{"instructions": "You match supplier invoices against purchase orders and pay what agrees.\n\nPropose a payment only when every figure agrees: quantity, price, tax, delivery and discount.", "limits": object{"max_cost_usd": 2}}, nil)
}

// seedUnknown kills the server within a call that may not be made twice.
func (s *stage) seedUnknown() {
	release := s.Tools.Hold("refund.create")
	id := s.begin("refund-desk", "Refund order 88-20417")
	s.Eventually("the call", func() bool { return len(s.Tools.Ledger("refund.create")) == 1 })
	s.Server.Kill()
	release()
	s.start()
	s.until(id, "awaiting_approval")
	s.knows("unknown", id)
}

// begin starts a run of an agent and does not wait for it.
func (s *stage) begin(agent, prompt string) string {
	s.t.Helper()
	return s.id("/v1/agents/"+s.seed[agent].(string)+"/run", object{"prompt": prompt, "background": true})
}

func (s *stage) seedRuns() {
	end := func(name, agent, prompt, status string) {
		id := s.begin(agent, prompt)
		s.until(id, status)
		s.knows(name, id)
	}
	end("digest", "churn-digest", "Weekly digest of churn reasons for the support team", "completed")
	end("ticket", "refund-desk", "Answer ticket 55103: parcel shows as delivered", "completed")
	failed := s.id("/v1/runs", object{"model": "openai/gpt-5-mini", "tools": []string{"tender.fetch"}, "max_steps": 2, "prompt": "Read the tender documents and list the deadlines", "background": true})
	s.until(failed, "failed", "completed")
	s.knows("failed", failed)
	for i := range s.small {
		end(fmt.Sprint("small", i), "log-triage", fmt.Sprintf("Summarise build %d\n= Build %d is green.", 3180+i, 3180+i), "completed")
	}
	end("welcome", "vendor-onboarding", "Welcome the three new vendors", "awaiting_approval")
	end("notes", "release-notes", "Draft release notes for 3.18 and store them", "awaiting_approval")
	end("payment", "invoice-clerk", "Match October invoices of Harbour Paper and pay what agrees", "awaiting_approval")
	question := s.id("/v1/runs", object{
		"model": "openai/gpt-5-mini", "prompt": "Extract renewal terms from supplier contract 2026-114", "background": true,
		"functions": []any{object{"type": "function", "function": object{"name": "ask_person", "description": "Asks.", "parameters": object{"type": "object"}}}},
	})
	s.until(question, "awaiting_input")
	s.knows("question", question)
	release := s.Tools.Hold("logs.scan")
	s.t.Cleanup(release)
	s.knows("running", s.begin("log-triage", "Triage 214 new error groups from the night"))
	s.knows("running2", s.begin("log-triage", "Compare shipping quotes of four carriers"))
	paused := s.begin("log-triage", "Crawl the parts catalogue for discontinued items")
	s.Eventually("three calls", func() bool { return len(s.Tools.Ledger("logs.scan")) == 3 })
	s.post("/v1/runs/"+paused+"/pause", nil, nil)
	s.knows("paused", paused)
	cancelled := s.begin("log-triage", "Re-index the policy library\nlogs.scan {}\n= Done.")
	s.Eventually("four calls", func() bool { return len(s.Tools.Ledger("logs.scan")) == 4 })
	s.post("/v1/runs/"+cancelled+"/cancel", nil, nil)
	s.until(cancelled, "cancelled")
	s.knows("cancelled", cancelled)
}

func (s *stage) seedRobots() {
	for _, r := range []struct{ id, name, role, next string }{
		{"night-auditor", "Night Auditor", "You reconcile the ledger of the day before.", "02:00"},
		{"price-scout", "Price Scout", "You watch the prices of six suppliers.", "15:00"},
		{"tender-watch", "Tender Watch", "You look for public tenders.", ""},
		{"board-reporter", "Board Reporter", "You write the monthly report.", ""},
	} {
		config := object{"identity": object{"role": r.role, "duties": []string{r.role}, "rules": []string{"Write to nobody outside the company."}}, "quota": object{"max": 2, "queue": 10}}
		if r.next != "" {
			config["clock"] = object{"mode": "times", "times": []string{r.next}, "days": []string{"*"}, "tz": "Europe/Berlin"}
		}
		s.post("/v1/agent/robots", object{
			"member_id": r.id, "display_name": r.name, "bio": r.role, "language_model": "offline", "autonomous_mode": r.next != "", "robot_config": config,
		}, nil)
		s.knows(r.id, r.id)
	}
	s.ask("PUT", "/v1/agent/robots/board-reporter", object{"robot_status": "paused"}, nil)
	var started struct {
		Execution string `json:"execution_id"`
	}
	s.post("/v1/agent/robots/night-auditor/trigger", object{"trigger_type": "human", "action": "task.add", "messages": []any{object{"role": "user", "content": "Reconcile the ledger for 20 November."}}}, &started)
	s.knows("execution", started.Execution)
}

func (s *stage) seedRest() {
	budget := s.id("/v1/budgets", object{"name": "the whole project", "period": "day", "max_cost_usd": 150})
	s.knows("budget", budget)
	s.id("/v1/budgets", object{"name": "invoices", "period": "month", "max_tokens": 2_000_000, "agent": "invoice-clerk"})
	s.knows("webhook", s.id("/v1/webhooks", object{"url": s.Tools.URL + "/hook", "events": []string{"run.completed", "run.failed"}, "description": "The chat of the back office"}))
	s.knows("schedule", s.id("/v1/schedules", object{"agent": "churn-digest", "cron": "0 9 * * Mon-Fri", "tz": "Europe/Berlin", "input": "Weekly digest of churn reasons for the support team"}))
	var documents []object
	for _, title := range []string{"Payment terms", "Returns", "Travel policy"} {
		documents = append(documents, object{"path": strings.ReplaceAll(strings.ToLower(title), " ", "-") + ".md", "content": "# " + title + "\nWhat the company has agreed with its suppliers, and who may change it."})
	}
	s.post("/v1/index", object{"name": "handbook", "documents": documents}, nil)
	var key struct{ ID, Secret string }
	s.post("/v1/keys", object{"name": "ops-desk", "scopes": []string{"runs:read", "runs:approve"}, "expires_at": time.Now().Add(60 * 24 * time.Hour).UTC().Format(time.RFC3339)}, &key)
	s.knows("key", key.ID)
	s.knows("secret", key.Secret)
	s.post("/v1/keys", object{"name": "ci-nightly"}, nil)
	// Something for the webhook to say.
	id := s.begin("log-triage", "Summarise build 3200\n= Build 3200 is green.")
	s.until(id, "completed")
}
