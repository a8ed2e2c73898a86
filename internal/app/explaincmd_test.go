package app

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"errand/client"
)

// TestExplainForPeople shows what waits first, then what it took.
func TestExplainForPeople(t *testing.T) {
	now := time.Date(2026, 6, 11, 12, 0, 0, 0, time.UTC)
	cost := 0.25
	var out bytes.Buffer
	p := &process{Stdio: Stdio{Out: &out, Err: &out}, now: func() time.Time { return now }}
	p.explain(&client.Explanation{
		Run: "run_1", Status: "awaiting_approval", Why: "A person has to decide.",
		Waits: []client.Wait{{For: "approval", Tool: "email.send", Action: "act_02", Since: now.Add(-time.Hour), Until: &now, Why: "Because.", Moves: "Approve."}},
		Steps: []client.StepTaken{{N: 1, Model: "openai/m", Attempts: 2, Ms: 900, Usage: client.Usage{InputTokens: 10, CostUSD: &cost}, Trimmed: json.RawMessage(`{"turns":1}`),
			Calls: []client.CallTaken{{Tool: "email.send", Stage: "pending", WaitedMs: 1500}}}},
		Retry: []client.Retried{{Step: 1, Attempt: 1, Code: "rate_limited", Message: "slow down"}}, Worked: 2.5,
	})
	for _, want := range []string{
		"run_1 is", "A person has to decide.", "Waits for approval email.send act_02 since", "Because. Approve.", "At the latest until",
		"openai/m", "$0.2500, older parts left out", "1.5 s", "pending", "Step 1, attempt 1 failed: slow down (rate_limited)", "price not known",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}
