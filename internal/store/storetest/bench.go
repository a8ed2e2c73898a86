package storetest

import (
	"encoding/json"
	"strings"
	"time"

	"errand/internal/run"
)

// Life is for benchmarks, which should write alike: what the engine appends for a run of two model calls and one tool call.
func Life(n uint64) [4]run.Append {
	at := time.UnixMilli(1_800_000_000_000)
	id := run.NewID(at.Add(time.Duration(n)*time.Millisecond), 0, n)
	spec := run.Spec{
		Project: "default", Dialect: "native", Model: "openai/gpt-5", Instructions: strings.Repeat("Be exact. ", 20),
		Input: run.Message{Role: run.User, Text: strings.Repeat("Find the invoices. ", 5)},
		Tools: []run.Tool{{Name: "finance.read", Class: run.Safe, Parameters: json.RawMessage(`{"type":"object","properties":{"status":{"type":"string"}}}`)}},
	}
	call := run.Call{ID: "call_1", Name: "finance.read", Arguments: `{"status":"unpaid"}`}
	groups := [4][]run.Event{
		{{Type: run.RunCreated, Created: &run.Created{Spec: spec}}},
		{
			{Type: run.ModelResponded, Responded: &run.Responded{Step: 1, Reply: run.Reply{Calls: []run.Call{call}}, Actions: []run.Planned{{ID: "act_01", Digest: strings.Repeat("a", 64)}}}},
			{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1}},
		},
		{{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.OK, Output: strings.Repeat("row ", 50)}}},
		{
			{Type: run.ModelResponded, Responded: &run.Responded{Step: 2, Reply: run.Reply{Text: strings.Repeat("Answer. ", 20)}}},
			{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed, Reason: run.Answered}},
		},
	}
	line := run.Summary{ID: id, Project: "default", Dialect: "native", Agent: "agt_0123456789", Model: spec.Model, Status: run.Running,
		Epoch: 1, MaxSteps: 8, Live: true, Title: "Find the invoices", Fingerprint: strings.Repeat("f", 43), CreatedAt: at, UpdatedAt: at}
	var appends [4]run.Append
	for i, events := range groups {
		a := run.Append{ID: id, Epoch: 1, Expected: line.Seq, Events: events}
		for j := range events {
			line.Seq++
			events[j].Seq, events[j].ID, events[j].At = line.Seq, n<<8|uint64(line.Seq), at
		}
		if i == 3 {
			line.Status, line.StopReason, line.Live, line.EndedAt = run.Completed, run.Answered, false, at
		}
		a.Summary = line
		appends[i] = a
	}
	return appends
}
