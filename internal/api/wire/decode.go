package wire

import (
	"errors"

	jsonv2 "github.com/go-json-experiment/json"

	"errand/internal/problem"
)

// maxDepth bounds how deep a body may nest. No documented request needs more than
// a dozen levels; a schema or a tool's arguments may need some more.
const maxDepth = 64

// Decode reads one JSON object into a struct by its json tags. Duplicate keys,
// wrong case, invalid UTF-8, text behind the object and nesting above 64 levels
// are refused; other unknown keys too when strict, and ignored otherwise. The error is
// an invalid_request with a message per field, by path: approval.required_for[0].
// Fields of type json.RawMessage keep the sender's bytes, and so the digits of
// its numbers.
func Decode(body []byte, into any, strict bool) error {
	if err := checkObject(body); err != nil {
		return err
	}
	// A request that is right, as nearly all are, is read in one pass; only for
	// one that is wrong is it worth finding out all that is.
	err := jsonv2.Unmarshal(body, into, jsonv2.RejectUnknownMembers(true))
	if !strict && errors.Is(err, jsonv2.ErrUnknownName) {
		if err = jsonv2.Unmarshal(body, into); err == nil {
			return miscased(body, into)
		}
	}
	if err == nil {
		return nil
	}
	return diagnose(body, into, strict, err)
}

// checkObject refuses what is no object before it is parsed, and what nests so
// deep that parsing it costs more than it is worth.
func checkObject(body []byte) error {
	first := 0
	for first < len(body) && isSpace(body[first]) {
		first++
	}
	if first == len(body) {
		return problem.Invalid("body", "is empty: send a JSON object")
	}
	if body[first] != '{' {
		return problem.Invalid("body", "must be a JSON object: begin with {")
	}
	if tooDeep(body) {
		return problem.Invalid("body", "nests deeper than %d levels: send it flatter", maxDepth)
	}
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// tooDeep counts brackets outside strings. In a text that is no JSON it may count
// wrongly; parsing then finds the rest.
func tooDeep(body []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
