package yao

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// turnEcho is what answers and later turns need of a turn beside its run.
type turnEcho struct {
	ChatID string `json:"chat_id"`
	Model  string `json:"model"`            // as the request named it
	System string `json:"system,omitempty"` // what the caller's system messages said
	Asked  string `json:"asked"`            // hash of what was new
}

func readEcho(s *run.State) turnEcho {
	var said turnEcho
	if json.Unmarshal(s.Spec.Echo, &said) != nil { // no turn of this API
		return turnEcho{Model: "default"}
	}
	return said
}

// The statuses of an answer beside those of executions.
const (
	clarifying = "clarifying" // the goal is not settled yet
	waiting    = "waiting"    // the turn itself was halted by a person
	pending    = "pending"    // settled: the execution has been started
)

// replied is what a turn answers.
type replied struct {
	text    string
	finish  string
	status  string
	started *run.ID // the execution that it has started, or found at work
}

// Texts that the server puts beside the host's. They name the execution, for whoever
// reads nothing but the text.
const (
	startedText = "Confirmed. Execution %s has started."
	alreadyText = "Execution %s has been started for this already."
	refusedText = "The execution could not be started: "
)

// reply is the answer of a turn that has ended, or rests. It depends on nothing but
// the run, so that later turns find the same words.
func reply(s *run.State) replied {
	answer := replied{finish: "stop", status: clarifying}
	var texts []string
	for i := range s.Turns {
		texts = append(texts, strings.TrimSpace(s.Turns[i].Reply.Text))
	}
	if last := s.Last(); last != nil {
		answer.finish = chat.Finish(&last.Reply)
		var said string
		if said, answer.started = handedOff(last); answer.started != nil {
			answer.status, answer.finish = pending, "stop"
		}
		texts = append(texts, said)
	}
	if halted := wire.Halted(s); halted != "" {
		texts, answer.status = append(texts, halted), waiting
	}
	for _, text := range texts {
		if text != "" && answer.text != "" {
			answer.text += "\n\n"
		}
		answer.text += text
	}
	return answer
}

// handedOff says what came of the call by which a turn confirms; nil if it did not.
func handedOff(last *run.Turn) (said string, started *run.ID) {
	for i := range last.Actions {
		a := &last.Actions[i]
		switch {
		case a.Tool.Handoff == "" || !a.Done() || a.Refused != "":
		case a.Outcome != run.OK || a.Child == nil:
			said = refusedText + a.Output
		case a.Output == run.Dispatched(*a.Child, true):
			return strings.ReplaceAll(alreadyText, "%s", execID(*a.Child)), a.Child
		default:
			return strings.ReplaceAll(startedText, "%s", execID(*a.Child)), a.Child
		}
	}
	return said, nil
}

// extras are the fields that this API adds to an answer.
type extras struct {
	ExecutionID string `json:"execution_id,omitempty"`
	ChatID      string `json:"chat_id"`
	Status      string `json:"status"`
}

func extrasOf(s *run.State, answer *replied) extras {
	e := extras{ChatID: readEcho(s).ChatID, Status: answer.status}
	if answer.started != nil {
		e.ExecutionID = execID(*answer.started)
	}
	return e
}

// completion is a whole answer.
type completion struct {
	chat.Completion
	extras
}

func headOf(s *run.State) chat.Head {
	return chat.Head{ID: chat.ID(s.ID), Created: s.CreatedAt.Unix(), Model: readEcho(s).Model}
}

// showTurn is the answer of a turn that has ended well, or rests.
func showTurn(s *run.State) (completion, http.Header) {
	answer := reply(s)
	shown := completion{headOf(s).Whole(answer.text, answer.finish, s.Usage), extrasOf(s, &answer)}
	header := http.Header{"X-Chat-Id": {shown.ChatID}}
	if shown.ExecutionID != "" {
		header.Set("X-Execution-Id", shown.ExecutionID)
	}
	return shown, header
}

// The reasons of an end are codes here.
const (
	cancelledCode = problem.Code(run.CancelledReason)
	timeoutCode   = problem.Code(run.Timeout)
	budgetCode    = problem.Code(run.BudgetExhausted)
)

// turnFailed is why a turn has no answer, or nil.
func turnFailed(s *run.State) error {
	switch {
	case s.Ended == nil || s.Ended.Status == run.Completed:
		return nil
	case s.Ended.Status == run.CancelledStatus:
		return problem.New(cancelledCode, "The turn was cancelled before it had an answer. Nothing was started; send it again. Run: run_%s.", s.ID)
	}
	code := problem.Code(s.Ended.Reason)
	if s.Ended.Reason == run.ModelError {
		code = cmp.Or(problem.Code(s.Ended.Code), problem.ModelUnavailable)
	}
	why := strings.TrimRight(cmp.Or(s.Ended.Error, "The turn ended without an answer"), ". ")
	return problem.New(code, "%s. Nothing was started. Run: run_%s.", why, s.ID)
}
