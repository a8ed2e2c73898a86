package yao_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/run"
)

// opening is a first message, and what the host says to it.
const (
	opening = "Compare our top 5 competitors"
	summary = goalMark + opening + askMark
)

// Clarify, change, confirm: the document's flow with a client that resends the history.
func TestConversation(t *testing.T) {
	w := newWorld(t, newHost(nil))
	first := w.talk(said(opening), "")
	if first.text() != summary || first.Status != "clarifying" || first.ExecutionID != "" || !strings.HasPrefix(first.ChatID, "chat_") || first.Model != "default" {
		t.Fatalf("first: %+v", first)
	}
	changed := w.talk(said(opening, summary, "Yes, but only three"), "")
	want := goalMark + opening + " (only three)" + askMark
	if changed.text() != want || changed.ChatID != first.ChatID || changed.Status != "clarifying" {
		t.Fatalf("changed: %+v", changed)
	}
	done := w.talk(said(opening, summary, "Yes, but only three", want, "ja, los"), `,"model":"gpt-5"`)
	exec := w.one(t)
	if done.ExecutionID != exec || done.Status != "pending" || !strings.Contains(done.text(), exec) || done.Choices[0].Finish != "stop" || done.ChatID != first.ChatID || done.Model != "gpt-5" {
		t.Fatalf("done: %+v, want %s", done, exec)
	}
	if s := w.state(exec); s.Spec.Input.Text != opening+" (only three)" || s.Spec.Dialect != "yao" {
		t.Errorf("the execution's goals: %q", s.Spec.Input.Text)
	}
	// A later turn has the execution in view and starts nothing.
	later := w.talk(said(opening, summary, "Yes, but only three", want, "ja, los", done.text(), "How long will it take?"), "")
	if later.ChatID != first.ChatID || later.ExecutionID != "" {
		t.Errorf("later: %+v", later)
	}
	w.one(t)
}

// A first message confirms nothing by itself, unless the caller says so; and only a
// first one is made to.
func TestFirstMessage(t *testing.T) {
	w := newWorld(t, newHost(nil))
	if got := w.talk(said("yes"), ""); got.ExecutionID != "" {
		t.Errorf("a first yes: %+v", got)
	}
	auto := `,"metadata":{"auto_confirm":true}`
	got := w.talk(said(opening), auto)
	if got.ExecutionID != w.one(t) {
		t.Errorf("auto_confirm: %+v", got)
	}
	if later := w.talk(said(opening, got.text(), "Thank you"), auto); later.ExecutionID != "" {
		t.Errorf("a later turn with auto_confirm: %+v", later)
	}
	w.one(t)
}

// What was confirmed in a chat is one execution: repeated, named, raced.
func TestConfirmTwice(t *testing.T) {
	confirming := said(opening, summary, "yes")
	t.Run("without a name", func(t *testing.T) {
		w := newWorld(t, newHost(nil))
		w.talk(said(opening), "")
		first, again := w.talk(confirming, ""), w.talk(confirming, "")
		if first.ExecutionID != w.one(t) || again.ExecutionID != first.ExecutionID || again.ID != first.ID {
			t.Errorf("%+v, %+v", first, again)
		}
	})
	t.Run("in other words", func(t *testing.T) {
		w := newWorld(t, newHost(nil))
		w.talk(said(opening), "")
		first := w.talk(confirming, "")
		again := w.talk(said(opening, summary, "ja, los"), "") // the first answer never came to be seen
		if first.ExecutionID != w.one(t) || again.ExecutionID != first.ExecutionID {
			t.Errorf("%+v, %+v", first, again)
		}
	})
	t.Run("with a name", func(t *testing.T) {
		w := newWorld(t, newHost(nil))
		name := `,"chat_id":"session-001"`
		w.talk(said(opening), name)
		first := w.talk(said("yes"), name)
		for _, messages := range []string{said("yes"), confirming} {
			if again := w.talk(messages, name); again.ExecutionID != first.ExecutionID || again.ExecutionID == "" {
				t.Errorf("%s: %+v", messages, again)
			}
		}
		// In other words: the host calls again, with the same goals.
		if again := w.talk(said("ja, los"), name); again.ExecutionID != first.ExecutionID || !strings.Contains(again.text(), "already") {
			t.Errorf("in other words: %+v", again)
		}
		w.one(t)
	})
	t.Run("at the same time", func(t *testing.T) {
		gate := make(chan struct{})
		w := newWorld(t, newHost(gate))
		name := `,"chat_id":"session-001"`
		w.talk(said(opening), name)
		var group sync.WaitGroup
		for _, word := range []string{"wait, yes", "wait, yes", "ja, los", "wait, yes"} {
			group.Go(func() {
				got := w.do("POST", talkPath, `{"messages":`+said(word)+name+`}`)
				if got.Status != 200 && (got.Status != 409 || got.Header.Get("X-Should-Retry") != "false") {
					t.Errorf("%d %v: %s", got.Status, got.Header, got.Body)
				}
			})
		}
		close(gate)
		group.Wait()
		w.one(t)
	})
}

// A confirming turn that is sent again, by whatever means, is the same turn.
func TestConfirmRetried(t *testing.T) {
	confirming := said(opening, summary, "yes")
	t.Run("a marked retry", func(t *testing.T) {
		w := newWorld(t, newHost(nil))
		auto := `,"metadata":{"auto_confirm":"true"}`
		first := w.talk(said(opening), auto)
		again := w.talk(said(opening), auto, "X-Stainless-Retry-Count", "1")
		if again.ExecutionID != first.ExecutionID {
			t.Errorf("%+v, %+v", first, again)
		}
		w.one(t)
		if other := w.talk(said(opening), auto); other.ExecutionID == first.ExecutionID {
			t.Error("a new opening is a new chat")
		}
	})
	t.Run("after a restart", func(t *testing.T) {
		w := newWorld(t, newHost(nil))
		w.talk(said(opening), "")
		first := w.talk(confirming, "")
		time.Sleep(2 * time.Millisecond) // runs of an earlier process are older than the server, to the millisecond
		anew := w.forgetful()
		for _, headers := range [][]string{{"X-Stainless-Retry-Count", "1"}, nil, {"Idempotency-Key", "k"}} {
			if again := anew.talk(confirming, "", headers...); again.ExecutionID != first.ExecutionID || again.ID != first.ID {
				t.Errorf("%v: %+v, %+v", headers, first, again)
			}
		}
		w.one(t)
	})
	t.Run("an Idempotency-Key", func(t *testing.T) {
		w := newWorld(t, newHost(nil))
		w.talk(said(opening), "")
		w.talk(confirming, "")
		w.talk(confirming, "", "Idempotency-Key", "k1")
		w.talk(confirming, "", "Idempotency-Key", "k1")
		w.one(t)
	})
}

// People who open with the same words each get an execution of their own.
func TestAlikeOpenings(t *testing.T) {
	w := newWorld(t, newHost(nil))
	one, two := w.talk(said(opening), ""), w.talk(said(opening), "")
	if one.ChatID == two.ChatID {
		t.Fatal("two openings are one chat")
	}
	confirming := said(opening, summary, "yes")
	a, b, c := w.talk(confirming, ""), w.talk(confirming, ""), w.talk(confirming, "")
	if a.ExecutionID == b.ExecutionID || a.ChatID == b.ChatID {
		t.Errorf("two people are one: %+v, %+v", a, b)
	}
	if c.ExecutionID != a.ExecutionID && c.ExecutionID != b.ExecutionID {
		t.Errorf("a third one: %+v", c)
	}
	// Another key has chats of its own, also under the same name.
	other, name := w.key("runs:write", "agents:execute"), `,"chat_id":"session-001"`
	w.talk(said(opening), name)
	other.talk(said(opening), name)
	mine, theirs := w.talk(said("yes"), name), other.talk(said("yes"), name)
	if mine.ExecutionID == theirs.ExecutionID || theirs.ExecutionID == "" {
		t.Errorf("two keys share a chat: %+v, %+v", mine, theirs)
	}
}

// With a name the server remembers; who resends all of it doubles nothing, and who
// goes back to an earlier answer goes on from there.
func TestNamedChat(t *testing.T) {
	w := newWorld(t, newHost(nil))
	name := `,"chat_id":"c1"`
	w.talk(said(opening), name)
	w.talk(said("Yes, but only three"), name)
	changed := goalMark + opening + " (only three)" + askMark
	got := w.talk(said(opening, summary, "Yes, but only three", changed, "And now?"), name)
	s := w.state(got.ID)
	if len(s.Spec.History) != 4 || s.Spec.Input.Text != "And now?" {
		t.Errorf("the history is doubled: %+v", s.Spec.History)
	}
	back := w.state(w.talk(said(opening, summary, "Something else"), name).ID)
	if len(back.Spec.History) != 2 || back.Spec.History[1].Text != summary {
		t.Errorf("a fork: %+v", back.Spec.History)
	}
	for place, headers := range map[string][]string{
		"query": {"chat_id=c1"}, "header": {"", "X-Yao-Chat", "c1"}, "metadata": {""},
	} {
		more := ""
		if place == "metadata" {
			more = `,"metadata":{"chat_id":"c1"}`
		}
		var body turnBody
		w.want(200, "POST", talkPath+"?"+headers[0], `{"messages":`+said("Named in the "+place)+more+`}`, headers[1:]...).into(&body)
		if body.ChatID != "c1" || len(w.state(body.ID).Spec.History) == 0 {
			t.Errorf("%s: %+v", place, body)
		}
	}
	if fault := w.want(400, "POST", talkPath, `{"messages":`+said("Hi")+`,"chat_id":"a b"}`).fault(); fault != "invalid_request chat_id" {
		t.Error(fault)
	}
}

// A conversation that was had elsewhere is a new chat with that history; one that goes
// back to an earlier answer stays in its chat.
func TestForeignHistory(t *testing.T) {
	w := newWorld(t, newHost(nil))
	first := w.talk(said(opening, "Anything else?", "No"), "")
	if s := w.state(first.ID); len(s.Spec.History) != 2 || s.Spec.Previous != nil {
		t.Errorf("%+v", s.Spec.History)
	}
	w.talk(said(opening), "")
	a, b := w.talk(said(opening, summary, "Only in Europe"), ""), w.talk(said(opening, summary, "Only in Asia"), "")
	if a.ChatID != b.ChatID || len(w.state(b.ID).Spec.History) != 2 {
		t.Errorf("two ways to go on from one answer: %+v, %+v", a, b)
	}
	again := w.talk(said(opening, summary, "Only in Europe"), "")
	if again.ChatID != a.ChatID || again.ID == a.ID {
		t.Errorf("the same message once more is answered anew in its chat: %+v, %+v", again, a)
	}
}

// A turn that failed is not in the way: the next one goes on from the answer before.
func TestFailedTurn(t *testing.T) {
	w := newWorld(t, newHost(nil))
	name := `,"chat_id":"c1"`
	w.talk(said(opening), name)
	got := w.want(502, "POST", talkPath, `{"messages":`+said("break")+name+`}`)
	if got.fault() != "model_unavailable" || got.Header.Get("X-Should-Retry") != "false" || got.Header.Get("X-Chat-Id") != "c1" {
		t.Errorf("%v %s", got.Header, got.Body)
	}
	next := w.talk(said("yes"), name)
	if next.ExecutionID != w.one(t) {
		t.Errorf("%+v", next)
	}
	if s := w.state(next.ID); len(s.Spec.History) != 2 {
		t.Errorf("%+v", s.Spec.History)
	}
	// The same without a name, and on a stream.
	w.talk(said("Another goal"), "")
	resent := said("Another goal", goalMark+"Another goal"+askMark, "break")
	for range 2 {
		got := w.do("POST", talkPath, `{"messages":`+resent+`,"stream":true}`)
		if got.Status != 502 {
			t.Errorf("an error before the first frame has a real status: %d %s", got.Status, got.Body)
		}
	}
}

// A client that vanishes before the hand-off cancels the turn and starts nothing.
func TestVanishedBefore(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, newHost(gate))
	name := `,"chat_id":"c1"`
	w.talk(said(opening), name)
	ctx, cancel := context.WithCancel(t.Context())
	answer, err := w.send(ctx, "POST", talkPath, `{"messages":`+said("wait, yes")+name+`,"stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	_, _ = io.ReadAll(answer.Body)
	answer.Body.Close()
	turns, err := w.store.Runs(t.Context(), run.RunQuery{Project: "default", Agent: "host/my-robot", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	w.await(func() bool { return w.state(turns[0].ID.String()).Status == run.CancelledStatus })
	close(gate)
	if n := len(w.executions("my-robot")); n != 0 {
		t.Errorf("%d executions", n)
	}
	if next := w.talk(said("yes"), name); next.ExecutionID != w.one(t) {
		t.Errorf("%+v", next)
	}
}

// One that vanishes afterwards loses nothing: whoever asks again is told.
func TestVanishedAfter(t *testing.T) {
	w := newWorld(t, newHost(nil))
	w.talk(said(opening), "")
	confirming := `{"messages":` + said(opening, summary, "yes") + `,"stream":true}`
	ctx, cancel := context.WithCancel(t.Context())
	answer, err := w.send(ctx, "POST", talkPath, confirming)
	if err != nil {
		t.Fatal(err)
	}
	var seen strings.Builder
	for part := make([]byte, 64); !strings.Contains(seen.String(), "has started"); {
		n, err := answer.Body.Read(part)
		seen.Write(part[:n])
		if err != nil {
			break
		}
	}
	cancel()
	answer.Body.Close()
	exec := w.one(t)
	if s, err := w.engine.Wait(t.Context(), "default", w.state(exec).ID); err != nil || s.Status == run.CancelledStatus {
		t.Errorf("%s, %v", s.Status, err)
	}
	again, err := w.send(t.Context(), "POST", talkPath, confirming, "X-Stainless-Retry-Count", "1")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Body.Close()
	if frames := strings.Join(w.frames(again.Body), "\n"); !strings.Contains(frames, `"execution_id":"`+exec+`"`) {
		t.Error(frames)
	}
	w.one(t)
}
