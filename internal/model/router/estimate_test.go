package router

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/problem"
	"errand/internal/run"
)

// A provider that does not say what it has counted is booked by bytes, priced like
// any other, and its usage says so; what it does say stands.
func TestEstimates(t *testing.T) {
	slow := problem.New(problem.ModelTimeout, "It took too long.")
	broken := problem.New(problem.ModelUnavailable, "The connection broke.")
	asked := run.Request{Model: "shed/m", Step: 1, Messages: []run.Message{{Role: run.User, Text: strings.Repeat("x", 1000)}}}
	text, _ := asked.Weigh()
	for name, c := range map[string]struct {
		change func(*run.Request)
		reply  run.Reply
		err    error
		want   run.Usage
	}{
		"nothing is said":         {nil, run.Reply{Text: "Hello."}, nil, run.Usage{Input: text, Output: 6, Cost: run.Micros(text + 12), Estimated: true}},
		"a call counts, too":      {nil, run.Reply{Calls: []run.Call{{Name: "a.b", Arguments: "{}"}}}, nil, run.Usage{Input: text, Output: 5, Cost: run.Micros(text + 10), Estimated: true}},
		"the input is not said":   {nil, run.Reply{Text: "Hello.", Usage: run.Usage{Output: 2}}, nil, run.Usage{Input: text, Output: 2, Cost: run.Micros(text + 4), Estimated: true}},
		"the output is not said":  {nil, run.Reply{Text: "Hello.", Usage: run.Usage{Input: 9}}, nil, run.Usage{Input: 9, Output: 6, Cost: 9 + 12, Estimated: true}},
		"all is said":             {nil, run.Reply{Text: "Hello.", Usage: run.Usage{Input: 9, Output: 2}}, nil, run.Usage{Input: 9, Output: 2, Cost: 13}},
		"an empty reply is said":  {nil, run.Reply{Usage: run.Usage{Input: 9}}, nil, run.Usage{Input: 9, Cost: 9}},
		"thoughts that are shown": {func(r *run.Request) { r.Params.Thinking = 5000 }, run.Reply{Text: "Hello.", Reasoning: "Well"}, nil, run.Usage{Input: text, Output: 10, Cost: run.Micros(text + 20), Estimated: true}},
		"thoughts that are not":   {func(r *run.Request) { r.Params.Thinking, r.Params.MaxTokens = 5000, 100 }, run.Reply{Text: "Hello."}, nil, run.Usage{Input: text, Output: 5100, Cost: run.Micros(text + 10200), Estimated: true}},
		"a picture":               {func(r *run.Request) { r.Messages[0].Images = []run.Image{{URL: "data:"}} }, run.Reply{Text: "Hello."}, nil, run.Usage{Input: text + 700, Output: 6, Cost: run.Micros(text + 700 + 12), Estimated: true}},
		"refused at the door":     {nil, run.Reply{}, broken, run.Usage{}},
		"given up on":             {func(r *run.Request) { r.Params.MaxTokens = 100 }, run.Reply{}, slow, run.Usage{Input: text, Output: 100, Cost: run.Micros(text + 200), Estimated: true}},
		"broken in the middle":    {nil, run.Reply{Text: "Hel"}, broken, run.Usage{Input: text, Output: 3, Cost: run.Micros(text + 6), Estimated: true}},
	} {
		h := newHouse(t, Config{
			Endpoints: []Endpoint{{Name: "shed", BaseURL: "http://h/v1"}},
			Facts:     map[string]Facts{"shed/m": {Tariff: Tariff{Input: 1, Output: 2}, Image: 700}},
		}, nil)
		h.endpoints[0].model = silent{c.reply, c.err}
		req := asked
		req.Messages = []run.Message{asked.Messages[0]}
		if c.change != nil {
			c.change(&req)
		}
		reply, err := h.Reply(t.Context(), &req, nil)
		if diff := cmp.Diff(c.want, reply.Usage); diff != "" || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// silent is a model whose replies have the usage that they are given, or none.
type silent struct {
	reply run.Reply
	err   error
}

func (s silent) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	return s.reply, s.err
}
