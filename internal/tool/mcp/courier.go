package mcp

import (
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
)

const (
	// maxMessage bounds one message of a server: far above what a model may read,
	// so that images fit.
	maxMessage = 8 << 20

	// keepAlive is how long an idle connection is kept for requests that may be
	// repeated: shorter than any common server keeps it.
	keepAlive = time.Second

	// streamLife bounds one stream of events: a day, after which it is opened anew.
	streamLife = 24 * time.Hour

	// redirects are followed at the same origin: many servers have their route
	// with a slash at its end, and send whoever leaves it out there.
	redirects = 3
)

// flight is what is known of a request on its way. It travels in the context.
type flight struct {
	safe   bool // it may be repeated
	sent   atomic.Bool
	status atomic.Int64                  // of the answer; 0 = none came
	denied atomic.Pointer[problem.Error] // why this server did not send it
}

type flightKey struct{}

func withFlight(ctx context.Context, f *flight) context.Context {
	return context.WithValue(ctx, flightKey{}, f)
}

func flightOf(ctx context.Context) *flight {
	f, _ := ctx.Value(flightKey{}).(*flight)
	return f
}

// gone reports whether the server has said that it doesn't know the session any
// more: it has done nothing then.
func (f *flight) gone() bool { return f.status.Load() == http.StatusNotFound }

// refused reports whether an answer says that the request was not carried out.
func (f *flight) refused() bool {
	status := f.status.Load()
	return status >= 300 && status < 500 || status == http.StatusServiceUnavailable
}

// courier carries one session's requests. It alone knows the credentials, and
// hands them to the server's own origin only.
type courier struct {
	http       *http.Client
	kept       http.RoundTripper // for what may be repeated
	fresh      http.RoundTripper // for calls: a connection each, so that no idle one that the server closes makes an outcome unknown
	origin     string
	headers    map[string]string
	wait       time.Duration // for the begin of an answer
	streamable bool
	status     atomic.Int64 // of the last answer to a POST
}

func (s *Servers) courier(e *endpoint) *courier {
	c := &courier{wait: e.timeout, headers: maps.Clone(e.credentials.Headers)}
	options := egress.Options{Redirects: redirects, Timeout: streamLife, MaxBody: 1 << 40} // messages have a bound of their own
	if u, err := url.Parse(e.credentials.URL); err == nil {
		c.origin = originOf(u)
		if e.origin == Configured {
			options.Own = egress.HostPort(u) // the operator has named it, wherever it is
		}
	}
	if c.headers == nil {
		c.headers = map[string]string{}
	}
	if e.credentials.Token != "" {
		c.headers["Authorization"] = "Bearer " + e.credentials.Token
	}
	if !slices.ContainsFunc(slices.Collect(maps.Keys(c.headers)), func(name string) bool { return strings.EqualFold(name, "user-agent") }) {
		c.headers["User-Agent"] = s.cfg.Agent
	}
	c.fresh = s.cfg.Guard.Client(options).Transport
	options.KeepAlive = keepAlive
	c.http = s.cfg.Guard.Client(options)
	c.kept, c.http.Transport = c.http.Transport, c
	return c
}

// client is what a transport of the protocol sends with.
func (c *courier) client(streamable bool) *http.Client {
	c.streamable = streamable
	return c.http
}

// elsewhere refuses another origin than the server's own: whoever can make this
// server speak to one could collect what was meant for the first.
func elsewhere(u *url.URL) error {
	return problem.New(problem.EgressDenied, "The MCP server sends its client to another origin (%s://%s), which this server does not follow: give that URL itself if it is the right one.", u.Scheme, u.Host)
}

// errMute says that a server has taken a request and begins no answer.
var errMute = errors.New("no answer began in time")

// RoundTrip sends one request.
func (c *courier) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.route(req)
	if f := flightOf(req.Context()); f != nil && err != nil {
		f.status.Store(0) // of an earlier request, which is not what went wrong
		if denied, ok := egress.Public(err); ok {
			f.denied.Store(denied) // the protocol's client may make a text of it
		}
	}
	return resp, err
}

func (c *courier) route(req *http.Request) (*http.Response, error) {
	if originOf(req.URL) != c.origin {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper owns the body
		}
		return nil, elsewhere(req.URL)
	}
	if c.streamable && req.Method == http.MethodGet && req.Header.Get("Last-Event-ID") == "" {
		return c.listen(req), nil
	}
	return c.send(req)
}

// send makes a request with the credentials, and notes what becomes of it.
func (c *courier) send(req *http.Request) (*http.Response, error) {
	f := flightOf(req.Context())
	ctx, cancel := context.WithCancelCause(req.Context())
	if f != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { f.sent.Store(true) }})
	}
	mute := time.AfterFunc(c.wait, func() { cancel(errMute) })
	if f != nil && !f.safe {
		mute.Stop() // a call has a time of its own, and progress may stretch it
	}
	req = req.Clone(ctx)
	for name, value := range c.headers {
		req.Header.Set(name, value)
	}
	next := c.kept
	if f != nil && !f.safe {
		next = c.fresh
	}
	resp, err := next.RoundTrip(req)
	mute.Stop()
	if err != nil {
		if context.Cause(ctx) == errMute {
			err = errMute
		}
		cancel(nil)
		return nil, err
	}
	if req.Method == http.MethodPost {
		c.status.Store(int64(resp.StatusCode))
		if f != nil {
			f.status.Store(int64(resp.StatusCode))
		}
	}
	resp.Body = &parcel{ReadCloser: resp.Body, cancel: func() { cancel(nil) }, left: maxMessage, endless: isStream(resp)}
	return resp, nil
}

// isStream reports whether an answer is a stream of events, each of which has a
// bound of its own.
func isStream(resp *http.Response) bool {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return err == nil && media == "text/event-stream" && resp.StatusCode == http.StatusOK
}

// parcel is the body of an answer.
type parcel struct {
	io.ReadCloser
	cancel  context.CancelFunc
	left    int
	endless bool
}

// errLong says that a message is longer than anyone could use.
var errLong = errors.New("the answer is longer than this server reads")

// Read reads, up to the bound of a message.
func (p *parcel) Read(into []byte) (int, error) {
	n, err := p.ReadCloser.Read(into)
	if p.endless {
		return n, err
	}
	if p.left -= n; p.left < 0 {
		return 0, errLong
	}
	return n, err
}

// Close ends the request, too.
func (p *parcel) Close() error {
	err := p.ReadCloser.Close()
	p.cancel()
	return err
}

// originOf is scheme, host and port, in one spelling.
func originOf(u *url.URL) string { return strings.ToLower(u.Scheme + "://" + egress.HostPort(u)) }
