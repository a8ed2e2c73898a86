package offline_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/offline"
	"errand/internal/run"
	"errand/internal/schema"
)

// chat is a conversation with a robot's host, turn by turn: each is a run of its
// own whose history is what was shown before, and the first may not confirm.
type chat struct {
	t       *testing.T
	model   *offline.Model
	shown   []run.Message
	require bool // metadata.auto_confirm
}

const hostOrders = "You are the host of the robot Filer. When a person confirms your summary, call confirm_task with a faithful copy of it."

func newChat(t *testing.T) *chat {
	return &chat{t: t, model: offline.New(offline.Config{Schemas: &schema.Cache{}})}
}

// turn says something and returns the answer, or the goals that were handed over.
func (c *chat) turn(text string) (answer, goals string) {
	c.t.Helper()
	spec := run.Spec{Handoffs: []run.Handoff{{Name: "execution", Detached: true, Claim: "chat/1"}}}
	req := run.Request{Step: 1, Messages: append([]run.Message{{Role: run.System, Text: hostOrders}}, c.shown...)}
	req.Messages = append(req.Messages, run.Message{Role: run.User, Text: text})
	if len(c.shown) > 0 || c.require {
		req.Tools = []run.Tool{spec.Handoffs[0].Tool("confirm_task", "Hands the agreed goals over.")}
	}
	if c.require {
		req.Require = "confirm_task"
	}
	reply, err := c.model.Reply(c.t.Context(), &req, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	shown := reply.Text
	for _, call := range reply.Calls {
		if call.Name != "confirm_task" || len(reply.Calls) > 1 {
			c.t.Fatalf("calls %+v", reply.Calls)
		}
		if err := (&schema.Cache{}).Validate(req.Tools[0].Parameters, []byte(call.Arguments)); err != nil {
			c.t.Errorf("%s: %v", call.Arguments, err)
		}
		goals, _ = decode(c.t, call.Arguments)["goals"].(string)
		shown = run.Dispatched(run.ID{1}, false)
	}
	c.shown = append(c.shown, run.Message{Role: run.User, Text: text}, run.Message{Role: run.Assistant, Text: shown})
	return reply.Text, goals
}

// summed is a turn that must be answered with these goals and a question.
func (c *chat) summed(text string, goals ...string) {
	c.t.Helper()
	answer, handed := c.turn(text)
	want := "Goals:\n- " + strings.Join(goals, "\n- ") + "\n\nShall I start? Say yes, or say what should be different.\n\n(Written by offline rules, not by a language model.)"
	if diff := cmp.Diff(want, answer); diff != "" || handed != "" {
		c.t.Errorf("%q: handed over %q; answer (-want +got):\n%s", text, handed, diff)
	}
}

// TestGoalsAreSettledAndHandedOver: goal, summary, change, new summary, consent.
func TestGoalsAreSettledAndHandedOver(t *testing.T) {
	const find, send = "Find the unpaid invoices.", "Send each customer a reminder."
	for language, yes := range map[string]string{
		"English": "Yes, please!", "German": "ja, los geht's", "French": "Oui, c’est bon, merci.", "Japanese": "はい、お願いします。", "Arabic": "نعم، ابدأ الآن",
	} {
		t.Run(language, func(t *testing.T) {
			c := newChat(t)
			c.summed("1. "+find+"\n- "+send, find, send)
			c.summed("Yes, but only three", find, send, "Change: but only three")
			c.summed("Also tell ann@example.com", find, send, "Change: but only three", "Change: Also tell ann@example.com")
			want := strings.Join([]string{find, send, "Change: but only three", "Change: Also tell ann@example.com"}, "\n")
			if _, goals := c.turn(yes); goals != want {
				t.Fatalf("handed over %q, want %q", goals, want)
			}
			if _, goals := c.turn("yes"); goals != want {
				t.Errorf("confirmed again: handed over %q, want the same goals: they are the same execution", goals)
			}
			c.summed("Now list the paid ones.", "Now list the paid ones.")
			if _, goals := c.turn(yes); goals != "Now list the paid ones." {
				t.Errorf("then handed over %q", goals)
			}
		})
	}
}

func TestWhatHandsNothingOver(t *testing.T) {
	for name, say := range map[string][]string{
		"a first message":           {"yes"},
		"a question":                {"Find it.", "yes?"},
		"a refusal":                 {"Find it.", "no"},
		"thanks":                    {"Find it.", "thank you"},
		"a thumb down":              {"Find it.", "ok 👎"},
		"a consent before its time": {"hello", "yes"},
		"a consent and a wish":      {"Find it.", "ok and send it"},
		"a quotation":               {"Find it.", `She said: "yes"`},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChat(t)
			for _, text := range say {
				if answer, goals := c.turn(text); goals != "" || !strings.Contains(answer, "offline rules") {
					t.Errorf("%q: handed over %q, answered %q", text, goals, answer)
				}
			}
		})
	}
}

// TestASummaryThatWasCutOff has not been seen whole, so it is no summary.
func TestASummaryThatWasCutOff(t *testing.T) {
	c := newChat(t)
	c.summed("Find the invoices.\nSend the reminders.", "Find the invoices.", "Send the reminders.")
	c.shown[1].Text, _, _ = strings.Cut(c.shown[1].Text, "\n- Send")
	c.summed("yes", "Find the invoices.", "Send the reminders.")
	if _, goals := c.turn("yes"); goals != "Find the invoices.\nSend the reminders." {
		t.Errorf("handed over %q", goals)
	}
}

// TestAConversationThatOthersBegan has no summary of ours: what the person said is
// summed up.
func TestAConversationThatOthersBegan(t *testing.T) {
	c := newChat(t)
	c.shown = []run.Message{{Role: run.User, Text: "Find the invoices."}, {Role: run.Assistant, Text: "Which ones?"}}
	c.summed("the unpaid ones", "Find the invoices.", "Change: the unpaid ones")
}

// TestConfirmedInAdvance is a first message whose caller wants no question.
func TestConfirmedInAdvance(t *testing.T) {
	c := newChat(t)
	c.require = true
	if _, goals := c.turn("Find the invoices."); goals != "Find the invoices." {
		t.Errorf("handed over %q", goals)
	}
	c = newChat(t)
	c.require = true
	if answer, goals := c.turn("hello"); goals != "" || !strings.Contains(answer, "What should be done?") {
		t.Errorf("of nothing: handed over %q, answered %q", goals, answer)
	}
}

// TestAfterTheHandover a reply tells what came of it, should there be one.
func TestAfterTheHandover(t *testing.T) {
	h := run.Handoff{Name: "execution", Detached: true}
	k := newTalk(t, hostOrders, "Find it.", h.Tool("confirm_task", ""))
	k.req.Require = "confirm_task"
	call := k.reply().Calls[0]
	k.req.Require = ""
	k.told(call, "Error: the queue is full")
	wants(t, k.reply().Text, "confirm_task", "the queue is full")
}
