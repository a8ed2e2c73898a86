package wire

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"errand/internal/audit"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// Request is what a handler gets.
type Request struct {
	Caller auth.Caller
	ID     string // the request's id, as in X-Request-Id
	Route  *Route
	Body   []byte
	Value  any // whatever Start leaves for Answer; nil when Start was not called

	server *Server
	http   *http.Request
	writer http.ResponseWriter
	family *Family
	values []string
	room   [maxValues]string
	query  url.Values

	raw      *rawBody  // of a route that reads its own
	hash     string    // of query and body, once asked for
	key      string    // the Idempotency-Key of a POST that honours it
	flight   *flight   // set while this request does the work for its key
	changes  int       // of keys, when the caller's was looked up
	believed time.Time // until when that holds if there are no further ones
	standing Standing  // of the caller's key
	attempt  *attempt  // set when unkeyed retries may look for this request
	sent     delivered // what has left the server
}

// delivered is what the log and the counters tell of an answer.
type delivered struct {
	status int
	bytes  int64
	failed bool // the connection broke while it was written
	stream bool
	begun  time.Time // of a stream: when its first bytes left
}

// Path returns the value of {name} in the route's path, unescaped.
func (r *Request) Path(name string) string {
	for i, known := range r.Route.names {
		if known == name {
			return r.values[i]
		}
	}
	return ""
}

// RunID reads {id} of the path in any spelling; what is none is not_found.
func (r *Request) RunID() (run.ID, error) {
	id, err := run.ParseID(r.Path("id"))
	if err != nil {
		return id, problem.New(problem.NotFound, "There is no run %q in this project: GET /v1/runs lists them.", r.Path("id")).Because(err)
	}
	return id, nil
}

// Method returns the HTTP method.
func (r *Request) Method() string { return r.http.Method }

// Header returns a header's first value.
func (r *Request) Header(name string) string { return r.http.Header.Get(name) }

// Headers returns all values of a header that is a list, and whether it was sent at all.
func (r *Request) Headers(name string) (list string, sent bool) {
	values := r.http.Header.Values(name)
	return strings.Join(values, ","), len(values) > 0
}

// From returns the address that the request came from, without its port.
func (r *Request) From() string { return Peer(r.http) }

// Peer is the address that a request came from, without its port: behind proxies that
// are trusted that of their client, because they are taken off before a request gets
// here. It is for routes that answer by themselves.
func Peer(hr *http.Request) string {
	host, _, err := net.SplitHostPort(hr.RemoteAddr)
	if err != nil {
		return hr.RemoteAddr // a test's
	}
	return host
}

// who is the caller as the audit log names it.
func (r *Request) who() audit.Who {
	return audit.Who{
		Actor: r.Caller.KeyID, Name: r.Caller.KeyName, Project: r.Caller.Project, From: r.From(), Request: r.ID,
	}
}

// Query reads the query's parameters. Call its Err when all are read.
func (r *Request) Query() *Query { return &Query{values: r.query} }

// Empty reports whether the request has no body, for routes where that is fine.
func (r *Request) Empty() bool { return len(r.Body) == 0 }

// Decode reads the body, one JSON object, into a struct by its json tags. Its
// error is an invalid_request that lists every field that is wrong. Fields of
// type json.RawMessage keep their bytes.
func (r *Request) Decode(into any) error { return Decode(r.Body, into, r.Route.Family.Strict) }
