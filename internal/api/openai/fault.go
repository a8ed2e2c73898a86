package openai

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Codes that only this format has, or the way in which a run has ended. The others
// are the product's own.
const (
	modelNotFound problem.Code = "model_not_found"
	cancelled     problem.Code = problem.Code(run.CancelledReason)
)

// statusOf is the HTTP status of a code in this API.
func statusOf(code problem.Code) int {
	switch code {
	case chat.Unsupported, problem.Code(run.StepLimit):
		return http.StatusBadRequest
	case problem.Code(run.BudgetExhausted):
		return http.StatusPaymentRequired
	case modelNotFound:
		return http.StatusNotFound
	case cancelled:
		return http.StatusConflict
	case problem.Code(run.ToolError), problem.Code(run.SchemaUnsatisfied):
		return http.StatusBadGateway
	case problem.Code(run.Timeout):
		return http.StatusGatewayTimeout
	}
	return wire.Status(code)
}

// faultBody is an error as OpenAI's clients read it.
type faultBody struct {
	Error chat.Fault `json:"error"`
}

// fault is a problem in this API's shape.
func fault(f wire.Fault) (int, any) {
	body := faultBody{Error: faultOf(f.Error)}
	body.Error.DocURL, body.Error.RequestID = f.DocURL, f.RequestID
	return statusOf(f.Code), body
}

func faultOf(e *problem.Error) chat.Fault {
	shown := chat.Fault{Message: e.Detail, Type: wire.Kind(statusOf(e.Code)), Code: string(e.Code)}
	fields := make([]string, 0, len(e.Fields))
	for field := range e.Fields {
		fields = append(fields, field)
	}
	if len(fields) > 0 {
		first := slices.Min(fields)
		shown.Param = &first
	}
	return shown
}

// broken tells of an error in a stream that has begun: clients throw it. Nothing
// follows it, not even the mark of the end.
func broken(f *wire.Frames, e *problem.Error) error {
	return f.JSON("", "", faultBody{Error: faultOf(e)})
}

// failure is why a run has ended without an answer.
func failure(s *run.State) error {
	end := s.Ended
	code := problem.Code(end.Reason)
	text := cmp.Or(end.Error, "The run ended without an answer.")
	switch end.Reason {
	case run.CancelledReason:
		text = "The run was cancelled."
		if s.Cancel != nil && s.Cancel.Reason != "" {
			text = "The run was cancelled: " + s.Cancel.Reason
		}
	case run.ModelError:
		code = problem.Code(cmp.Or(end.Code, string(problem.ModelUnavailable)))
	case run.StepLimit:
		text = fmt.Sprintf("The run reached its ceiling of %d steps before it had an answer: ask for less", s.Spec.Limits.MaxSteps)
		if s.Spec.Agent != nil {
			text += ", or raise the agent's max_steps"
		}
	}
	return problem.New(code, "%s. Run: %s.", strings.TrimSuffix(text, "."), runName(s.ID))
}

// unfinished is the answer of a server that stops in the middle of a run.
func unfinished() error {
	return problem.New(problem.Overloaded, "This server is shutting down before the run has ended: send the request again in a moment.")
}
