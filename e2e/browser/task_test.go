package browser

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// price is the schema of an answer that names a price.
const price = `{"type":"object","properties":{"name":{"type":"string"},"price":{"type":"number"}},"required":["name","price"],"additionalProperties":false}`

// TestFiveTasks: a model that reads pages carries out five tasks in one shop.
func TestFiveTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, task := range []struct {
		prompt string
		format map[string]any
		scenes []scene
		did    string
		result string
		saw    string
	}{
		{
			"Find the price of a lamp.", map[string]any{"json_schema": price},
			[]scene{w.open("/"), act("input", map[string]any{"index": `"Search"`, "text": "lamp"}), act("send_keys", map[string]any{"keys": "Enter"}), quote("20 €", `{"name":"lamp","price":20}`)},
			"navigate input send_keys done", `{"name":"lamp","price":20}`, "GET /find?q=lamp",
		},
		{
			"How many points has ann?", nil,
			[]scene{w.open("/login"), act("input", map[string]any{"index": `"User"`, "text": "ann"}), act("input", map[string]any{"index": `"Password"`, "text": "open sesame"}),
				act("click", map[string]any{"index": `button "Log in"`}), quote("You have 120 points.", "120 points")},
			"navigate input input click done", `"120 points"`, "GET /account",
		},
		{
			"What did order 1219 cost?", nil,
			[]scene{w.open("/orders"), act("click", map[string]any{"index": `"Next page"`}), act("click", map[string]any{"index": `"Next page"`}), act("extract", map[string]any{"query": "order 1219"}), quote("1536 €", "1536 €")},
			"navigate click click extract done", `"1536 €"`, "GET /orders?page=2",
		},
		{
			"How many lamps are in stock?", nil,
			[]scene{w.open("/stock"), act("wait", map[string]any{"seconds": 6}), quote("12 lamps are in stock.", "12")},
			"navigate wait done", `"12"`, "GET /stock",
		},
		{
			"Subscribe and order.", nil,
			[]scene{w.open("/checkout"), act("input", map[string]any{"index": `"E-mail"`, "text": "ann@example.com"}), act("click", map[string]any{"index": `"Subscribe"`}),
				act("click", map[string]any{"index": `"Place order"`}), act("click", map[string]any{"index": `"Place order"`, "accept_dialog": true}), quote("The order is placed.", "Ordered.")},
			"navigate input click click! click done", `"Ordered."`, "POST /order",
		},
	} {
		w.plays(task.scenes...)
		body := map[string]any{"prompt": task.prompt}
		for key, value := range task.format {
			body[key] = value
		}
		got := w.run("/api/runs", body)
		if got.Status != "success" || !got.Good || got.did() != task.did || string(got.Result) != task.result {
			t.Errorf("%s: %s, %s, result %s\n%+v", task.prompt, got.Status, got.did(), got.Result, got.History)
		}
		if w.shop.saw(task.saw) != 1 {
			t.Errorf("%s: the shop has seen %s %d times", task.prompt, task.saw, w.shop.saw(task.saw))
		}
		w.pictured(got.Run)
	}
	if got := w.shop.saw("POST /newsletter"); got != 1 {
		t.Errorf("subscribed %d times", got)
	}
	w.Eventually("the end of all pages", func() bool { return !w.shop.open("/") })
}

// open opens a page of the shop.
func (w *world) open(path string) scene {
	return act("navigate", map[string]any{"url": w.shop.URL + path})
}

// quote answers if the page says so, and complains otherwise.
func quote(words, answer string) scene {
	return func(page string) rig.Turn {
		if !strings.Contains(page, words) {
			answer = "The page does not say " + words + ": " + page
		}
		return rig.Turn{Text: answer}
	}
}

// pictured holds a run against what it shows of itself: each step that used the
// page has a picture, a failed one, too, and elements have an XPath and no number.
func (w *world) pictured(run int) {
	w.T.Helper()
	var got whole
	w.c.Get(fmt.Sprintf("/api/runs/%d", run), &got)
	for i, s := range got.Steps {
		if s.Actions[0].Name == "done" || s.Actions[0].Name == "extract" {
			continue
		}
		if s.Screenshot == nil {
			w.T.Errorf("run %d has no picture of step %d", run, i+1)
			continue
		}
		if png, err := base64.StdEncoding.DecodeString(*s.Screenshot); err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
			w.T.Errorf("run %d, step %d: the picture is none: %v", run, i+1, err)
		}
		for _, a := range s.Actions {
			_, numbered := a.Params["index"]
			if _, known := a.Params["xpath"]; numbered || !known && (a.Name == "click" || a.Name == "input") {
				w.T.Errorf("run %d, step %d: %v", run, i+1, a.Params)
			}
		}
	}
}

// TestForm: an answer that has not the form is mended, or the run has failed.
func TestForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.plays(w.open("/"), say("It costs twenty."), say(`{"name":"lamp","price":20}`))
	got := w.run("/api/runs", map[string]any{"prompt": "What does a lamp cost?", "json_schema": price})
	if got.Status != "success" || string(got.Result) != `{"name":"lamp","price":20}` {
		t.Errorf("mended: %s %s %+v", got.Status, got.Result, got.History)
	}
	w.plays(w.open("/"), say("Twenty."), say("20"), say(`{"name":"lamp"}`), say("Twenty!"), say("Twenty!!"))
	got = w.run("/api/runs", map[string]any{"prompt": "What does a lamp cost?", "json_schema": price})
	last := got.History[len(got.History)-1].Actions
	if got.Status != "failure" || got.Good || !got.Done || string(got.Result) != "null" || last[len(last)-1].Error == nil {
		t.Errorf("never mended: %s %s %+v", got.Status, got.Result, got.History)
	}
	asked := len(w.Model.Calls())
	w.c.Do("POST", "/api/runs", map[string]any{"prompt": "What?", "json_schema": `{"type":"objekt"}`}).Is(422)
	if len(w.Model.Calls()) != asked {
		t.Error("a model was asked for an answer of an impossible form")
	}
}

// TestLive: the steps of a run can be read while it goes on.
func TestLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.shop.hold("/held")
	w.plays(w.open("/"), w.open("/held"), say("Done."))
	begun := w.begin("/api/runs", map[string]any{"prompt": "Open two pages."})
	if begun.Run != 1 || begun.Task != 1 || begun.History != nil || begun.Status != "" {
		t.Errorf("at once: %+v", begun)
	}
	w.Eventually("the second page", func() bool { return w.shop.saw("GET /held") > 0 })
	var now whole
	w.Eventually("the steps so far", func() bool { now = w.read(begun.Run); return now.did() == "navigate navigate" })
	if now.Done || now.Status != "in_progress" || now.Steps[0].Actions[0].Extracted == nil || now.Steps[1].Actions[0].Extracted != nil {
		t.Errorf("meanwhile: %s %s %+v", now.Status, now.did(), now.Steps)
	}
	w.shop.release()
	if got := w.ended(begun.Run); got.Status != "success" || got.did() != "navigate navigate done" {
		t.Errorf("in the end: %s %s", got.Status, got.did())
	}
}

// TestOrder: actions that the model asks for in one turn are done one after the
// other, in its order.
func TestOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	both := func(page string) rig.Turn {
		turn := w.open("/stock")(page)
		for _, next := range []scene{act("wait", map[string]any{"seconds": 6}), act("extract", nil), w.open("/orders"), act("extract", nil)} {
			turn.Calls = append(turn.Calls, next(page).Calls...)
		}
		return turn
	}
	w.plays(both, say("Done."))
	got := w.run("/api/runs", map[string]any{"prompt": "Look twice."})
	actions := got.History[0].Actions
	if got.did() != "navigate wait extract navigate extract done" ||
		!strings.Contains(*actions[2].Extracted, "12 lamps") || !strings.Contains(*actions[4].Extracted, "page 1 of 3") {
		t.Errorf("%s: %+v", got.did(), got.History)
	}
}
