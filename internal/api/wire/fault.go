package wire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/problem"
)

// clientGone is the status in the log of a request whose client went away
// before its answer; nobody receives it.
const clientGone = 499

// Status is the HTTP status of a problem's code. It is the one table; a dialect
// whose document says otherwise asks it for the rest.
func Status(code problem.Code) int {
	switch code {
	case problem.InvalidRequest, problem.ModelUnknown, problem.ModelRefused, problem.EgressDenied:
		return http.StatusBadRequest
	case problem.Unauthenticated:
		return http.StatusUnauthorized
	case problem.ScopeDenied, problem.CrossOrigin:
		return http.StatusForbidden
	case problem.NotFound:
		return http.StatusNotFound
	case problem.MethodNotAllowed:
		return http.StatusMethodNotAllowed
	case problem.Conflict, problem.IdempotencyMismatch:
		return http.StatusConflict
	case problem.PreconditionFailed:
		return http.StatusPreconditionFailed
	case problem.TooLarge:
		return http.StatusRequestEntityTooLarge
	case problem.RateLimited, problem.ModelRateLimited:
		return http.StatusTooManyRequests
	case problem.NotAvailable:
		return http.StatusNotImplemented
	case problem.ModelAuth, problem.ModelUnavailable, problem.ModelGarbled, problem.ToolFailed, problem.ToolUnknown:
		return http.StatusBadGateway
	case problem.Overloaded:
		return http.StatusServiceUnavailable
	case problem.ModelTimeout:
		return http.StatusGatewayTimeout
	case problem.StorageFull, problem.QuotaExceeded:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// nativeFault is the error body of the native API. The same map is at two places
// because its document leaves open which one, and clients look for either.
type nativeFault struct {
	Error  nativeError       `json:"error"`
	Errors map[string]string `json:"errors,omitempty"`
}

type nativeError struct {
	Code      problem.Code      `json:"code"`
	Message   string            `json:"message"`
	Type      string            `json:"type"`  // for clients of the OpenAI kind
	Param     *string           `json:"param"` // likewise: the first field that is wrong
	DocURL    string            `json:"doc_url"`
	RequestID string            `json:"request_id"`
	Errors    map[string]string `json:"errors,omitempty"`
}

// NativeFault is the native API's error: {"error":{code,message,type,param,
// doc_url,request_id,errors?},"errors"?}.
func NativeFault(f Fault) (int, any) {
	status := Status(f.Code)
	body := nativeFault{Errors: f.Fields, Error: nativeError{
		Code: f.Code, Message: f.Detail, Type: Kind(status), DocURL: f.DocURL, RequestID: f.RequestID, Errors: f.Fields,
	}}
	for field := range f.Fields {
		if body.Error.Param == nil || field < *body.Error.Param {
			body.Error.Param = &field
		}
	}
	return status, body
}

// Kind is the coarse kind of an error of this HTTP status, which OpenAI's clients know.
func Kind(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusConflict:
		return "conflict_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	}
	if status >= http.StatusInternalServerError {
		return "server_error"
	}
	return "invalid_request_error"
}

// fail answers with an error in the family's shape. An internal error's cause is
// logged here, once, and told to nobody else.
func (r *Request) fail(ctx context.Context, err error) {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		r.sent.status, r.sent.failed = clientGone, true
		return
	}
	e := bounded(problem.From(err))
	fault := Fault{Error: e, RequestID: r.ID, DocURL: r.server.cfg.DocURL + string(e.Code)}
	if strings.HasPrefix(e.Doc, "/") || strings.Contains(e.Doc, "://") {
		fault.DocURL = e.Doc
	}
	encodeFault := NativeFault
	if r.family.Fault != nil {
		encodeFault = r.family.Fault
	}
	status, body := encodeFault(fault)
	if status >= http.StatusInternalServerError && (e.Code == problem.Internal || e.Unwrap() != nil) {
		r.server.cfg.Logger.LogAttrs(ctx, slog.LevelError, "request failed",
			slog.String("request_id", r.ID), slog.String("code", string(e.Code)), slog.String("error", err.Error()))
	}
	header := r.writer.Header()
	faultHeaders(header, e, status)
	if err := r.send(Response{Status: status, Body: body}); err != nil {
		r.server.cfg.Logger.LogAttrs(ctx, slog.LevelError, "an error could not be encoded",
			slog.String("request_id", r.ID), slog.String("error", err.Error()))
		r.sent.status = http.StatusInternalServerError
		r.writer.WriteHeader(http.StatusInternalServerError)
	}
}

// maxDetail and maxField bound, in bytes, what an error repeats of what the caller
// has sent: enough to recognise it by.
const (
	maxDetail = 4 << 10
	maxField  = 512
)

// bounded returns e, or a shorter form of it.
func bounded(e *problem.Error) *problem.Error {
	long := len(e.Detail) > maxDetail
	for field, message := range e.Fields {
		long = long || len(field) > maxField || len(message) > maxField
	}
	if !long {
		return e
	}
	short := *e
	short.Detail = clip(e.Detail, maxDetail)
	short.Fields = make(map[string]string, len(e.Fields))
	for field, message := range e.Fields {
		short.Fields[clip(field, maxField)] = clip(message, maxField)
	}
	return &short
}

func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}

// faultHeaders tells clients when to try again, and when not to: the SDKs repeat
// a 409 by themselves unless they are told that it will not help.
func faultHeaders(header http.Header, e *problem.Error, status int) {
	if status == http.StatusUnauthorized {
		header["Www-Authenticate"] = []string{"Bearer"}
	}
	wait := e.RetryAfter
	if wait == 0 && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests) {
		wait = time.Second
	}
	if wait > 0 {
		header["Retry-After"] = []string{strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)}
	}
	if deterministic(status) {
		header["X-Should-Retry"] = []string{"false"}
	}
	if e.Code == problem.TooLarge {
		header["Connection"] = []string{"close"} // the rest of the body is not worth reading
	}
}

// deterministic reports whether the same request would get the same error again.
func deterministic(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return false
	case http.StatusNotImplemented:
		return true
	}
	return status >= http.StatusBadRequest && status < http.StatusInternalServerError
}
