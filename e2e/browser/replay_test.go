package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// found is what a model answers that is asked which parts of a prompt are parameters.
const found = `{"parameters":[{"name":"thing","description":"what is looked for","type":"string","exampleValue":"lamp"}]}`

// record lets a model find the price of a lamp, and makes the run repeatable.
func (w *world) record() (task int) {
	w.T.Helper()
	scenes := []scene{w.open("/"), act("input", map[string]any{"index": `"Search"`, "text": "lamp"}), act("send_keys", map[string]any{"keys": "Enter"}), act("extract", map[string]any{"query": "the price of a lamp"}), quote("20 €", "It costs 20 €.")}
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if strings.Contains(c.Prompt(), "Find its parameters") {
			return rig.Turn{Text: found}
		}
		return scenes[min(c.Step(), len(scenes)-1)](lastPage(c))
	})
	got := w.run("/api/runs", map[string]any{"prompt": "Find the price of a lamp."})
	if got.Status != "success" {
		w.T.Fatalf("the recorded run: %s %+v", got.Status, got.History)
	}
	w.keep(got.Run, 1)
	return got.Task
}

// template is a workflow as it is shown.
type template struct {
	Parameters []struct {
		Name  string `json:"name"`
		Value string `json:"exampleValue"`
	} `json:"parameters"`
	Steps []struct {
		Actions []struct {
			Name   string          `json:"name"`
			Params json.RawMessage `json:"params"`
		} `json:"actions"`
	} `json:"steps"`
}

// keep makes a run its task's workflow.
func (w *world) keep(run, parameters int) template {
	w.T.Helper()
	var kept struct {
		Success  bool     `json:"success"`
		Message  string   `json:"message"`
		Workflow template `json:"workflow"`
	}
	w.c.Post(fmt.Sprintf("/api/runs/%d/set-as-cached-workflow", run), nil, &kept)
	want := fmt.Sprintf("Successfully extracted %d parameter(s) and created workflow template", parameters)
	if !kept.Success || kept.Message != want || len(kept.Workflow.Parameters) != parameters {
		w.T.Fatalf("kept: %+v", kept)
	}
	return kept.Workflow
}

// replay repeats the task with a value, and returns how often the model was asked.
func (w *world) replay(task int, thing string) (got answer, asked int) {
	w.T.Helper()
	before := len(w.Model.Calls())
	got = w.run(fmt.Sprintf("/api/tasks/%d/runs", task), map[string]any{"parameters": map[string]string{"thing": thing}})
	return got, len(w.Model.Calls()) - before
}

// TestReplay: a recorded run is repeated with other values and no model.
func TestReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task := w.record()
	for thing, price := range map[string]string{"chair": "45 €", "rug": "60 €", `"small" table`: "80 €"} {
		got, asked := w.replay(task, thing)
		if got.Status != "success" || asked != 0 || !strings.Contains(got.text(), price) || got.did() != "navigate input send_keys extract done" {
			t.Errorf("%s: %s with %d calls of a model, %s: %s", thing, got.Status, asked, got.did(), got.Result)
		}
		if strings.Contains(got.text(), "20 €") || strings.Contains(fmt.Sprint(got.History), "lamp") {
			t.Errorf("%s: of the recorded run is left: %+v", thing, got.History)
		}
		w.pictured(got.Run)
		if shown := w.read(got.Run); !shown.Replayed || shown.Usage.Total != 0 {
			t.Errorf("%s: it used %+v", thing, shown.Usage)
		}
	}
	// The value is read off a prompt that is the recorded one but for it.
	before := len(w.Model.Calls())
	got := w.run(fmt.Sprintf("/api/tasks/%d/runs", task), map[string]any{"prompt": "Find the price of a rug."})
	if asked := len(w.Model.Calls()) - before; asked != 0 || !strings.Contains(got.text(), "60 €") {
		t.Errorf("from the prompt: %d calls of a model, %s", asked, got.Result)
	}
}

// TestHeals: a replay finds the elements of a page that was rebuilt; where there is
// nothing left to find them by, a model does that one thing, which is marked, and can
// be kept.
func TestHeals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task := w.record()

	w.shop.rebuild(1) // other ids, another place
	got, asked := w.replay(task, "chair")
	if got.Status != "success" || asked != 0 || !strings.Contains(got.text(), "45 €") {
		t.Fatalf("with other ids: %s with %d calls of a model: %+v", got.Status, asked, got.History)
	}
	w.keep(got.Run, 1)

	w.shop.rebuild(2) // other words
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		users := c.Of("user")
		asked := users[len(users)-1].Text()
		_, reminder, _ := strings.Cut(lastPage(c), "\n\n")
		if !strings.Contains(asked, "browser.input") || !strings.Contains(asked, "rug") || strings.Contains(asked, "lamp") {
			return rig.Turn{Text: "CANNOT: " + asked}
		}
		return act("input", map[string]any{"index": `"What do you need?"`, "text": "rug"})(reminder)
	})
	got, asked = w.replay(task, "rug")
	if got.Status != "success" || asked != 1 || got.did() != "navigate input! input* send_keys extract done" || !strings.Contains(got.text(), "60 €") {
		t.Fatalf("with other words: %s with %d calls of a model, %s: %s %+v", got.Status, asked, got.did(), got.Result, got.History)
	}
	mended := got.History[1].Actions[1]
	if !mended.ByModel || mended.Attempt == nil || *mended.Attempt != 1 || mended.Reason == nil || !strings.HasPrefix(*mended.Reason, "Cached action 'input' failed: The element is not on this page") {
		t.Errorf("the mark: %+v", mended)
	}
	w.pictured(got.Run)

	kept := w.keep(got.Run, 1)
	text := fmt.Sprint(kept)
	for _, s := range kept.Steps {
		for _, a := range s.Actions {
			text += string(a.Params)
		}
	}
	if !strings.Contains(text, "What do you need?") || strings.Contains(text, "field-7") || !strings.Contains(text, "{{ thing }}") || kept.Parameters[0].Value != "rug" {
		t.Errorf("kept: %s", text)
	}
	got, asked = w.replay(task, "chair")
	if got.Status != "success" || asked != 0 || got.did() != "navigate input send_keys extract done" || !strings.Contains(got.text(), "45 €") {
		t.Errorf("after it was kept: %s with %d calls of a model, %s", got.Status, asked, got.did())
	}
}

// TestHealsInVain: what nobody can mend fails, and says so.
func TestHealsInVain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task := w.record()
	w.shop.rebuild(2)
	w.plays() // which has no line for any turn
	w.Model.Plays(func(rig.Conversation) rig.Turn { return rig.Turn{Text: "CANNOT: there is no search any more."} })
	got, asked := w.replay(task, "rug")
	if got.Status != "failure" || got.Good || asked != 1 || !strings.Contains(fmt.Sprint(deref(w.read(got.Run).Error)), "no search any more") {
		t.Errorf("%s with %d calls: %+v", got.Status, asked, got.History)
	}
	if w.shop.saw("GET /find?q=rug") != 0 {
		t.Error("the steps behind it were done all the same")
	}
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
