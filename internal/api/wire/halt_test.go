package wire

import (
	"strings"
	"testing"

	"errand/internal/run"
)

// TestHalted: an action is listed with what it would do, where that says something.
func TestHalted(t *testing.T) {
	for preview, want := range map[string]string{
		"To: ada@example.com": "\n- act_01, email.send (gate): To: ada@example.com\n",
		"":                    "\n- act_01, email.send (gate)\n",
	} {
		s := run.State{Status: run.AwaitingApproval, Turns: []run.Turn{{Actions: []run.Action{{
			Planned: run.Planned{ID: "act_01", Preview: preview}, Tool: run.Tool{Name: "email.send"}, Stage: run.PendingStage, Reason: "gate",
		}}}}}
		if text := Halted(&s); !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
}
