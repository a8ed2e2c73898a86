package router

import (
	"context"
	"slices"
	"testing"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// TestARequiredToolIsRequiredOfTheFallbackToo: what the reply must call goes with
// the request, to whichever model answers it.
func TestARequiredToolIsRequiredOfTheFallbackToo(t *testing.T) {
	var required []string
	answers := func(line script.Line) Model {
		return place{closed: new(int), Model: script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
			required = append(required, req.Require)
			return line, nil
		})}
	}
	r, err := New(Config{
		Endpoints: []Endpoint{{Name: "desk", BaseURL: "http://desk"}, {Name: "attic", BaseURL: "http://attic"}}, Offline: script.Queue(), Random: func() float64 { return 0 },
		Fallbacks: map[string][]string{"desk/m": {"attic/m"}},
		Connect: func(e Endpoint) (Model, error) {
			if e.Name == "desk" {
				return answers(script.Fail(problem.ModelUnavailable)), nil
			}
			return answers(script.Say(`{"goals":"g"}`)), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	req := &run.Request{Run: numbered(1), Model: "desk/m", Require: "confirm_task", Tools: []run.Tool{{Name: "confirm_task"}}}
	reply, err := r.Reply(t.Context(), req, nil)
	if err != nil || len(reply.Calls) != 1 || reply.Calls[0].Name != "confirm_task" {
		t.Errorf("%+v, %v", reply, err)
	}
	if !slices.Equal(required, []string{"confirm_task", "confirm_task"}) {
		t.Errorf("required of the two models: %q", required)
	}
}
