package webagent

import (
	"cmp"
	"encoding/json"
	"strings"

	"errand/internal/run"
	"errand/internal/workflow"
)

// actionBody is one action as every answer has it.
type actionBody struct {
	Name      string          `json:"name"`
	Params    json.RawMessage `json:"params"`
	IsDone    bool            `json:"is_done"`
	Success   *bool           `json:"success"` // null but of the last action
	Extracted *string         `json:"extracted_content"`
	Error     *string         `json:"error"`
	InMemory  bool            `json:"include_in_memory"`
	ByModel   bool            `json:"executed_by_ai"` // in place of a recorded one
	Reason    *string         `json:"fallback_reason"`
	Attempt   *int            `json:"fallback_attempt"`
}

// historyItem is one step as the answer of a run has it.
type historyItem struct {
	Description string       `json:"description"`
	Actions     []actionBody `json:"actions"`

	picture workflow.Record // of the step's last action that has one
}

// reported is what the last step is called in which the answer is given.
const reported = "Report the result."

// history lists what a run did so far. A step is a turn of the model, of a replay
// one of its recorded steps; an action is a tool call. The last action of a run that
// has ended is always done.
func history(s *run.State) []historyItem {
	items := []historyItem{}
	played := 0 // the recorded step that the turn before was of
	for i := range s.Turns {
		turn := &s.Turns[i]
		mark := workflow.MarkOf(turn.Reply.Carry)
		item := historyItem{Description: describe(turn), Actions: []actionBody{}, picture: pictureOf(turn)}
		for j := range turn.Actions {
			item.Actions = append(item.Actions, showAction(turn, j, mark))
		}
		mended := turn.Output != nil && turn.Output.Problem != ""
		switch {
		case len(item.Actions) == 0 && !mended: // the answer: see end
		case mark != nil && mark.Step > 0 && mark.Step == played:
			last := &items[len(items)-1]
			last.Actions = append(last.Actions, item.Actions...)
			if item.picture.Screenshot != "" {
				last.picture = item.picture
			}
		default:
			items = append(items, item)
		}
		if mark != nil {
			played = mark.Step
		}
	}
	if s.Ended == nil {
		return items
	}
	return end(s, items)
}

// pictureOf is the record of the turn's last action that has a screenshot.
func pictureOf(turn *run.Turn) (found workflow.Record) {
	for i := range turn.Actions {
		if _, r := workflow.Split(&turn.Actions[i]); r.Screenshot != "" {
			found = r
		}
	}
	return found
}

// describe is what a turn was for: the model's words, or else its thoughts.
func describe(turn *run.Turn) string {
	if out := turn.Output; out != nil && out.Problem != "" {
		return "The answer had not the form that was asked for: " + out.Problem
	}
	return strings.TrimSpace(cmp.Or(turn.Reply.Text, turn.Reply.Reasoning))
}

// end sees to it that the last action is done.
func end(s *run.State, items []historyItem) []historyItem {
	good := successful(s)
	if said := lastDone(s); said != nil && s.Ended.Status == run.Completed {
		for i := range items {
			for j := range items[i].Actions {
				if items[i].Actions[j].Name == workflow.Done && i == len(items)-1 {
					return items
				}
			}
		}
	}
	text := s.Ended.Result.Summary
	done := actionBody{Name: workflow.Done, IsDone: true, Success: &good, Extracted: &text}
	item := historyItem{Description: reported}
	if why := failure(s); why != "" {
		text, item.Description = why, "The run ended without a result."
		done.Error, done.Extracted = &why, nil
	}
	done.Params = encoded(map[string]any{"text": text, "success": good})
	item.Actions = []actionBody{done}
	return append(items, item)
}

func showAction(turn *run.Turn, at int, mark *workflow.Mark) actionBody {
	a := &turn.Actions[at]
	shown := actionBody{Name: workflow.ActionName(a.Tool.Name), Params: workflow.Params(a)}
	if shown.Name == "" && at < len(turn.Reply.Calls) { // a tool that there is not
		shown.Name = workflow.ActionName(turn.Reply.Calls[at].Name)
	}
	if why := wentWrong(a); why != "" {
		shown.Error = &why
	} else if a.Done() {
		text, _ := workflow.Split(a)
		shown.Extracted, shown.InMemory = &text, true
	}
	if said := doneArguments(a); said != nil {
		shown.IsDone, shown.Success = true, said.Success
	}
	if mark != nil && mark.By == workflow.ByModel {
		shown.ByModel, shown.Reason, shown.Attempt = true, &mark.Reason, &mark.Attempt
	}
	return shown
}

// wentWrong is why an action has not done what it was to do.
func wentWrong(a *run.Action) string {
	text, _ := workflow.Split(a)
	switch {
	case a.Refused != "":
		return a.Refused
	case a.Stage == run.RejectedStage:
		return "A person rejected this action."
	case !a.Done() || a.Outcome == run.OK:
		return ""
	case a.Outcome == run.Unknown:
		return cmp.Or(text, "Nobody knows whether this happened.")
	}
	return cmp.Or(text, "It was cut off before it did anything.")
}

// doneIn are the arguments of a call that says that the task is done.
type doneIn struct {
	Text    string `json:"text"`
	Success *bool  `json:"success"`
}

func doneArguments(a *run.Action) *doneIn {
	yes, in := true, doneIn{}
	if workflow.ActionName(a.Tool.Name) != workflow.Done || a.Outcome != run.OK || json.Unmarshal([]byte(a.Arguments), &in) != nil {
		return nil
	}
	if in.Success == nil {
		in.Success = &yes
	}
	return &in
}

// lastDone is what the model said when it called done in its last turn of calls.
func lastDone(s *run.State) *doneIn {
	for i := len(s.Turns) - 1; i >= 0; i-- {
		if actions := s.Turns[i].Actions; len(actions) > 0 {
			return doneArguments(&actions[len(actions)-1])
		}
	}
	return nil
}

// successful reports whether a run ended with what was asked for.
func successful(s *run.State) bool {
	if s.Ended == nil || s.Ended.Status != run.Completed || s.Ended.Reason != run.Answered {
		return false
	}
	said := lastDone(s)
	return said == nil || *said.Success
}

// failure says why a run has no result, or nothing.
func failure(s *run.State) string {
	switch {
	case s.Ended == nil:
		return ""
	case s.Ended.Status == run.CancelledStatus && s.Cancel != nil && s.Cancel.Reason != "":
		return "The run was stopped: " + s.Cancel.Reason
	case s.Ended.Status == run.CancelledStatus:
		return "The run was stopped."
	case s.Ended.Status == run.FailedStatus:
		return cmp.Or(s.Ended.Error, "The run failed.")
	case s.Ended.Reason == run.RejectedReason:
		return s.Ended.Result.Summary
	}
	return ""
}

// encoded is the JSON of what always has one.
func encoded(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
