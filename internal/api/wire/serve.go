package wire

import (
	"context"
	"encoding/hex"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"errand/internal/audit"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// Headers that every answer carries, in canonical spelling so that they go into
// the header map without work. Answers are data: nothing may run, frame or
// guess them, and no cache may keep them. A page sets its own.
var (
	noSniff  = []string{"nosniff"}
	noScript = []string{"default-src 'none'; frame-ancestors 'none'"}
	noStore  = []string{"no-store"}
	jsonType = []string{"application/json"}
)

// maxPathLog bounds what a path of no route adds to the log.
const maxPathLog = 200

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &Request{server: s, http: hr, writer: w, family: s.cfg.Families[0], ID: requestID(hr.Header)}
	defer r.end(s.cfg.Now())
	header := w.Header()
	header["X-Request-Id"] = []string{r.ID}
	header["X-Content-Type-Options"] = noSniff
	header["Content-Security-Policy"] = noScript
	header["Cache-Control"] = noStore
	ctx := hr.Context()
	stream, err := r.serve(ctx)
	if stream != nil {
		// From here, because what serve needs room for is off the stack by now:
		// a stream may last, and there may be thousands.
		err = r.stream(ctx, stream)
	}
	if err != nil {
		r.fail(ctx, err)
	}
}

// serve finds the route, lets the caller in, and answers, unless the answer is a
// stream, which it returns.
func (r *Request) serve(ctx context.Context) (stream *Response, err error) {
	if err := r.frame(); err != nil {
		return nil, err
	}
	if err := r.match(); err != nil || r.Route == nil {
		return nil, err
	}
	if r.Route.Start != nil && r.server.pressure.over(r.server.cfg.Now()) {
		return nil, crowded() // before its key is looked up and its body read
	}
	if !r.Route.Open && (r.Route.Near == nil || !r.Route.Near(r.http)) {
		if err := r.letIn(ctx); err != nil {
			return nil, err
		}
	}
	if r.http.Method != http.MethodGet {
		ctx = engine.Traced(audit.With(ctx, r.who()), r.Header("Traceparent"))
	}
	if r.Route.HTTP != nil {
		recorder := &recorder{ResponseWriter: r.writer, sent: &r.sent}
		r.Route.HTTP.ServeHTTP(recorder, r.http)
		return nil, nil
	}
	if r.query, err = readQuery(r.http.URL.RawQuery, r.Route.Query, r.Route.Family.Strict); err != nil {
		return nil, err
	}
	if err := r.readBody(); err != nil {
		return nil, err
	}
	answer, err := r.dispatch(ctx)
	r.drain()
	if err != nil {
		maps.Copy(r.writer.Header(), answer.Header) // which run failed, and whether that was told before
		return nil, err
	}
	if answer.Stream != nil {
		return &answer, nil
	}
	if answer.File != nil {
		return nil, r.sendFile(answer)
	}
	if answer.Flow != nil {
		return nil, r.sendFlow(ctx, answer)
	}
	gone := ctx.Err() != nil
	if err := r.send(answer); err != nil {
		return nil, err
	}
	if r.attempt != nil || r.flight != nil {
		// What comes after (remembering) must not hold the answer back.
		r.sent.failed = http.NewResponseController(r.writer).Flush() != nil || r.sent.failed
	}
	r.sent.failed = r.sent.failed || gone
	return nil, nil
}

// unreadPatience is how long a body may take that nobody reads: net/http reads
// it to its end before it answers, for ever if it is allowed to, and the sender
// of such a body need not even have a key.
const unreadPatience = 5 * time.Second

// frame sees to it that where this request ends is beyond doubt, and comes.
func (r *Request) frame() error {
	hr, header := r.http, r.writer.Header()
	if hr.ContentLength != 0 {
		// receive sets a deadline of its own. A writer without one is a test's.
		_ = http.NewResponseController(r.writer).SetReadDeadline(r.server.cfg.Now().Add(unreadPatience))
	}
	if len(hr.TransferEncoding) > 0 && hr.ProtoMajor == 1 {
		// Where chunks end is what proxies disagree about most: nothing that
		// follows on this connection is taken for a request.
		header["Connection"] = []string{"close"}
	}
	if hr.RequestURI != "" && hr.RequestURI[0] != '/' {
		header["Connection"] = []string{"close"}
		return problem.New(problem.InvalidRequest, "The request is for %.80q and not for a path: this server is no proxy. Send the path, and the host in the header Host.", hr.RequestURI)
	}
	return nil
}

// match finds the route. A known path without the method is answered here or
// with an error; then there is no route.
func (r *Request) match() error {
	path := r.http.URL.EscapedPath()
	var place *node
	if strings.HasPrefix(path, "/") {
		place, r.values = r.server.root.find(path, r.room[:0])
	}
	if place == nil {
		r.family = familyOf(r.server.cfg.Families, path)
		return problem.New(problem.NotFound, "There is nothing at this path: /docs lists what there is.")
	}
	r.family = place.family
	method := r.http.Method
	route := place.methods[method]
	if route == nil && method == http.MethodHead {
		route = place.methods[http.MethodGet]
	}
	r.share(place, route)
	if route != nil {
		r.Route, r.family = route, route.Family
		return nil
	}
	r.writer.Header()["Allow"] = []string{place.allow}
	if method == http.MethodOptions {
		return r.send(Response{Status: http.StatusNoContent})
	}
	return problem.New(problem.MethodNotAllowed, "%.20s is not possible here: use one of %s.", method, place.allow)
}

// letIn finds out who the caller is and whether they may do this, now.
func (r *Request) letIn(ctx context.Context) error {
	if err := r.admit(ctx); err != nil {
		return err
	}
	if err := r.pace(ctx); err != nil {
		return err
	}
	if err := r.bound(); err != nil {
		r.denied(ctx, "")
		return err
	}
	err := auth.Allow(r.Caller, r.Route.Scope)
	if err == nil && r.Route.House && r.Caller.Project != auth.DefaultProject {
		err = problem.New(problem.ScopeDenied, "This tells of all projects, and the key %s is of the project %s: use a key of the project %s.",
			r.Caller.KeyName, r.Caller.Project, auth.DefaultProject)
	}
	if err != nil {
		r.denied(ctx, r.Route.Scope)
	}
	return err
}

// admit finds out who the caller is.
func (r *Request) admit(ctx context.Context) (err error) {
	secret := secretOf(r.http.Header)
	token, signed := r.session()
	if !signed && secret == "" && r.family.Guest != nil {
		if guest, welcome := r.family.Guest(r.http); welcome {
			r.Caller = guest
			return nil
		}
	}
	r.changes, r.believed = r.server.cfg.Keys.Changes(), r.server.cfg.Now().Add(believeFor)
	if signed {
		if err := r.sameOrigin(); err != nil {
			return err
		}
		r.Caller, err = r.server.cfg.Keys.Session(ctx, token, true)
		return err
	}
	r.Caller, err = r.server.cfg.Keys.Authenticate(ctx, secret)
	return err
}

// secretOf finds the caller's secret in any of the headers that carry one.
func secretOf(header http.Header) string {
	scheme, secret, _ := strings.Cut(header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(secret)
	}
	if secret := header.Get("X-Api-Key"); secret != "" {
		return secret
	}
	return header.Get("X-Mynd-Key")
}

// maxRequestID bounds an id that a client gives: enough for a UUID with a prefix.
const maxRequestID = 128

// requestID takes the client's id when it is fit for a log line, or makes one. It
// is for finding lines again, not a secret, so cheap randomness will do.
func requestID(header http.Header) string {
	given := header.Get("X-Request-Id")
	if fit := given != "" && len(given) <= maxRequestID; fit {
		for i := 0; i < len(given) && fit; i++ {
			c := given[i]
			fit = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._-:/", c) >= 0
		}
		if fit {
			return given
		}
	}
	var random [12]byte
	for i, word := range [2]uint64{rand.Uint64(), rand.Uint64()} {
		for j := range 6 {
			random[6*i+j] = byte(word >> (8 * j))
		}
	}
	return "req_" + hex.EncodeToString(random[:])
}

// dispatch runs the handler, or finds that this request has been made before.
func (r *Request) dispatch(ctx context.Context) (Response, error) {
	if r.http.Method == http.MethodPost && !r.Route.Open {
		if r.key = r.http.Header.Get("Idempotency-Key"); r.key != "" {
			return r.keyed(ctx)
		}
		if r.Route.Start != nil {
			return r.unkeyed(ctx)
		}
	}
	answer, _, err := r.fresh(ctx)
	return answer, err
}

// fresh does what the request asks for. The id is that of the run that Start
// made, also when the answer failed afterwards.
func (r *Request) fresh(ctx context.Context) (Response, run.ID, error) {
	if r.Route.Start == nil {
		answer, err := r.Route.Handle(ctx, r)
		return answer, run.ID{}, err
	}
	id, err := r.server.start(ctx, r)
	if err != nil {
		return Response{}, run.ID{}, err
	}
	r.server.retries.begun(r.attempt, id)
	answer, err := r.Route.Answer(ctx, r, id)
	return answer, id, err
}

// start makes a run, unless more than enough are being made.
func (s *Server) start(ctx context.Context, r *Request) (run.ID, error) {
	if s.pressure.over(s.cfg.Now()) {
		return run.ID{}, crowded() // it has become so while the body was read
	}
	defer s.pressure.begin(s.cfg.Now())()
	// A client that leaves now must not leave a run behind of which nobody knows
	// whether it was made.
	return r.Route.Start(context.WithoutCancel(ctx), r)
}

// end closes the books on a request: a panic becomes an error, waiting requests
// are released, and the log and the counters hear of it.
func (r *Request) end(began time.Time) {
	cut := false
	if caught := recover(); caught != nil {
		if caught != http.ErrAbortHandler {
			r.server.cfg.Logger.LogAttrs(r.http.Context(), slog.LevelError, "handler panicked",
				slog.String("request_id", r.ID), slog.Any("panic", caught), slog.String("stack", string(debug.Stack())))
		}
		if cut = caught == http.ErrAbortHandler || r.sent.status != 0; !cut {
			r.fail(context.WithoutCancel(r.http.Context()),
				problem.New(problem.Internal, "Something went wrong on this server; its log has the cause under the request id."))
		}
	}
	r.settleKeyed()
	r.server.retries.settle(r.attempt, r.sent.lost())
	r.log(began)
	if cut {
		panic(http.ErrAbortHandler) // the only way to tell a client that half an answer is not all of it
	}
}

// lost reports whether the client is known not to have its answer, or to have
// one after which it tries again.
func (d *delivered) lost() bool {
	if d.stream && d.bytes > 0 {
		return false
	}
	return d.failed || d.status == 0 || d.status >= http.StatusInternalServerError ||
		d.status == http.StatusRequestTimeout || d.status == http.StatusConflict || d.status == http.StatusTooManyRequests
}

// log tells the counters and the log. To the counters a stream's answer is its
// beginning: how long it went on says nothing about this server.
func (r *Request) log(began time.Time) {
	took := r.server.cfg.Now().Sub(began)
	answered := took
	if !r.sent.begun.IsZero() {
		answered = r.sent.begun.Sub(began)
	}
	route, level := "none", slog.LevelInfo
	if r.Route != nil {
		route = r.Route.Path
		if r.Route.Quiet {
			level = slog.LevelDebug
		}
	}
	r.server.cfg.Metrics.Request(route, r.http.Method, r.sent.status, answered)
	logger, ctx := r.server.cfg.Logger, r.http.Context()
	if !logger.Enabled(ctx, level) {
		return
	}
	path := r.http.URL.Path
	if r.Route != nil && r.Route.Hidden {
		path = r.Route.Path
	}
	logger.LogAttrs(ctx, level, "request",
		slog.String("request_id", r.ID), slog.String("method", r.http.Method),
		slog.String("path", path[:min(len(path), maxPathLog)]),
		slog.Int("status", r.sent.status), slog.Float64("ms", float64(took.Microseconds())/1000),
		slog.Int64("bytes", r.sent.bytes), slog.String("key", r.Caller.KeyID))
}

// recorder watches what a Route.HTTP writes.
type recorder struct {
	http.ResponseWriter
	sent *delivered
}

func (w *recorder) WriteHeader(status int) {
	if w.sent.status == 0 && status >= http.StatusOK {
		w.sent.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.sent.status == 0 {
		w.sent.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
