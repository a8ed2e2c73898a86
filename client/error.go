package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
)

// Error is an error that the server answered.
type Error struct {
	Status    int               // of HTTP
	Code      string            // such as not_found; see the API reference
	Message   string            // for people
	Fields    map[string]string // of invalid_request: message by field
	RequestID string            // finds the request in the server's log
}

// Error says what went wrong, with each field that is at fault.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = fmt.Sprintf("the server answered %d", e.Status)
	}
	names := make([]string, 0, len(e.Fields))
	for name := range e.Fields {
		if !strings.Contains(text, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		text += fmt.Sprintf("\n  %s: %s", name, e.Fields[name])
	}
	return text
}

// maxError bounds how much of an error's body is read: a proxy may send a page.
const maxError = 64 << 10

func decodeError(answer *http.Response) error {
	defer answer.Body.Close()
	found := &Error{Status: answer.StatusCode, RequestID: answer.Header.Get("X-Request-Id")}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxError))
	if err != nil {
		return found
	}
	var body struct {
		Error struct {
			Code    string            `json:"code"`
			Message string            `json:"message"`
			Errors  map[string]string `json:"errors"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &body) == nil {
		found.Code, found.Message, found.Fields = body.Error.Code, body.Error.Message, body.Error.Errors
	}
	return found
}
