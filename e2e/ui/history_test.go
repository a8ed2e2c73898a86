package ui

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"errand/internal/run"
	"errand/internal/store/sqlite"
)

// past is a kind of run that a week's history is made of.
type past struct {
	agent, dialect, title, tool, answer string
}

func pasts() []past {
	return []past{
		{"invoice-clerk", "native", "Match the invoices of Northmill and pay what agrees", "ledger.match", "All seven agree. Nothing was paid twice."},
		{"refund-desk", "yao", "Answer ticket 55 103: parcel shows as delivered", "sql.lookup", "The parcel was handed to a neighbour at number 14."},
		{"churn-digest", "native", "Weekly digest of churn reasons for the support team", "sql.lookup", "Price, export and the slow first sync, in this order."},
		{"contract-reader", "swarms", "Read the tender documents and list the deadlines", "tender.fetch", "Three deadlines, the first on 4 December."},
		{"log-triage", "yao", "Triage the new error groups of the night", "logs.scan", "Nine of them matter; two are new."},
		{"release-notes", "you", "Draft release notes from the merged changes", "sql.lookup", "The draft has six sections and no promise."},
		{"log-triage", "webagent", "Compare shipping quotes of four carriers", "logs.scan", "The second one is cheapest up to 30 kg."},
	}
}

// history writes a week of runs that have ended into the store of a server that does
// not run, as the server itself would have: a test cannot wait for a week.
func (s *stage) history() {
	s.t.Helper()
	store, err := sqlite.Open(s.t.Context(), sqlite.Config{Dir: s.Data()})
	if err != nil {
		s.t.Fatal(err)
	}
	w := &writer{stage: s, random: rand.New(rand.NewPCG(3, 7))}
	now := time.Now().UTC()
	var c run.Commit
	add := func(at time.Time) {
		p := pasts()[w.count%len(pasts())]
		made := w.run(at, p)
		c.Runs = append(c.Runs, made)
		agent, _ := s.seed[p.agent].(string)
		c.Spend = append(c.Spend, run.Spend{
			Account: run.Account{Project: "default", Day: run.Day(at.Format(time.DateOnly)), Agent: agent, Model: "openai/gpt-5-mini"}, Calls: 1, Usage: made.Summary.Usage,
		})
	}
	for hours := 7 * 24; hours > 1; hours-- { // busy by day, quiet by night
		at := now.Add(-time.Duration(hours) * time.Hour)
		for range 1 + int(2.5+2.5*math.Sin(float64(at.Hour()-9)/24*2*math.Pi)) {
			add(at.Add(time.Duration(w.random.IntN(3600)) * time.Second))
		}
	}
	for minutes := 60; minutes > 2; minutes-- {
		for range int(5 + 3*math.Sin(float64(minutes)/9) + w.random.Float64()*4) {
			add(now.Add(-time.Duration(minutes)*time.Minute + time.Duration(w.random.IntN(50))*time.Second))
		}
	}
	done := make(chan error, 1)
	store.Submit(c, func(err error) { done <- err })
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// writer makes runs that look like those of real agents.
type writer struct {
	*stage
	random *rand.Rand
	count  int
	seq    int64
	at     time.Time
}

// event numbers an event, at this time of its run.
func (w *writer) event(after time.Duration, e run.Event) run.Event {
	w.seq++
	w.at = w.at.Add(after).Truncate(time.Millisecond)
	e.Seq, e.ID, e.At = w.seq, w.random.Uint64(), w.at
	return e
}

// ms is a time between these two, in milliseconds.
func (w *writer) ms(least, most int) int64 { return int64(least + w.random.IntN(most-least)) }

func (w *writer) run(at time.Time, p past) run.Append {
	w.count++
	w.at, w.seq = at.Truncate(time.Millisecond), 0
	id := run.NewID(w.at, uint16(w.count), w.random.Uint64())
	agent, _ := w.seed[p.agent].(string)
	events := []run.Event{w.event(0, run.Event{Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{
		Project: "default", Dialect: p.dialect, Scopes: []string{"admin"}, Agent: &run.AgentRef{ID: agent, Name: p.agent, Version: 1},
		Model: "openai/gpt-5-mini", Instructions: "You do this every day.", Input: run.Message{Role: run.User, Text: p.title},
		Tools:  []run.Tool{{Name: p.tool, Description: "The back office's.", Parameters: json.RawMessage(`{"type":"object"}`), Class: run.Safe, Version: "sha256:" + strings.Repeat("4", 64)}},
		Limits: run.Limits{MaxSteps: 16, WallTime: 3600}, OnUnknown: run.AskUnknown,
	}}})}
	turns := 1 + w.random.IntN(4)
	for step := 1; step <= turns; step++ {
		events = append(events, w.turn(step, p)...)
	}
	ended := &run.Ended{Status: run.Completed, Reason: run.Answered, Result: run.Result{Summary: p.answer}}
	if w.random.IntN(9) == 0 {
		ended = &run.Ended{Status: run.FailedStatus, Reason: run.ModelError, Error: "The model did not answer within 60 s.", Code: "model_timeout"}
	} else {
		took := w.ms(900, 6000)
		events = append(events, w.event(time.Duration(took)*time.Millisecond, run.Event{Type: run.ModelResponded, Responded: &run.Responded{
			Step: turns + 1, Attempt: 1, Ms: took, First: w.ms(200, 700), Reply: run.Reply{Model: "gpt-5-mini", Text: p.answer, Finish: "stop", Usage: w.usage(turns + 1)},
		}}))
	}
	events = append(events, w.event(2*time.Millisecond, run.Event{Type: run.RunFinished, Ended: ended}))
	state := run.Fold(id, events)
	return run.Append{ID: id, Events: events, Summary: state.Summarize()}
}

// turn is a model call and the tool call that it asks for.
func (w *writer) turn(step int, p past) []run.Event {
	model, tool := w.ms(700, 5000), w.ms(120, 4000)
	action := fmt.Sprintf("act_%02d", step)
	return []run.Event{
		w.event(time.Duration(model)*time.Millisecond, run.Event{Type: run.ModelResponded, Responded: &run.Responded{
			Step: step, Attempt: 1, Ms: model, First: w.ms(200, 650),
			Reply:   run.Reply{Model: "gpt-5-mini", Calls: []run.Call{{ID: fmt.Sprint("call_", step), Name: p.tool, Arguments: `{"page":1}`}}, Finish: "tool_calls", Usage: w.usage(step)},
			Actions: []run.Planned{{ID: action, Preview: "page: 1", Digest: "sha256:" + strings.Repeat("7", 64)}},
		}}),
		w.event(time.Millisecond, run.Event{Type: run.ToolStarted, Started: &run.Started{Action: action, Epoch: 1, Attempt: 1}}),
		w.event(time.Duration(tool)*time.Millisecond, run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: action, Outcome: run.OK, Output: `{"rows":42}`, Ms: tool}}),
	}
}

func (w *writer) usage(step int) run.Usage {
	input, output := 900*step+w.random.IntN(2500), 120+w.random.IntN(700)
	return run.Usage{Input: input, Output: output, Cached: input / 2, Cost: run.Micros(input + output*4)}
}
