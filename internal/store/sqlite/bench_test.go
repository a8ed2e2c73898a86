package sqlite

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/run"
)

// life is what the engine appends for a run of two model calls and one tool call.
func life(n uint64) [4]run.Append {
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

// BenchmarkAppend writes whole runs from 32 clients, each waiting for every
// commit, as no engine has to.
func BenchmarkAppend(b *testing.B) {
	s := open(b, Config{})
	var next atomic.Uint64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for _, a := range life(next.Add(1)) {
				if err := s.Append(b.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
					b.Error(err)
				}
			}
		}
	})
	stats := s.Stats()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64(stats.Commits)/float64(stats.Groups), "commits/group")
	b.ReportMetric(float64(stats.FileBytes+stats.WALBytes)/float64(b.N), "bytes/run")
}

// BenchmarkList reads a page of 20 out of a hundred thousand runs, of which few
// have the status asked for.
func BenchmarkList(b *testing.B) {
	s := open(b, Config{})
	const count = 100_000
	for n := uint64(0); n < count; n += 500 {
		var c run.Commit
		for m := n; m < n+500; m++ {
			a := life(m)[0]
			if m%10_000 != 0 {
				a.Summary.Status = run.Completed
			}
			c.Runs = append(c.Runs, a)
		}
		if err := s.Append(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]run.RunQuery{
		"all": {}, "rare": {Statuses: []run.Status{run.Running, run.Queued}}, "none": {Dialect: "you"},
		"scan": {Agent: "agt_0123456789", Statuses: []run.Status{run.Running}},
	} {
		q.Project, q.Limit = "default", 20
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Runs(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
