package router

import (
	"context"
	"testing"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// pupil calls tools, or refuses to, or only talks.
type pupil struct {
	skill string
	names []string
}

func (p pupil) List(context.Context) ([]string, error) { return p.names, nil }

func (p pupil) Reply(_ context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	usage := run.Usage{Input: 10, Output: 2}
	switch {
	case p.skill == "down":
		return run.Reply{}, problem.New(problem.ModelUnavailable, "it is down.")
	case p.skill == "no tools" && len(req.Tools) > 0:
		return run.Reply{}, problem.New(problem.ModelRefused, "it does not support tools.")
	case p.skill == "tools":
		emit(run.Delta{Kind: run.CallDelta, Name: req.Tools[0].Name})
		return run.Reply{Calls: []run.Call{{ID: "c", Name: req.Tools[0].Name, Arguments: `{"name":"hello"}`}}, Usage: usage}, nil
	}
	emit(run.Delta{Kind: run.TextDelta, Text: "ready"})
	return run.Reply{Text: "ready", Usage: usage}, nil
}

func TestTry(t *testing.T) {
	all := map[string]pupil{
		"able": {"tools", nil}, "plain": {"no tools", []string{"first", "second"}}, "chatty": {"", nil}, "gone": {"down", nil}, "empty": {"", nil},
	}
	r, err := New(Config{
		Endpoints: []Endpoint{
			{Name: "able", BaseURL: "http://h", Default: "x"}, {Name: "plain", BaseURL: "http://h"}, {Name: "chatty", BaseURL: "http://h", Default: "y"},
			{Name: "gone", BaseURL: "http://h", Default: "z"}, {Name: "empty", BaseURL: "http://h"},
		},
		Connect: func(e Endpoint) (Model, error) { return all[e.Name], nil },
		Offline: script.Steps(script.Say("ready")), Default: "chatty/z9",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Trial{
		{Model: "able/x", Answers: true, Calls: true}, {Model: "plain/first", Answers: true, Error: "it does not support tools."},
		{Model: "chatty/z9", Answers: true}, {Model: "gone/z", Error: "it is down."},
		{Model: "empty/", Error: "It lists no model: set the endpoint's model, or name one."},
	}
	got, err := r.Try(t.Context(), "")
	if err != nil || len(got) != len(want) {
		t.Fatalf("%+v, %v", got, err)
	}
	for i := range want {
		if g := got[i]; g.Model != want[i].Model || g.Answers != want[i].Answers || g.Calls != want[i].Calls || g.Error != want[i].Error {
			t.Errorf("trial %d: %+v, want %+v", i, g, want[i])
		}
		if g := got[i]; g.Answers != (g.First > 0) || g.Answers != (g.Usage.Input == 10) {
			t.Errorf("trial %d: %+v", i, g)
		}
	}
	if one, err := r.Try(t.Context(), "able/other"); err != nil || len(one) != 1 || one[0].Model != "able/other" || !one[0].Calls {
		t.Errorf("one: %+v, %v", one, err)
	}
	if _, err := r.Try(t.Context(), "nope/x"); !problem.Is(err, problem.InvalidRequest) {
		t.Errorf("of no such model: %v", err)
	}
}
