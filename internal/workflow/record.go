package workflow

import (
	"cmp"
	"encoding/json"
	"strings"

	"errand/internal/run"
)

// browserTools is how the names of the browser's tools begin. Actions are named
// without it.
const browserTools = "browser."

// ActionName is what the actions of a tool are called.
func ActionName(tool string) string { return strings.TrimPrefix(tool, browserTools) }

// recordMark begins the last line of a browser tool's output: what programs get to
// know of the action. Only the last line counts: what stands before it is the
// page's, which could say anything.
const recordMark = "\n[record] "

// Record is what a browser's action says of itself.
type Record struct {
	Element    json.RawMessage `json:"element"`    // how the same tool finds it again, given as its argument element
	Screenshot string          `json:"screenshot"` // id of a file
	Image      string          `json:"image"`      // its address
}

// Split parts the output of a call into what a model reads and its record.
func Split(a *run.Action) (text string, r Record) {
	text, line, found := cutLast(a.Output, recordMark)
	if !found || !strings.HasPrefix(a.Tool.Name, browserTools) || json.Unmarshal([]byte(line), &r) != nil {
		return a.Output, Record{}
	}
	return text, r
}

func cutLast(text, mark string) (before, after string, found bool) {
	at := strings.LastIndex(text, mark)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(mark):], true
}

// numbered is the argument that addresses an element in one snapshot.
const numbered = "index"

// Replayable reports whether a call can be made again by name: it did what it was
// to do, on a tool that is this server's own and not the caller's, another agent's,
// or of a server that came with the request.
func Replayable(a *run.Action) bool {
	t := &a.Tool
	return a.Outcome == run.OK && !t.Function && t.Handoff == "" && t.Server == "" &&
		!strings.HasPrefix(t.Name, "plan.") && ActionName(t.Name) != Done
}

// maxExtracted bounds what a template keeps of what a call brought, in bytes: it is
// there to be recognised, and nothing reads it.
const maxExtracted = 2 << 10

// FromRun takes from a run the calls that can be made again, in order, with the
// model's words for them. A call that failed is left out: what mended it follows.
// The template has no parameters yet, and no steps when there is nothing to replay.
func FromRun(s *run.State) Template {
	t := Template{Prompt: s.Spec.Input.Text, Parameters: []Parameter{}, Steps: []Step{}}
	last := 0 // the recorded step that the turn before played, in a replay
	for i := range s.Turns {
		turn := &s.Turns[i]
		step := Step{Description: turn.Reply.Text}
		for j := range turn.Actions {
			a := &turn.Actions[j]
			if !Replayable(a) {
				continue
			}
			output, _ := Split(a)
			if len(output) > maxExtracted {
				output = strings.ToValidUTF8(output[:maxExtracted], "") + "…"
			}
			step.Actions = append(step.Actions, Action{
				Name: ActionName(a.Tool.Name), Params: Params(a), Extracted: &output, InMemory: true,
			})
		}
		mark := MarkOf(turn.Reply.Carry)
		same := mark != nil && mark.Step == last
		if mark != nil {
			last = mark.Step
		}
		switch {
		case len(step.Actions) == 0:
		case same && len(t.Steps) > 0:
			t.Steps[len(t.Steps)-1].Actions = append(t.Steps[len(t.Steps)-1].Actions, step.Actions...)
		default:
			t.Steps = append(t.Steps, step)
		}
	}
	return t
}

// finish adds the answer, and counts.
func (t *Template) finish(text string) {
	params, err := json.Marshal(map[string]any{"text": cmp.Or(text, Result), "success": true})
	if err != nil {
		params = json.RawMessage("{}") // which means Result
	}
	yes := true
	end := Action{Name: Done, Params: params, IsDone: true, Success: &yes}
	t.Steps = append(t.Steps, Step{Description: "Report the result.", Actions: []Action{end}})
	t.renumber()
}

// Params are a call's arguments as they are recorded and shown: the element's
// number is gone, and where the tool said how to find it again, that is there.
func Params(a *run.Action) json.RawMessage {
	var given map[string]json.RawMessage
	if json.Unmarshal([]byte(a.Arguments), &given) != nil {
		return json.RawMessage("{}")
	}
	if strings.HasPrefix(a.Tool.Name, browserTools) && a.Done() {
		if _, r := Split(a); r.Element != nil && string(r.Element) != "null" {
			given["element"] = r.Element
		}
		var known struct {
			XPath json.RawMessage `json:"xpath"`
		}
		if json.Unmarshal(given["element"], &known) == nil && known.XPath != nil {
			given["xpath"] = known.XPath
		}
		delete(given, numbered)
	}
	shown, err := json.Marshal(given)
	if err != nil {
		return json.RawMessage("{}")
	}
	return shown
}
