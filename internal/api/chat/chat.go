// Package chat is the format of OpenAI's chat completions: what a request may say,
// and what an answer looks like, whole and as a stream. The dialects that speak it
// stand on it; it knows no route and no run but the words in which a run is asked.
//
// What it promises: a request is read as OpenAI's clients write it (content as a
// string, as parts or null; every role); what cannot be honoured is refused by its
// name and never dropped; what no document names is ignored. An answer has every
// key that typed clients expect, and more beside them: top-level fields that those
// clients hand on as they are.
//
// A tour: request.go (reading), message.go and part.go (the conversation), params.go
// (how the model samples), answer.go (completions and chunks), flow.go (a text on its
// way to a reader).
//
// To accept another field, edit request.go; to change an answer, answer.go.
package chat

import (
	"errand/internal/problem"
)

// Unsupported is the code of a parameter that is known and can't be honoured.
const Unsupported problem.Code = "unsupported_parameter"

// Refuse is the problem of a parameter that can't be honoured; mend says what to do
// instead.
func Refuse(param, mend string) *problem.Error {
	e := problem.Invalid(param, "%s", mend)
	e.Code = Unsupported
	return e
}

// Fault is an error as clients of this format read it.
type Fault struct {
	Message   string  `json:"message"`
	Type      string  `json:"type"`
	Code      string  `json:"code"`
	Param     *string `json:"param"` // the first field that is wrong
	DocURL    string  `json:"doc_url,omitempty"`
	RequestID string  `json:"request_id,omitempty"`
}
