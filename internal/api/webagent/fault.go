package webagent

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// faultBody is an error: a sentence, or a list of places.
type faultBody struct {
	Detail any `json:"detail"`
}

// entry is one thing that is wrong with a request.
type entry struct {
	Type  string          `json:"type"`
	Loc   []any           `json:"loc"` // body, path or query, then names and indexes
	Msg   string          `json:"msg"`
	Input json.RawMessage `json:"input"`
	Ctx   map[string]any  `json:"ctx,omitempty"`
}

// faults are all of them.
type faults []entry

// Error is for logs.
func (f faults) Error() string { return "the request is not valid" }

// add notes a fault; text is what was sent there.
func (f *faults) add(kind, message string, text json.RawMessage, ctx map[string]any, loc ...any) {
	*f = append(*f, entry{Type: kind, Loc: loc, Msg: message, Input: quote(text), Ctx: ctx})
}

// value notes that a value of the body makes no sense.
func (f *faults) value(message string, text json.RawMessage, loc ...any) {
	f.add("value_error", "Value error, "+message, text, map[string]any{"error": struct{}{}}, append([]any{"body"}, loc...)...)
}

// problem is all faults as one, or nil.
func (f *faults) problem() error {
	if len(*f) == 0 {
		return nil
	}
	return problem.New(problem.InvalidRequest, "%s", (*f)[0].Msg).Because(*f)
}

// maxQuote bounds what an error repeats of what was sent.
const maxQuote = 2 << 10

// login is the user and the password of a URL, within a text of JSON.
var login = regexp.MustCompile(`(?:\\?/){2}[^/?#"\s]*@`)

// quote repeats what was sent, but no password of a URL: answers are logged, and
// passwords are not for logs.
func quote(text json.RawMessage) json.RawMessage {
	if len(text) == 0 || len(text) > maxQuote {
		return json.RawMessage("null")
	}
	return login.ReplaceAllLiteral(text, []byte("//[redacted]@"))
}

// named marks a problem whose detail says what is not there. Of a path that leads
// nowhere the API's framework says no more than Not Found.
type named struct{}

// Error is for logs.
func (named) Error() string { return "named in the path" }

func notFound(format string, args ...any) error {
	return problem.New(problem.NotFound, format, args...).Because(named{})
}

// fault turns a problem into the error of this API.
func fault(f wire.Fault) (int, any) {
	var shape faults
	var told named
	switch {
	case errors.As(f.Error, &shape):
		return http.StatusUnprocessableEntity, faultBody{shape}
	case f.Code == problem.NotFound && !errors.As(f.Error, &told):
		return http.StatusNotFound, faultBody{"Not Found"}
	case f.Code == problem.MethodNotAllowed:
		return http.StatusMethodNotAllowed, faultBody{"Method Not Allowed"}
	case f.Code == problem.Internal:
		return http.StatusInternalServerError, faultBody{"Error while executing agent"}
	}
	return wire.Status(f.Code), faultBody{f.Detail}
}
