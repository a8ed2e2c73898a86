package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/run"
	"errand/internal/store/sqlite"
)

// seedVersion is part of a seeded directory's name. It changes when what is
// written below changes.
const seedVersion = 1

// Agents that the stored runs belong to, and how many runs one commit has.
const (
	seedAgents = 20
	seedBatch  = 500
)

// seeded returns a directory with so many stored runs, which is kept for the next
// time. They come from the core and go through the store, as every run does, only
// many in one commit.
func (b *bench) seeded(ctx context.Context, name string, count int, life func(*seeder) []run.Event) (string, error) {
	dir := filepath.Join(b.cache, fmt.Sprintf("%s-%d-v%d", name, count, seedVersion))
	if _, err := os.Stat(filepath.Join(dir, "complete")); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	began := time.Now()
	if err := seed(ctx, dir, count, life); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	progress("wrote %d runs in %.0f s", count, time.Since(began).Seconds())
	return dir, os.WriteFile(filepath.Join(dir, "complete"), nil, 0o600)
}

func seed(ctx context.Context, dir string, count int, life func(*seeder) []run.Event) error {
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: dir})
	if err != nil {
		return err
	}
	s := &seeder{random: newRandom(), at: time.Now().UTC().Truncate(time.Millisecond).Add(-90 * 24 * time.Hour)}
	s.between = 89 * 24 * time.Hour / time.Duration(count)
	const ahead = 3 // commits that are made while one is written
	written := make(chan error, ahead)
	for range ahead {
		written <- nil
	}
	for made := 0; made < count && err == nil && ctx.Err() == nil; {
		var c run.Commit
		for ; len(c.Runs) < seedBatch && made < count; made++ {
			c.Runs = append(c.Runs, s.next(life))
		}
		if err = <-written; err == nil {
			store.Submit(c, func(err error) { written <- err })
		}
	}
	if err == nil {
		for range ahead {
			err = errors.Join(err, <-written)
		}
	}
	return errors.Join(err, ctx.Err(), store.Close())
}

// seeder makes runs that look like those of real agents. It is seeded, so that
// two directories differ in their times alone.
type seeder struct {
	random  *rand.Rand
	at      time.Time
	between time.Duration
	count   int
	seq     int64
}

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// next is one run with all its events, and the line that lists show.
func (s *seeder) next(life func(*seeder) []run.Event) run.Append {
	s.count++
	s.at, s.seq = s.at.Add(s.between), 0
	id := run.NewID(s.at, uint16(s.count), s.random.Uint64())
	events := life(s)
	state := run.Fold(id, events)
	return run.Append{ID: id, Events: events, Summary: state.Summarize()}
}

// event numbers an event and lets some time pass.
func (s *seeder) event(e run.Event) run.Event {
	s.seq++
	e.Seq, e.ID = s.seq, s.random.Uint64()
	e.At = s.at.Add(time.Duration(s.seq) * 700 * time.Millisecond).Truncate(time.Millisecond)
	return e
}

// text is prose of some length.
func (s *seeder) text(words int) string {
	const vocabulary = "the invoice of customer was sent on Monday and is due in October so a reminder goes to accounts before payment"
	known := strings.Fields(vocabulary)
	var text strings.Builder
	for range words {
		text.WriteString(known[s.random.IntN(len(known))])
		text.WriteByte(' ')
	}
	return strings.TrimSpace(text.String())
}

func (s *seeder) created(gates ...string) run.Event {
	n := s.count % seedAgents
	return s.event(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{
		Project: auth.DefaultProject, Dialect: "native", Key: "key_0123456789abcdef", Scopes: []string{"admin"},
		Agent: &run.AgentRef{ID: seedAgent(n), Name: fmt.Sprintf("accounts-%02d", n), Version: 1}, Model: "openai/gpt-5",
		Instructions: instructions, Input: run.Message{Role: run.User, Text: s.text(14)},
		Tools: []run.Tool{{Name: toolName, Description: toolWords, Parameters: json.RawMessage(toolSchema), Class: run.Safe,
			Version: "sha256:" + strings.Repeat("4", 64)}},
		Gates: gates, Limits: run.Limits{MaxSteps: 8, WallTime: 3600}, OnUnknown: run.AskUnknown,
		Fingerprint: fmt.Sprintf("%016x%016x", s.random.Uint64(), s.random.Uint64()),
	}}})
}

func seedAgent(n int) string { return fmt.Sprintf("agt_%016x", n+1) }

func (s *seeder) asked(gated bool) run.Event {
	call := run.Call{ID: fmt.Sprintf("call_%016x", s.random.Uint64()), Name: toolName, Arguments: toolArgs}
	return s.event(run.Event{Type: run.ModelResponded, Responded: &run.Responded{
		Step: 1, Attempt: 1, Ms: 640, First: 310,
		Reply:   run.Reply{Model: "openai/gpt-5", Calls: []run.Call{call}, Finish: "tool_calls", Usage: run.Usage{Input: 180, Output: 24}},
		Actions: []run.Planned{{ID: "act_01", Gated: gated, Preview: "status: unpaid", Digest: "sha256:" + strings.Repeat("7", 64)}},
	}})
}

// finished is the life of most runs: a lookup and an answer. Some fail and some
// are cancelled.
func finished(s *seeder) []run.Event {
	events := []run.Event{s.created(), s.asked(false),
		s.event(run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1}}),
		s.event(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.OK, Output: toolOutput, Ms: 12}}),
	}
	ended := &run.Ended{Status: run.Completed, Reason: run.Answered}
	switch dice := s.random.IntN(100); {
	case dice < 7:
		ended = &run.Ended{Status: run.FailedStatus, Reason: run.ModelError, Error: "The model did not answer within 5m0s.", Code: "model_timeout"}
	case dice < 9:
		events = append(events, s.event(run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{By: "key_0123456789abcdef"}}))
		ended = &run.Ended{Status: run.CancelledStatus, Reason: run.CancelledReason}
	default:
		ended.Result.Summary = s.text(60)
		events = append(events, s.event(run.Event{Type: run.ModelResponded, Responded: &run.Responded{
			Step: 2, Attempt: 1, Ms: 1800, First: 320,
			Reply: run.Reply{Model: "openai/gpt-5", Text: ended.Result.Summary, Finish: "stop", Usage: run.Usage{Input: 320, Output: 85}},
		}}))
	}
	return append(events, s.event(run.Event{Type: run.RunFinished, Ended: ended}))
}

// parked is a run that waits until a person has approved its call.
func parked(s *seeder) []run.Event { return []run.Event{s.created(toolName), s.asked(true)} }
