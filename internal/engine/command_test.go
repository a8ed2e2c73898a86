package engine_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// Fifty people decide the same action at once: one decision wins, all are told
// the same truth, and the call is made once or never.
func TestFiftyDecide(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		var crowd sync.WaitGroup
		var mu sync.Mutex
		won := map[bool]int{}
		for i := range 50 {
			crowd.Go(func() {
				approve := i%2 == 0
				_, err := w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: approve})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won[approve]++
				} else if !problem.Is(err, problem.Conflict) {
					t.Error(err)
				}
			})
		}
		crowd.Wait()
		if len(won) != 1 || won[true]+won[false] != 25 {
			t.Fatalf("approvals and rejections that were confirmed: %v", won)
		}
		w.rest(id, run.Completed)
		want := map[bool]string{true: "send act_01", false: ""}[won[true] > 0]
		if got := w.tools.made(); got != want {
			t.Errorf("calls: %q, want %q", got, want)
		}
	})
}

// A repeated decision gets the first one's answer, also when the run has ended
// since; an opposite one is a conflict; unknown actions decide nothing.
func TestDecideAgain(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`).And("send", `{}`).And("read", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		decide := func(approve bool, actions ...string) (run.State, error) {
			return w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: actions, Approve: approve})
		}
		for _, bad := range [][]string{{}, {"act_99"}, {"act_01", "act_99"}} {
			if _, err := decide(true, bad...); !problem.Is(err, problem.InvalidRequest) || problem.From(err).Fields["action_ids"] == "" {
				t.Errorf("deciding %v: %v", bad, err)
			}
		}
		if _, err := decide(true, "act_03"); !problem.Is(err, problem.Conflict) {
			t.Errorf("deciding an open call: %v", err)
		}
		if s, err := decide(true, "act_01", "act_01"); err != nil || s.Status != run.AwaitingApproval {
			t.Errorf("approving a part: %s, %v", s.Status, err)
		}
		if _, err := decide(false, "act_01", "act_02"); !problem.Is(err, problem.Conflict) {
			t.Errorf("rejecting what was approved: %v", err)
		}
		if got := pending(w.rest(id, run.AwaitingApproval)); len(got) != 1 {
			t.Errorf("pending after a refused decision: %+v", got)
		}
		first, err := decide(true, "act_01", "act_02")
		if err != nil || first.Status != run.Running {
			t.Errorf("approving the rest: %s, %v", first.Status, err)
		}
		w.rest(id, run.Completed)
		if again, err := decide(true, "act_01", "act_02"); err != nil || again.Status != first.Status {
			t.Errorf("again: %s, %v; first %s", again.Status, err, first.Status)
		}
		if _, err := decide(false, "act_02"); !problem.Is(err, problem.Conflict) {
			t.Errorf("the opposite on an ended run: %v", err)
		}
		if got, want := w.tools.made(), "read act_03, send act_01, send act_02"; got != want {
			t.Errorf("calls: %s, want %s", got, want)
		}
	})
}

// A rejection ends the run in its own commit: the answer says completed.
func TestReject(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("Very well."))
	for _, goOn := range []bool{false, true} {
		inWorld(t, model, func(t *testing.T, w *world) {
			id := w.create(spec("send"))
			w.rest(id, run.AwaitingApproval)
			d := engine.Decision{Actions: []string{"act_01"}, Continue: goOn, Reason: "Too early."}
			s, err := w.engine.Decide(t.Context(), "p", id, d)
			want := map[bool]run.Status{false: run.Completed, true: run.Running}[goOn]
			if err != nil || s.Status != want {
				t.Errorf("right after the rejection: %s, %v, want %s", s.Status, err, want)
			}
			s = w.rest(id, run.Completed)
			if got := s.Ended.Result.Summary; !goOn && !strings.Contains(got, "Too early.") || goOn && got != "Very well." {
				t.Errorf("summary: %s", got)
			}
			if again, err := w.engine.Decide(t.Context(), "p", id, d); err != nil || again.Status != want {
				t.Errorf("again: %s, %v", again.Status, err)
			}
		})
	}
}

// Cancel cuts calls: they have half a second to say what came of them.
func TestCancel(t *testing.T) {
	for _, test := range []struct {
		name    string
		behave  func(ctx context.Context, call run.ToolCall) (string, error)
		outcome run.Outcome
		most    time.Duration
	}{
		{"send", func(ctx context.Context, _ run.ToolCall) (string, error) {
			<-ctx.Done()
			return "", problem.New(problem.ToolUnknown, "The connection was cut.")
		}, run.Unknown, 10 * time.Millisecond},
		{"send", func(ctx context.Context, _ run.ToolCall) (string, error) {
			time.Sleep(time.Minute) // deaf
			return "done", nil
		}, run.Unknown, 510 * time.Millisecond},
		{"send", func(ctx context.Context, _ run.ToolCall) (string, error) {
			<-ctx.Done()
			time.Sleep(300 * time.Millisecond)
			return "done", nil
		}, run.OK, 310 * time.Millisecond},
		{"read", func(ctx context.Context, _ run.ToolCall) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}, run.Cancelled, 10 * time.Millisecond},
	} {
		model := script.Steps(script.Call(test.name, `{}`), script.Say("never"))
		inWorld(t, model, func(t *testing.T, w *world) {
			w.tools.behave = test.behave
			id := w.create(spec())
			time.Sleep(time.Second)
			began := time.Now()
			s, err := w.engine.Cancel(t.Context(), "p", id, run.Cancel{By: "key_1"})
			if err != nil || s.Status != run.CancelledStatus {
				t.Fatalf("cancelled: %s, %v", s.Status, err)
			}
			if took := time.Since(began); took > test.most {
				t.Errorf("it took %v", took)
			}
			if got := s.Turns[0].Actions[0].Outcome; got != test.outcome {
				t.Errorf("outcome %s, want %s", got, test.outcome)
			}
			if again, err := w.engine.Cancel(t.Context(), "p", id, run.Cancel{}); err != nil || again.Seq != s.Seq {
				t.Errorf("again: %d events, %v", again.Seq, err)
			}
		})
	}
}

// A model call is cut at once, and whatever it says afterwards is not heard.
func TestCancelModel(t *testing.T) {
	model := script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
		<-ctx.Done()
		time.Sleep(time.Minute)
		return script.Say("late"), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec())
		s, err := w.engine.Cancel(t.Context(), "p", id, run.Cancel{})
		if err != nil || s.Status != run.CancelledStatus {
			t.Fatalf("cancelled: %s, %v", s.Status, err)
		}
		time.Sleep(2 * time.Minute)
		if got, want := w.log(id), "run.created cancel.requested run.finished"; got != want {
			t.Errorf("the log is %s", got)
		}
	})
}

func TestCancelEnded(t *testing.T) {
	inWorld(t, script.Steps(script.Say("ok")), func(t *testing.T, w *world) {
		id := w.create(spec())
		w.rest(id, run.Completed)
		for name, err := range map[string]error{
			"cancel": errOf(w.engine.Cancel(t.Context(), "p", id, run.Cancel{})),
			"pause":  errOf(w.engine.Pause(t.Context(), "p", id, "")),
			"resume": errOf(w.engine.Resume(t.Context(), "p", id, "")),
			"say":    errOf(w.engine.Message(t.Context(), "p", id, run.Added{Text: "x"})),
		} {
			if !problem.Is(err, problem.Conflict) {
				t.Errorf("%s of an ended run: %v", name, err)
			}
		}
		if err := errOf(w.engine.Cancel(t.Context(), "other", id, run.Cancel{})); !problem.Is(err, problem.NotFound) {
			t.Errorf("another project's run: %v", err)
		}
	})
}

func errOf(_ run.State, err error) error { return err }

func TestPause(t *testing.T) {
	model := script.Steps(script.Call("read", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			time.Sleep(time.Second)
			return "rows", nil
		}
		id := w.create(spec())
		time.Sleep(100 * time.Millisecond)
		if s, err := w.engine.Pause(t.Context(), "p", id, "key_1"); err != nil || s.Status != run.PausedStatus {
			t.Fatalf("paused: %s, %v", s.Status, err)
		}
		if s := w.rest(id, run.PausedStatus); s.Turns[0].Actions[0].Outcome != run.OK {
			t.Errorf("what was under way did not end: %+v", s.Turns[0].Actions[0])
		}
		seq := w.rest(id, run.PausedStatus).Seq
		if s, err := w.engine.Pause(t.Context(), "p", id, "key_1"); err != nil || s.Seq != seq {
			t.Errorf("paused again: %d events, %v", s.Seq, err)
		}
		if _, err := w.engine.Resume(t.Context(), "p", id, "key_1"); err != nil {
			t.Fatal(err)
		}
		w.rest(id, run.Completed)
	})
}

// A message answers the one input that a run waits for, and steers it otherwise.
func TestMessage(t *testing.T) {
	model := script.Steps(script.Call("ask", `{}`), script.Call("ask", `{}`).And("ask", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec())
		w.rest(id, run.AwaitingInput)
		if _, err := w.engine.Message(t.Context(), "p", id, run.Added{Text: "Blue."}); err != nil {
			t.Fatal(err)
		}
		s := w.rest(id, run.AwaitingInput)
		if got := s.Turns[0].Actions[0]; got.Output != "Blue." || len(s.Messages) != 0 {
			t.Errorf("the input is %+v", got)
		}
		if err := errOf(w.engine.Message(t.Context(), "p", id, run.Added{Text: "Red."})); !problem.Is(err, problem.Conflict) {
			t.Errorf("one message for two inputs: %v", err)
		}
		outputs := func(list ...run.Output) error {
			return errOf(w.engine.Outputs(t.Context(), "p", id, run.Input{Outputs: list}))
		}
		if err := outputs(run.Output{Action: "act_02", Text: "a"}, run.Output{Action: "act_09"}); problem.From(err).Fields["outputs[1].action_id"] == "" {
			t.Errorf("an unknown action: %v", err)
		}
		if got := pendingCalls(w.rest(id, run.AwaitingInput)); len(got) != 2 {
			t.Errorf("half of a refused request was taken: %+v", got)
		}
		if err := outputs(run.Output{Action: "act_02", Text: "a"}, run.Output{Action: "act_03", Text: "b", Failed: true}); err != nil {
			t.Fatal(err)
		}
		w.rest(id, run.Completed)
		if err := outputs(run.Output{Action: "act_02", Text: "a"}); err != nil {
			t.Errorf("the same output again: %v", err)
		}
		if err := outputs(run.Output{Action: "act_02", Text: "other"}); !problem.Is(err, problem.Conflict) {
			t.Errorf("another output afterwards: %v", err)
		}
	})
}

func TestDelete(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Line{Before: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	inWorld(t, model, func(t *testing.T, w *world) {
		waiting, busy := w.create(spec("send")), w.create(spec())
		w.rest(waiting, run.AwaitingApproval)
		time.Sleep(time.Second)
		if err := w.engine.Delete(t.Context(), "p", busy, "k"); !problem.Is(err, problem.Conflict) {
			t.Errorf("deleting a run under way: %v", err)
		}
		if err := w.engine.Delete(t.Context(), "other", waiting, "k"); !problem.Is(err, problem.NotFound) {
			t.Errorf("deleting another project's run: %v", err)
		}
		if err := w.engine.Delete(t.Context(), "p", waiting, "k"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.engine.Get(t.Context(), "p", waiting); !problem.Is(err, problem.NotFound) {
			t.Errorf("it is still there: %v", err)
		}
		if err := w.engine.Delete(t.Context(), "p", waiting, "k"); !problem.Is(err, problem.Conflict) {
			t.Errorf("deleting twice: %v", err)
		}
		if line, _ := w.store.Summary(t.Context(), waiting); line.Status != run.Completed || line.StopReason != run.RejectedReason {
			t.Errorf("its line says %s %s", line.Status, line.StopReason)
		}
		w.engine.Cancel(t.Context(), "p", busy, run.Cancel{})
		if err := w.engine.Delete(t.Context(), "p", busy, "k"); err != nil {
			t.Error(err)
		}
		if got := w.tools.made(); got != "send act_01" {
			t.Errorf("calls: %s", got)
		}
	})
}

// A tool that was edited between approval and call is shown again.
func TestChangedTool(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec("send"))
		before := pending(w.rest(id, run.AwaitingApproval))[0]
		w.tools.mu.Lock()
		w.tools.versions["send"] = "v2"
		w.tools.mu.Unlock()
		w.approve(id, "act_01")
		after := pending(w.rest(id, run.AwaitingApproval))[0]
		if after.Reason != run.ChangedReason || after.Digest == before.Digest || after.Tool.Version != "v2" {
			t.Errorf("it is shown again as %+v", after)
		}
		if got := w.tools.made(); got != "" {
			t.Errorf("calls: %s", got)
		}
		w.approve(id, "act_01")
		w.rest(id, run.Completed)
		if got := w.tools.made(); got != "send act_01" {
			t.Errorf("calls: %s", got)
		}
	})
}

// A tool that was edited and that nobody has to approve is called as it is now,
// unless it has become more dangerous.
func TestChangedOpenTool(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`).And("read", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		w.tools.behave = func(_ context.Context, call run.ToolCall) (string, error) {
			if call.Tool.Version == "v1" {
				return "", problem.New(problem.ToolChanged, "It was changed.")
			}
			return "by " + call.Tool.Version, nil
		}
		w.tools.mu.Lock()
		w.tools.versions["send"], w.tools.versions["read"] = "v2", "v2" // both once: read was safe
		w.tools.mu.Unlock()
		actions := w.rest(w.create(spec()), run.Completed).Turns[0].Actions
		if got := actions[0]; got.Outcome != run.OK || got.Output != "by v2" {
			t.Errorf("send: %s %s", got.Outcome, got.Output)
		}
		if got := actions[1]; got.Outcome != run.Errored || got.Output != "It was changed." {
			t.Errorf("read: %s %s", got.Outcome, got.Output)
		}
	})
}

// An approval that expires counts as a rejection, by the clock alone.
func TestExpiry(t *testing.T) {
	inWorld(t, script.Steps(script.Call("send", `{}`)), func(t *testing.T, w *world) {
		s := spec("send")
		s.GateTimeout = 3600
		id := w.create(s)
		w.rest(id, run.AwaitingApproval)
		jobs, err := w.store.Jobs(t.Context(), 10)
		if err != nil || len(jobs) != 1 || jobs[0].Kind != engine.DeadlineJob || jobs[0].Run != id {
			t.Fatalf("jobs: %+v, %v", jobs, err)
		}
		// A job that comes too early, by another clock than this one, comes again: one in its
		// place would come too early, too.
		if early := problem.From(w.engine.Deadline(t.Context(), jobs[0])); early == nil || early.RetryAfter <= 59*time.Minute {
			t.Fatalf("an hour before its time it is told %v", early)
		}
		time.Sleep(time.Second)
		w.rest(id, run.AwaitingApproval) // nothing has happened
		if again, err := w.store.Jobs(t.Context(), 10); err != nil || len(again) != 1 {
			t.Fatalf("jobs: %+v, %v", again, err)
		}
		time.Sleep(time.Until(jobs[0].Due))
		w.engine.Deadline(t.Context(), jobs[0])
		time.Sleep(time.Second)
		if s := w.rest(id, run.Completed); s.Ended.Reason != run.RejectedReason || !strings.Contains(s.Ended.Result.Summary, "in time") {
			t.Errorf("it ended with %+v", s.Ended)
		}
	})
}

// Failed model calls are tried again in bounds, and the log shows each.
func TestModelRetries(t *testing.T) {
	down := problem.New(problem.ModelUnavailable, "It is down.")
	for _, test := range []struct {
		line script.Line
		want run.Status
		log  string
	}{
		{script.Line{Fails: []error{down, down}, Reply: run.Reply{Text: "ok"}}, run.Completed, "run.created model.failed model.failed model.responded run.finished"},
		{script.Line{Err: down}, run.FailedStatus, "run.created model.failed model.failed model.failed run.finished"},
		{script.Fail(problem.ModelAuth), run.FailedStatus, "run.created model.failed run.finished"},
	} {
		inWorld(t, script.Steps(test.line), func(t *testing.T, w *world) {
			began := time.Now()
			id := w.create(spec())
			s := w.rest(id, test.want)
			if got := w.log(id); got != test.log {
				t.Errorf("the log is %s, want %s", got, test.log)
			}
			if fails := strings.Count(test.log, "model.failed"); time.Since(began) < time.Duration(min(fails, 2))*time.Second && fails > 1 {
				t.Errorf("it did not wait between attempts: %v", time.Since(began))
			}
			if s.Status == run.FailedStatus && (s.Ended.Reason != run.ModelError || s.Ended.Error == "") {
				t.Errorf("it ended with %+v", s.Ended)
			}
		})
	}
}

func pending(s run.State) []run.Action      { return s.Pending() }
func pendingCalls(s run.State) []run.Action { return s.PendingCalls() }
