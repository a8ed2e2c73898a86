// Package problem holds the one error type that crosses package borders.
//
// A problem has a Code that programs branch on, a Detail that the caller may
// read, and a private cause that only the log sees. Detail names the field and
// the way to mend it. Everything else wraps with fmt.Errorf("doing x: %w", err)
// and is answered as internal.
//
// To add a code, edit the list in this file; to change which HTTP status a code
// becomes in an API family, edit that dialect's error table.
package problem

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Code is the machine-readable name of a kind of problem. It is part of the
// public API: a code, once released, keeps its meaning.
type Code string

// What a caller can do wrong, or meet.
const (
	InvalidRequest      Code = "invalid_request"      // a field failed validation; Fields lists all of them
	Unauthenticated     Code = "unauthenticated"      // missing, malformed, foreign, revoked or expired key
	ScopeDenied         Code = "scope_denied"         // the key lacks a scope; Detail names requested and granted
	CrossOrigin         Code = "cross_origin"         // a session's cookie on a request that no page of this server has made
	NotFound            Code = "not_found"            // not there, or not in this project
	MethodNotAllowed    Code = "method_not_allowed"   // the path exists, the method does not
	Conflict            Code = "conflict"             // the object's state does not allow it
	PreconditionFailed  Code = "precondition_failed"  // somebody else has changed it since the version that If-Match names
	IdempotencyMismatch Code = "idempotency_mismatch" // same Idempotency-Key, other body
	TooLarge            Code = "too_large"            // a body over its limit
	RateLimited         Code = "rate_limited"         // too many requests; RetryAfter says when
	Overloaded          Code = "overloaded"           // no room now; RetryAfter says when
	StorageFull         Code = "storage_full"         // the disk is full: reads go on, writes wait for space
	QuotaExceeded       Code = "quota_exceeded"       // the project has as much as the operator lets it have
	NotAvailable        Code = "not_available"        // this server has no such feature yet
	Internal            Code = "internal"             // our fault; the cause is in the log
)

// How a model call can fail. The engine decides by code whether to try again.
const (
	ModelAuth        Code = "model_auth"         // the provider refused the key
	ModelRefused     Code = "model_refused"      // the provider refused the request (400, 404, 413, 422)
	ModelRateLimited Code = "model_rate_limited" // 429; RetryAfter if the provider named one
	ModelUnavailable Code = "model_unavailable"  // refused connection, DNS, TLS, 408, 409, 5xx
	ModelTimeout     Code = "model_timeout"      // no first byte, or silence between tokens, for too long
	ModelGarbled     Code = "model_garbled"      // an answer that can't be understood, or ended early
	ModelUnknown     Code = "model_unknown"      // no configured model has this name
)

// How a tool call can fail.
const (
	ToolFailed   Code = "tool_failed"   // a definite failure: nothing happened, or the tool says what did
	ToolChanged  Code = "tool_changed"  // the tool is no longer what the call was planned for; nothing happened
	ToolUnknown  Code = "tool_unknown"  // the request left and no answer came: nobody knows what happened
	EgressDenied Code = "egress_denied" // the address is not one that this server may call
)

// Error is a problem. Make one with New or Invalid, add a cause with Because.
type Error struct {
	Code       Code
	Detail     string            // public: one or two sentences, the field and the mend
	Fields     map[string]string // public: message by field path, for InvalidRequest and Conflicting
	RetryAfter time.Duration     // public: zero when the problem does not name a time
	Doc        string            // public: an allow-list of choices or a page, may be empty
	cause      error
}

// New returns a problem with a public detail made by fmt.Sprintf.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Invalid returns an InvalidRequest about one field.
func Invalid(field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{Code: InvalidRequest, Detail: field + ": " + message, Fields: map[string]string{field: message}}
}

// Conflicting returns a Conflict about one field: with what is there already, or with
// how it stands.
func Conflicting(field, format string, args ...any) *Error {
	e := Invalid(field, format, args...)
	e.Code = Conflict
	return e
}

// InvalidFields returns an InvalidRequest about all the given fields, or nil if
// there are none. Detail lists them in alphabetical order.
func InvalidFields(fields map[string]string) *Error {
	if len(fields) == 0 {
		return nil
	}
	lines := make([]string, 0, len(fields))
	for field, message := range fields {
		lines = append(lines, field+": "+message)
	}
	sort.Strings(lines)
	for i := range lines[:len(lines)-1] { // a semicolon ends them
		lines[i] = strings.TrimSuffix(lines[i], ".")
	}
	return &Error{Code: InvalidRequest, Detail: strings.Join(lines, "; "), Fields: fields}
}

// Because returns a copy of e with a private cause.
func (e *Error) Because(cause error) *Error {
	copied := *e
	copied.cause = cause
	return &copied
}

// Error is for logs: it has the private cause in it. Public answers use Detail.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.cause)
	}
	return string(e.Code) + ": " + e.Detail
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// From returns the problem in err's chain, or an Internal one with err as its
// cause. It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var found *Error
	if errors.As(err, &found) {
		return found
	}
	return New(Internal, "Something went wrong on this server; its log has the cause under the request id.").Because(err)
}

// Is reports whether err is, or wraps, a problem with this code.
func Is(err error, code Code) bool {
	var found *Error
	return errors.As(err, &found) && found.Code == code
}
