package you

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Codes that only this API has. The others are the product's own.
const (
	agentNotFound  problem.Code = "agent_not_found"
	toolNotAllowed problem.Code = "tool_not_allowed"
	// stepLimit and the like are how a run ended: reasons are codes here.
	stepLimit    = problem.Code(run.StepLimit)
	outOfBudget  = problem.Code(run.BudgetExhausted)
	outOfTime    = problem.Code(run.Timeout)
	cancelled    = problem.Code(run.CancelledReason)
	toolError    = problem.Code(run.ToolError)
	unsatisfied  = problem.Code(run.SchemaUnsatisfied)
	scopeLacking = problem.Code(run.ScopeDenied)
)

// notAllowed is how the original begins to refuse a tool.
const notAllowed = "You are not allowed to use the requested tool for this agent or tenant. "

// kind is what a code is called here.
type kind struct {
	status int
	code   string
	title  string
}

// kindOf is the one table of this API's errors. What it does not list has its
// usual status and its own code.
func kindOf(code problem.Code) kind {
	switch code {
	case problem.InvalidRequest:
		return kind{http.StatusBadRequest, "bad_request", "Invalid request body"}
	case problem.Unauthenticated:
		return kind{http.StatusUnauthorized, "unauthorized", "Unauthorized"}
	case problem.ScopeDenied: // at the door; at a step it is about a tool
		return kind{http.StatusForbidden, "forbidden", "Missing required scopes"}
	case toolNotAllowed:
		return kind{http.StatusForbidden, "tool_not_allowed", "Tool not allowed"}
	case agentNotFound:
		return kind{http.StatusNotFound, "agent_not_found", "Agent not found"}
	case problem.Internal:
		return kind{http.StatusInternalServerError, "internal_server_error", "Internal server error"}
	case outOfBudget:
		return kind{http.StatusPaymentRequired, "payment_required", "Budget exhausted"}
	case stepLimit:
		return kind{http.StatusBadRequest, "step_limit", "Too many steps"}
	case cancelled:
		return kind{http.StatusConflict, "cancelled", "The run was cancelled"}
	case outOfTime:
		return kind{http.StatusGatewayTimeout, "timeout", "The run took too long"}
	case toolError, unsatisfied:
		return kind{http.StatusBadGateway, string(code), "The run failed"}
	}
	status := wire.Status(code)
	return kind{status, string(code), http.StatusText(status)}
}

// faultBody is an error as every client of this API reads it: the documented four
// fields, the list that the Python SDK wants, and the detail that the TypeScript
// SDK shows.
type faultBody struct {
	briefFault
	Errors    []faultItem `json:"errors"`
	RequestID string      `json:"request_id"`
}

// briefFault is the documented error, alone in a stream's last frame.
type briefFault struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// faultItem is one thing that is wrong. Its status is text, as the SDK has it.
type faultItem struct {
	Status string `json:"status"`
	Code   string `json:"code"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Field  string `json:"field,omitempty"`
}

// fault is a problem in this API's shape.
func fault(f wire.Fault) (int, any) {
	brief := brief(f.Error)
	body := faultBody{briefFault: brief, RequestID: f.RequestID, Errors: []faultItem{}}
	item := faultItem{Status: strconv.Itoa(brief.Status), Code: brief.Code, Title: brief.Title, Detail: brief.Detail}
	for _, field := range fieldsOf(f.Error) {
		item.Field, item.Detail = field, sentence(field, f.Fields[field])
		body.Errors = append(body.Errors, item)
	}
	if len(body.Errors) == 0 {
		body.Errors = append(body.Errors, item)
	}
	return brief.Status, body
}

// brief is a problem's four fields. The detail lists all fields that are wrong.
func brief(e *problem.Error) briefFault {
	k := kindOf(e.Code)
	detail := e.Detail
	var told []string
	for _, field := range fieldsOf(e) {
		told = append(told, sentence(field, e.Fields[field]))
	}
	switch {
	case len(told) > 0:
		detail = strings.Join(told, " ")
	case e.Code == problem.Unauthenticated:
		detail = "Missing or invalid API key. Send it as Authorization: Bearer <API_KEY>, or as X-API-Key."
	}
	return briefFault{Status: k.status, Code: k.code, Title: k.title, Detail: detail}
}

func fieldsOf(e *problem.Error) []string {
	var fields []string
	for field := range e.Fields {
		fields = append(fields, field)
	}
	slices.Sort(fields)
	return fields
}

// sentence tells of a field as the document does.
func sentence(field, message string) string {
	text := fmt.Sprintf("The field '%s' %s", field, message)
	if field == "body" {
		text = "The request body " + message
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

// failure is why a run has ended without an answer.
func failure(s *run.State) *problem.Error {
	end := s.Ended
	code := problem.Code(cmp.Or(end.Code, string(end.Reason)))
	switch {
	case end.Reason == run.CancelledReason:
		return told(s, cancelled, "The run was cancelled%s", because(s))
	case code == scopeLacking:
		return told(s, toolNotAllowed, "%s%s", notAllowed, end.Error)
	}
	if end.Reason == run.StepLimit {
		return told(s, stepLimit, "The run reached its ceiling of %d steps before it had an answer. %s", s.Spec.Limits.MaxSteps, fewer(modeOf(s)))
	}
	if end.Reason != run.ModelError { // the limit, not what a tool said last, is what the caller can change
		code = problem.Code(end.Reason)
	}
	return told(s, code, "%s", cmp.Or(end.Error, "The run ended without an answer."))
}

// told is why a run has ended, with its name: all of it can be read there.
func told(s *run.State, code problem.Code, format string, args ...any) *problem.Error {
	text := strings.TrimSuffix(fmt.Sprintf(format, args...), ".")
	return problem.New(code, "%s. Run: run_%s.", text, s.ID)
}

// fewer says how the caller can mend a run of too many steps.
func fewer(mode string) string {
	switch mode {
	case express:
		return "Ask for less at once, or use the advanced agent."
	case advanced:
		return fmt.Sprintf("Raise workflow_config.max_workflow_steps (at most %d), or ask for less.", mostSteps)
	}
	return "Raise the agent's max_steps, or ask for less."
}

func because(s *run.State) string {
	if s.Cancel == nil || s.Cancel.Reason == "" {
		return ""
	}
	return ": " + strings.TrimSuffix(s.Cancel.Reason, ".")
}
