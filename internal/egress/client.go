package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
)

// Options say how a client behaves. The zero Options follow no redirect, keep no
// connection, and have the default caps.
type Options struct {
	Redirects int           // hops that are followed; 0 = none: the caller gets the 3xx
	Timeout   time.Duration // for all of a call, its body included; 0 = a minute
	MaxBody   int64         // bytes of a body, uncompressed; 0 = 16 MiB
	KeepAlive time.Duration // how long an idle connection is kept; 0 = never
	// Own is a server that the operator's settings name, as host:port: it is
	// called wherever its name leads. Whatever it redirects to is not.
	Own string
	// Holes calls only what the operator has allowed, and nothing that is public:
	// for what must not travel the Internet without TLS.
	Holes bool
}

// The caps that hold when Options name none.
const (
	defaultTimeout = time.Minute
	defaultBody    = 16 << 20
	maxHeader      = 256 << 10 // of an answer: far above any honest one
	tlsTimeout     = 10 * time.Second
)

// Client returns an HTTP client that calls only what the guard lets through. It
// speaks HTTP/1.1, so that one connection carries one call at a time and what
// was sent when it broke is known. CloseIdleConnections ends it.
func (g *Guard) Client(o Options) *http.Client {
	if o.Holes {
		g = g.within()
	}
	transport := &http.Transport{
		Proxy:                  nil, // one from the environment would do the dialing, unchecked
		DialContext:            g.dial(o.Own),
		TLSHandshakeTimeout:    tlsTimeout,
		DisableKeepAlives:      o.KeepAlive == 0,
		IdleConnTimeout:        o.KeepAlive,
		MaxIdleConnsPerHost:    64,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(true)
	client := &http.Client{
		Transport:     &capped{next: transport, limit: o.MaxBody},
		CheckRedirect: redirects(o.Redirects),
		Timeout:       o.Timeout,
	}
	if o.Timeout == 0 {
		client.Timeout = defaultTimeout
	}
	return client
}

// capped checks each request's scheme, the first one's and each hop's, and bounds
// each answer's body. Hosts are checked by Dial.
type capped struct {
	next  *http.Transport
	limit int64
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (c *capped) CloseIdleConnections() { c.next.CloseIdleConnections() }

func (c *capped) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkScheme(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper owns the body
		}
		return nil, err
	}
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	limit := c.limit
	if limit == 0 {
		limit = defaultBody
	}
	resp.Body = &body{ReadCloser: resp.Body, left: limit, limit: limit}
	return resp, nil
}

func checkScheme(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return problem.New(problem.EgressDenied,
			"%s is a %q URL, which this server does not call: only http and https can be allowed by its operator.", u.Host, u.Scheme)
	}
	return nil
}

// body is a response body that ends in an error when it is longer than its cap.
type body struct {
	io.ReadCloser
	left, limit int64
}

func (b *body) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte more than the cap tells a full body from a longer one
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		return int(b.left), problem.New(problem.TooLarge, "The answer is longer than %d bytes, which is as much as this server reads.", b.limit)
	}
	b.left -= int64(n)
	return n, err
}

// harmless are the headers that go with a redirect to another origin. All others
// may hold a credential, in whatever header a service takes it.
var harmless = []string{"Accept", "Accept-Language", "Accept-Encoding", "User-Agent"}

func redirects(most int) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		if most == 0 {
			return http.ErrUseLastResponse
		}
		if len(via) > most {
			return problem.New(problem.ToolFailed, "%s redirects more than %d times, which is as often as this server follows.", via[0].URL.Host, most)
		}
		req.URL.User = nil // a redirect brings no credentials of its own
		left := false
		for _, earlier := range via {
			left = left || origin(earlier.URL) != origin(req.URL)
		}
		if !left {
			return nil
		}
		if req.Body != nil && req.Body != http.NoBody {
			return problem.New(problem.ToolFailed, "%s redirects a request with a body to another origin, which this server does not follow.", via[0].URL.Host)
		}
		for name := range req.Header {
			if !slices.Contains(harmless, name) {
				req.Header.Del(name)
			}
		}
		return nil
	}
}

// origin is scheme, host and port, in one spelling.
func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(HostPort(u)) }

// Public returns the problem inside a client's error, if there is one: an
// http.Client wraps what its transport says.
func Public(err error) (*problem.Error, bool) {
	var found *problem.Error
	return found, errors.As(err, &found)
}

// Unreached says why a request had no answer, without what would show the network of
// this server's operator. limit is the time after which ctx has ended the wait.
func Unreached(ctx context.Context, err error, limit time.Duration) string {
	var untrusted *tls.CertificateVerificationError
	var timed interface{ Timeout() bool }
	if told, ok := Public(err); ok {
		return told.Detail
	}
	switch {
	case ctx.Err() != nil || errors.As(err, &timed) && timed.Timeout():
		return fmt.Sprintf("It did not answer within %d seconds.", int(limit.Seconds()))
	case errors.As(err, &untrusted):
		return "Its certificate is not trusted here."
	}
	return "It could not be reached."
}
