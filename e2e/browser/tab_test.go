package browser

import (
	"fmt"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// TestTabs: a run that waits for a person keeps its page, and what is approved
// happens there; with a run's end, whichever it is, its page is closed.
func TestTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	presses := []scene{w.open("/press"), act("click", map[string]any{"index": `"Press"`}), quote("It was pressed.", "Pressed.")}
	w.plays(presses...)
	var parked rig.Run
	w.c.Post("/v1/runs", map[string]any{
		"model": "auto", "prompt": "Press it.", "tools": []string{"browser.navigate", "browser.click"},
		"approval": map[string]any{"required_for": []string{"browser.click"}},
	}, &parked)
	if parked.Status != "awaiting_approval" {
		t.Fatalf("%+v", parked)
	}
	w.Eventually("a word of the page that is kept", func() bool { return w.shop.open("/press") })

	w.plays(w.open("/stock"), act("wait", map[string]any{"seconds": 30}), say("Done."))
	begun := w.begin("/api/runs", map[string]any{"prompt": "Wait."})
	w.Eventually("the second run's page", func() bool { return w.read(begun.Run).did() == "navigate wait" && w.shop.open("/stock") })
	w.c.Do("POST", fmt.Sprintf("/api/runs/%d/stop", begun.Run), nil).Good()
	w.Eventually("the end of the stopped run's page", func() bool { return !w.shop.open("/stock") })
	w.Eventually("a word of the other run's page, which must not be lost", func() bool { return w.shop.open("/press") })

	w.plays(presses...)
	var went rig.Run
	w.c.Post("/v1/runs/"+parked.ID+"/approve", map[string]any{"action_ids": parked.Actions()}, &went)
	if went = w.c.Until(parked.ID, "completed"); !strings.Contains(went.Summary(), "Pressed.") || w.shop.saw("GET /held?pressed") != 1 {
		t.Errorf("after the approval (pressed %d times): %q %+v", w.shop.saw("GET /held?pressed"), went.Summary(), went)
	}
	w.Eventually("the end of all pages", func() bool { return !w.shop.open("/") })
}
