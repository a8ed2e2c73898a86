package script_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"errand/internal/model/modeltest"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	can := modeltest.Abilities{Scripted: true, Streams: true, Reasoning: true, Calls: true, Errors: true, Stalls: true, Usage: true}
	modeltest.Run(t, can, func(_ *testing.T, lines []script.Line) modeltest.Model { return script.Steps(lines...) })
}

func request(step, attempt int) *run.Request {
	return &run.Request{Step: step, Attempt: attempt, Model: "m"}
}

func TestStepsAnswersAStepAlikeHoweverOftenItIsAsked(t *testing.T) {
	m := script.Steps(script.Say("one"), script.Say("two"))
	for _, step := range []int{2, 1, 2} {
		reply, err := m.Reply(t.Context(), request(step, 1), nil)
		if want := []string{"one", "two"}[step-1]; err != nil || reply.Text != want {
			t.Errorf("step %d: %q, %v; want %q", step, reply.Text, err, want)
		}
	}
	if _, err := m.Reply(t.Context(), request(3, 1), nil); !problem.Is(err, problem.ModelRefused) {
		t.Errorf("past the end: %v", err)
	}
	if got := len(m.Requests()); got != 4 {
		t.Errorf("%d requests are remembered, want 4", got)
	}
}

func TestQueueAnswersCallsInOrder(t *testing.T) {
	m := script.Queue(script.Fail(problem.ModelGarbled), script.Say("two"))
	if _, err := m.Reply(t.Context(), request(1, 1), nil); !problem.Is(err, problem.ModelGarbled) {
		t.Errorf("first call: %v", err)
	}
	if reply, err := m.Reply(t.Context(), request(1, 2), nil); err != nil || reply.Text != "two" {
		t.Errorf("second call: %q, %v", reply.Text, err)
	}
}

func TestFirstAttemptsFail(t *testing.T) {
	line := script.Say("at last")
	line.Fails = []error{problem.New(problem.ModelUnavailable, "down"), errors.New("odd")}
	m := script.Steps(line)
	for attempt, want := range []string{"down", "odd", ""} {
		reply, err := m.Reply(t.Context(), request(1, attempt+1), nil)
		if want == "" && (err != nil || reply.Text != "at last") || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("attempt %d: %q, %v; want %q", attempt+1, reply.Text, err, want)
		}
	}
}

func TestHooks(t *testing.T) {
	stop := errors.New("stop")
	m := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		line := script.Say("one two " + req.Model)
		line.Before = func(context.Context) error {
			if req.Step == 2 {
				return stop
			}
			return nil
		}
		return line, nil
	})
	m.Pace = func(_ context.Context, _ run.Request, d run.Delta) error {
		if d.Text == "m" {
			return stop
		}
		return nil
	}
	var heard []string
	_, err := m.Reply(t.Context(), request(1, 1), func(d run.Delta) { heard = append(heard, d.Text) })
	if diff := cmp.Diff([]string{"one ", "two "}, heard); diff != "" || !errors.Is(err, stop) {
		t.Errorf("error %v, heard (-want +got):\n%s", err, diff)
	}
	if _, err := m.Reply(t.Context(), request(2, 1), nil); !errors.Is(err, stop) {
		t.Errorf("Before: %v", err)
	}
}

func TestACancelStopsTheDeltas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	heard := 0
	_, err := script.Steps(script.Say("one two three")).Reply(ctx, request(1, 1), func(run.Delta) { heard++; cancel() })
	if !errors.Is(err, context.Canceled) || heard != 1 {
		t.Errorf("error %v after %d deltas, want context.Canceled after 1", err, heard)
	}
}
