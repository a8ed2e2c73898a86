package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"errand/internal/problem"
)

// dialTimeout is how long a connection may take: longer than three lost SYNs on
// a slow line, shorter than a person's patience.
const dialTimeout = 10 * time.Second

// Config is what a Guard needs. The zero Config refuses everything non-public.
type Config struct {
	Allow    []Hole        // from ParseAllow
	Resolver *net.Resolver // nil = the system's
}

// Guard decides which addresses may be called. It is safe for concurrent use.
type Guard struct {
	allow  []Hole
	only   bool // nothing but the holes, not even what is public
	dialer net.Dialer
}

// New returns a guard.
func New(cfg Config) *Guard {
	g := &Guard{allow: cfg.Allow}
	g.dialer = net.Dialer{Timeout: dialTimeout, Resolver: cfg.Resolver, ControlContext: g.control}
	return g
}

// within is the guard that lets through what its operator has allowed and nothing
// else.
func (g *Guard) within() *Guard {
	inner := New(Config{Allow: g.allow, Resolver: g.dialer.Resolver})
	inner.only = true
	return inner
}

// refusal is a checked address that may not be called. Its text is for the log.
type refusal struct {
	addr netip.AddrPort
	kind string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s is a %s address", r.addr, r.kind) }

// control is called by the dialer with each address that it is about to connect
// to, after name resolution and before the first packet.
func (g *Guard) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	addr, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("refusing to connect to %s over %s", address, network)
	}
	return g.check(addr)
}

func (g *Guard) check(addr netip.AddrPort) error {
	plain := canonical(addr.Addr())
	for _, hole := range g.allow {
		if hole.covers(plain, addr.Port()) {
			return nil
		}
	}
	if kind, yes := nonPublic(plain); yes {
		return &refusal{addr: addr, kind: kind}
	}
	if g.only {
		return &refusal{addr: addr, kind: public}
	}
	return nil
}

// Dial connects to host:port if the address that it resolves to may be called.
// A refusal is an egress_denied problem.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dialing %s: %w", address, err)
	}
	if err := checkHost(host); err != nil {
		return nil, err
	}
	conn, err := g.dialer.DialContext(ctx, network, address)
	var refused *refusal
	if errors.As(err, &refused) {
		return nil, denied(host, refused)
	}
	return conn, err
}

// dial is Dial but for one address that the operator has named.
func (g *Guard) dial(own string) func(context.Context, string, string) (net.Conn, error) {
	if own == "" {
		return g.Dial
	}
	trusting := net.Dialer{Timeout: dialTimeout, Resolver: g.dialer.Resolver}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.EqualFold(address, own) {
			return trusting.DialContext(ctx, network, address)
		}
		return g.Dial(ctx, network, address)
	}
}

// HostPort is the address that a client dials for a URL: what Options.Own wants.
func HostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// public is the kind of an address that is refused for being called without TLS.
const public = "public"

// denied is the public form of a refusal.
func denied(host string, why *refusal) error {
	if why.kind == public {
		return problem.New(problem.EgressDenied,
			"%s is called with https only: without it, this server calls nothing but addresses that its operator has allowed in ERRAND_EGRESS_ALLOW.", host).Because(why)
	}
	where := "leads to"
	if _, err := netip.ParseAddr(host); err == nil {
		where = "is"
	}
	return problem.New(problem.EgressDenied,
		"%s %s a non-public address (%s), which this server does not call. Its operator can allow it by adding the address's block to ERRAND_EGRESS_ALLOW, for example 10.0.0.0/8 or 10.0.0.0/8:8080.",
		host, where, why.kind).Because(why)
}

// checkHost refuses hosts that are an IP address in a spelling which some
// resolvers read and others look up: 2130706433, 0177.0.0.1, 0x7f.1, 127.1. A
// name whose last label is a number is no DNS name.
func checkHost(host string) error {
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	trimmed := strings.TrimSuffix(host, ".")
	last := trimmed[strings.LastIndexByte(trimmed, '.')+1:]
	if !numeric(last) {
		return nil
	}
	return problem.New(problem.EgressDenied,
		"%s is an IP address in an unusual spelling, which this server does not call. Write it with four decimal numbers; if it is not public, its operator can allow it in ERRAND_EGRESS_ALLOW.", host)
}

// numeric reports whether a label is a decimal, octal or hexadecimal number.
func numeric(label string) bool {
	digits := "0123456789"
	if rest, ok := strings.CutPrefix(strings.ToLower(label), "0x"); ok {
		label, digits = rest, digits+"abcdef"
		if label == "" {
			return true // inet_aton reads 0x as zero
		}
	}
	return label != "" && strings.Trim(strings.ToLower(label), digits) == ""
}

// CheckURL reports whether the text is a URL that this server could be asked to
// call: absolute, http or https, with a host and without user, password or
// fragment. Where its host leads is checked when it is called.
func CheckURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("this is not a URL: want one such as https://example.com/path")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("the URL must begin with http:// or https://")
	case u.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case u.User != nil:
		return nil, errors.New("a user or password in the URL is not accepted: send a header instead")
	case u.Fragment != "" || strings.Contains(text, "#"):
		return nil, errors.New("a fragment (#…) is not accepted: it is never sent")
	}
	return u, nil
}
