package swarms

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// faultBody is an error: a sentence, or a list of places.
type faultBody struct {
	Detail any `json:"detail"`
}

// answered is an answer on the way of an error: that of a batch of which nothing
// could be started, so that there is no run to answer from.
type answered struct{ body any }

// Error is for logs.
func (a *answered) Error() string { return "nothing was started" }

// fault turns a problem into the error of this API.
func fault(f wire.Fault) (int, any) {
	var shape *rejected
	var answer *answered
	switch {
	case errors.As(f.Error, &answer):
		return http.StatusOK, answer.body
	case errors.As(f.Error, &shape):
		return http.StatusUnprocessableEntity, faultBody{shape.entries}
	case f.Code == problem.NotFound: // no route of this API names anything else
		return http.StatusNotFound, faultBody{"Not Found"}
	case f.Code == problem.ToolFailed: // a server that the request needs
		return http.StatusFailedDependency, faultBody{f.Detail}
	}
	return wire.Status(f.Code), faultBody{f.Detail}
}

// failure is the answer to a run that has failed, or was cancelled. Repeating the
// request brings the same: a repetition finds the same run.
func failure(s *run.State) wire.Response {
	status := http.StatusConflict
	if s.Ended.Status == run.FailedStatus {
		status = wire.Status(problem.Code(s.Ended.Code))
	}
	return wire.Response{
		Status: status, Header: http.Header{"X-Should-Retry": {"false"}},
		Body: faultBody{whyFailed(s)},
	}
}

// whyFailed says in a sentence why there is no answer, in the words of this API,
// and where to read what there is.
func whyFailed(s *run.State) string {
	end := s.Ended
	text := end.Error
	switch {
	case end.Status == run.CancelledStatus:
		text = "The agent was cancelled before it had an answer."
	case end.Reason == run.StepLimit:
		text = "The agent reached its ceiling of turns before it had an answer: ask for less at a time, or for fewer loops."
	case end.Reason == run.Timeout:
		text = "The agent worked for as long as this server lets it, and had no answer by then: ask for less at a time."
	}
	if text = strings.TrimRight(text, " "); text == "" || !strings.ContainsAny(text[len(text)-1:], ".!?") {
		text += "."
	}
	return text + " What it did is at GET /v1/runs/" + jobID(s.ID) + "."
}

// jobID is this API's spelling of a run's id.
func jobID(id run.ID) string { return "agent-" + id.String() }

// itemFailure is what a batch shows of a completion that has none.
type itemFailure struct {
	Success   bool   `json:"success"`
	Error     string `json:"error"`
	Timestamp string `json:"timestamp"`
}

// raw encodes what always has a JSON form.
func raw(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
