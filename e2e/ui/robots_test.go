package ui

import (
	"maps"
	"testing"
)

// TestRobots: robots in every state, a task settled with the host and confirmed, an
// execution that is guided, answered, paused and tried again, and a configuration that
// is saved, refused, and changed by somebody else.
func TestRobots(t *testing.T) {
	t.Parallel()
	s := seeded(t)
	s.seedRobotWork()
	s.drives("robots")
}

// robotPlays is what the model answers to robots: to hosts by what a person opened with,
// to executions by the first line of their goals.
func robotPlays() map[string][]string {
	return map[string][]string{
		"Find card payments of last week that nobody handed in a receipt for.": {
			"= All cards, or only those of the field team? And shall I write to the holders, or only list them?",
			"= Goals:\n\n- List field team card payments of 9 to 15 November without a receipt\n- Deliver a table. Write to nobody else.\n\nShall I start?",
			`confirm_task {"goals":"List field team card payments of 9 to 15 November without a receipt\nDeliver a table. Write to nobody else."}`,
		},
		"List field team card payments of 9 to 15 November without a receipt": {
			`robot.plan {"tasks":[{"description":"Read 312 card payments","expected_output":"All payments of the week, with card and amount","validation_rules":["not_empty"]},{"description":"Match with 287 receipts"},{"description":"List entries without a receipt"},{"description":"Check refunds and splits"},{"description":"Write the table"}]}`,
			`robot.report {"task":"task-1","output":"312 payments on 41 cards."}`,
			`robot.report {"task":"task-2","output":"287 have a receipt."}`,
			`logs.scan {"cards":"field"}`,
			`robot.report {"task":"task-3","output":"25 payments have no receipt."}`,
			`robot.skip {"task":"task-4","reason":"There were none."}`,
			`robot.report {"task":"task-5","output":"The table has 25 rows."}`,
			`robot.deliver {"summary":"25 payments have no receipt.","body":"# Without a receipt\n\n| card | payments |\n|---|---|\n| 4411 | 17 |\n| 4419 | 8 |","attachments":[{"title":"without-receipt.csv","content":"card,payments\n4411,17\n4419,8\n"}]}`,
		},
		"Pay what agrees: Harbour Paper, October": {
			`robot.plan {"tasks":[{"description":"Match invoices and orders"},{"description":"Pay what agrees"},{"description":"Tell the vendor"}]}`,
			`ledger.match {"vendor":"Harbour Paper B.V."}`,
			`robot.report {"task":"task-1","output":"Seven of seven agree."}`,
			`payments.transfer {"amount":"4180.00","currency":"EUR","beneficiary":"Harbour Paper B.V."}`,
		},
		"Sort 38 new messages":               {`robot.plan {"tasks":[{"description":"Read the messages"},{"description":"Sort them"}]}`, `sql.lookup {"new":38}`, `robot.report {"task":"task-1","output":"38 messages."}`, `logs.scan {"messages":38}`},
		"Search ted.example for new tenders": {`robot.plan {"tasks":[{"description":"Search the register"},{"description":"Read what is found"}]}`, `logs.scan {"notices":1}`},
		"Extract renewal terms of contract 2026-114": {
			`robot.plan {"tasks":[{"description":"Read the contract"},{"description":"Name the date"}]}`, `robot.report {"task":"task-1","output":"It names two dates."}`,
			`robot.ask {"task":"task-2","question":"Which of the two renewal dates is binding: 1 March or 1 April?"}`, `robot.ask {"task":"task-2","question":"Of which year?"}`,
			`robot.report {"task":"task-2","output":"It renews on 1 March."}`, `robot.deliver {"summary":"It renews on 1 March.","body":"It renews on **1 March**."}`,
		},
		"Check 214 parts in 6 shops": {
			`robot.plan {"tasks":[{"description":"Read the prices of six suppliers"},{"description":"Name what has changed"}]}`,
			`sql.lookup {"shops":6}`, `robot.report {"task":"task-1","output":"214 parts read."}`, `robot.report {"task":"task-2","output":"Nine prices have changed."}`,
			`robot.deliver {"summary":"Nine of 214 prices have changed, none by more than 4 %.","body":"# Prices, 21 November\n\nNine of 214 prices have **changed**.","attachments":[{"title":"prices.csv","content":"part,price\nA-1,4.20\n"}]}`,
		},
	}
}

// seedRobotWork gives the robots something to do: one waits for a person, one asks, one
// works, one has failed, one has delivered.
func (s *stage) seedRobotWork() {
	s.t.Helper()
	turns := plays()
	maps.Copy(turns, robotPlays())
	s.Model.Plays(script(turns))
	tools := []string{"ledger.match", "payments.transfer", "sql.lookup", "logs.scan"}
	config := func(role string, more object) object {
		c := object{"identity": object{"role": role}, "resources": object{"tools": tools}, "quota": object{"max": 2, "queue": 10}}
		maps.Copy(c, more)
		return c
	}
	for _, r := range []struct {
		id, name, role string
		more           object
	}{
		{"accounts-payable", "Accounts Payable", "You pay invoices that agree.", object{"approval": object{"required_for": []string{"payments.transfer"}}}},
		{"inbox-sorter", "Inbox Sorter", "You sort what comes in.", nil},
		{"contract-reader", "Contract Reader", "You read contracts.", nil},
		{"part-finder", "Part Finder", "You watch the prices of parts.", object{"delivery": object{"file": object{"enabled": true, "targets": []any{object{"name": "prices.md"}}}, "webhook": object{"enabled": true, "targets": []any{object{"url": s.Tools.URL + "/hook"}}}}}},
		{"register-watch", "Register Watch", "You search registers.", object{"executor": object{"max_duration": "1s"}}},
	} {
		s.post("/v1/agent/robots", object{"member_id": r.id, "display_name": r.name, "bio": r.role, "language_model": "openai/gpt-5-mini", "robot_config": config(r.role, r.more)}, nil)
	}
	auditor := config("You reconcile the ledger of the day before.", object{
		"identity": object{"role": "You reconcile the ledger of the day before.", "duties": []string{"Reconcile the ledger of the day before."}, "rules": []string{"Write to nobody outside the company."}},
		"clock":    object{"mode": "times", "times": []string{"02:00"}, "days": []string{"*"}, "tz": "Europe/Berlin"},
	})
	s.ask("PUT", "/v1/agent/robots/night-auditor", object{"language_model": "openai/gpt-5-mini", "robot_config": auditor}, nil)
	for _, w := range []struct{ name, robot, goals, status string }{
		{"paying", "accounts-payable", "Pay what agrees: Harbour Paper, October", "awaiting_approval"},
		{"asking", "contract-reader", "Extract renewal terms of contract 2026-114", "awaiting_input"},
		{"delivered", "part-finder", "Check 214 parts in 6 shops", "completed"},
		{"sorting", "inbox-sorter", "Sort 38 new messages", "running"},
		{"missed", "register-watch", "Search ted.example for new tenders", "failed"},
	} {
		s.knows(w.name, s.execute(w.robot, w.goals))
		s.until("run_"+s.seed[w.name].(string)[len("exec_"):], w.status)
	}
}

// execute starts an execution without a conversation.
func (s *stage) execute(robot, goals string) string {
	s.t.Helper()
	var made struct {
		Execution string `json:"execution_id"`
	}
	s.post("/v1/agent/robots/"+robot+"/execute", object{"goals": goals}, &made)
	return made.Execution
}
