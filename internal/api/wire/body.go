package wire

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"errand/internal/problem"
)

const (
	// bodyPatience and bodyRate bound how long a body may take: a slow line
	// passes, a client that only wants to hold a connection does not.
	bodyPatience = 20 * time.Second
	bodyRate     = 64 << 10 // bytes per second of what the route allows
	// bodyTrust is how much memory a Content-Length gets before anything arrived.
	bodyTrust = 64 << 10
)

// readBody reads the body within the route's limit.
func (r *Request) readBody() error {
	method := r.http.Method
	if method == http.MethodGet || method == http.MethodHead || r.http.ContentLength == 0 {
		return nil
	}
	if coding := r.http.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return problem.Invalid("Content-Encoding", "%.40q is not understood: send the body as it is, without compression", coding)
	}
	limit := r.Route.Body
	if limit == 0 {
		limit = DefaultBody
	}
	if r.http.ContentLength > limit {
		return tooLarge(limit)
	}
	if r.Route.Raw {
		r.raw = &rawBody{r: r, left: limit, limit: limit, patience: r.hurry(limit)}
		return nil
	}
	body, err := r.receive(limit)
	if err != nil {
		return err
	}
	r.Body = body
	if len(body) == 0 {
		return nil
	}
	return checkType(r.http.Header.Get("Content-Type"))
}

func tooLarge(limit int64) error {
	return problem.New(problem.TooLarge, "The body is larger than the %d bytes that are possible here: send less.", limit)
}

// receive reads up to limit bytes under a deadline of its own. The server has no
// read timeout for whole requests, because that would end streams too.
func (r *Request) receive(limit int64) ([]byte, error) {
	patience := r.hurry(limit)
	var body bytes.Buffer
	if n := r.http.ContentLength; n > 0 {
		// One byte more lets the buffer see the end without growing.
		body.Grow(int(min(n, bodyTrust)) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(r.http.Body, limit+1))
	switch {
	case n > limit:
		return nil, tooLarge(limit)
	case err != nil:
		return nil, r.cut(err, patience)
	}
	return body.Bytes(), nil
}

// hurry sets the deadline for a body of up to limit bytes and returns how long it
// may take.
func (r *Request) hurry(limit int64) time.Duration {
	patience := bodyPatience + time.Duration(limit/bodyRate)*time.Second
	// net/http takes the deadline off again when the body has ended, so that it
	// does not cut a long answer short. A writer without deadlines is a test's.
	_ = http.NewResponseController(r.writer).SetReadDeadline(r.server.cfg.Now().Add(patience))
	return patience
}

// cut says why a body did not arrive whole.
func (r *Request) cut(err error, patience time.Duration) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.writer.Header()["Connection"] = []string{"close"}
		return problem.New(problem.InvalidRequest, "The body did not arrive within %s: send it again, faster.", patience)
	case r.http.Context().Err() != nil:
		return r.http.Context().Err()
	}
	return problem.New(problem.InvalidRequest, "The body did not arrive whole: send it again.").Because(err)
}

// checkType accepts JSON, no word at all, and what curl -d says of a body when it
// is not told otherwise. A form on a foreign page could say that too, but it
// can't bring a key, and a session's cookie is no good on a foreign page's request.
func checkType(given string) error {
	if given == "" || given == "application/json" || given == "application/x-www-form-urlencoded" {
		return nil
	}
	kind, params, err := mime.ParseMediaType(given)
	charset := params["charset"]
	if err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")) &&
		(charset == "" || strings.EqualFold(charset, "utf-8")) {
		return nil
	}
	return problem.Invalid("Content-Type", "%.80q is not understood: send JSON with Content-Type: application/json", given)
}
