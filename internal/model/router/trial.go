package router

import (
	"context"
	"strings"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Trial is what one small call of a model has shown.
type Trial struct {
	Model   string // endpoint/name, as it was called
	Answers bool
	Calls   bool          // it called the tool that it was offered
	First   time.Duration // until the first token
	Took    time.Duration
	Usage   run.Usage
	Error   string // public; of the call, or of the one with a tool if it answers without
}

// trialWait is how long one model gets: some are loaded from a disk first.
const trialWait = 2 * time.Minute

// trialTool is what a model is asked to call: harmless, and plain enough that one
// which can call tools at all calls it.
const trialTool = "note.read"

// Try makes one small call, of the model that the name means or, without a name,
// of one model at each endpoint: its default, or the first that it lists. It is a
// real call, with a real price.
func (r *Router) Try(ctx context.Context, name string) ([]Trial, error) {
	targets, err := r.triable(ctx, name)
	if err != nil {
		return nil, err
	}
	trials := make([]Trial, len(targets))
	var group sync.WaitGroup
	for i, to := range targets {
		group.Go(func() { trials[i] = r.try(ctx, to) })
	}
	group.Wait()
	return trials, nil
}

func (r *Router) triable(ctx context.Context, name string) ([]target, error) {
	if name != "" {
		if err := r.Check(name); err != nil {
			return nil, err
		}
		to, unknown := r.resolve(name)
		if unknown != nil {
			return nil, problem.Invalid("model", "%s", unknown.message)
		}
		return []target{to}, nil
	}
	r.mu.RLock()
	endpoints := append([]*endpoint(nil), r.endpoints...)
	r.mu.RUnlock()
	if len(endpoints) == 0 {
		return []target{r.offline()}, nil
	}
	var targets []target
	for _, e := range endpoints {
		model := e.Default
		if at, wire, ok := strings.Cut(r.cfg.Default, "/"); ok && at == e.Name {
			model = wire
		}
		if model == "" {
			listing, cancel := context.WithTimeout(ctx, listWait)
			if names, err := list(listing, e.model); err == nil && len(names) > 0 {
				model = names[0]
			}
			cancel()
		}
		to := e.target(model)
		targets = append(targets, to)
	}
	return targets, nil
}

// try asks with a tool, and if the model refuses that, without one.
func (r *Router) try(ctx context.Context, to target) Trial {
	trial := Trial{Model: to.full()}
	if to.wire == "" {
		trial.Error = "It lists no model: set the endpoint's model, or name one."
		return trial
	}
	ctx, cancel := context.WithTimeout(ctx, trialWait)
	defer cancel()
	reply, err := r.timed(ctx, to, &trial, true)
	if problem.Is(err, problem.ModelRefused) {
		trial.Error = problem.From(err).Detail
		reply, err = r.timed(ctx, to, &trial, false)
	}
	trial.Usage = reply.Usage
	switch {
	case err == nil:
		trial.Answers, trial.Calls = true, len(reply.Calls) > 0
	case ctx.Err() != nil:
		trial.Error = "It did not answer in time."
	default:
		trial.Error = problem.From(err).Detail
	}
	return trial
}

func (r *Router) timed(ctx context.Context, to target, trial *Trial, tool bool) (run.Reply, error) {
	began := r.cfg.Now()
	req := &run.Request{
		Run: run.NewID(began, 0, 0), Step: 1, Attempt: 1,
		Messages: []run.Message{{Role: run.User, Text: "Answer with the word ready."}},
		// Enough for a model that thinks first; of no weight for one that does not.
		Params: run.Params{MaxTokens: 2000, Defaults: []string{"max_tokens"}},
	}
	if tool {
		req.Messages[0].Text = "Use " + trialTool + " to read the note with the name hello. Do it now, and say nothing else."
		req.Tools = []run.Tool{{
			Name: trialTool, Description: "Reads a note.", Class: run.Safe, Version: "1",
			Parameters: []byte(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"],"additionalProperties":false}`),
		}}
	}
	trial.First = 0
	reply, err := r.call(ctx, &to, req, func(run.Delta) {
		if trial.First == 0 {
			trial.First = max(r.cfg.Now().Sub(began), 1)
		}
	})
	trial.Took = r.cfg.Now().Sub(began)
	return reply, err
}
