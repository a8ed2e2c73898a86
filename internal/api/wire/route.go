package wire

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// DefaultBody is the limit of a body where the route names none, in bytes.
const DefaultBody = 1 << 20

// maxValues bounds the {names} of one path; they are kept without a map.
const maxValues = 4

// Family is one public API: what its errors look like and how strict it is.
type Family struct {
	Name     string
	Prefixes []string // of paths: decide whose 404 an unknown path gets; the longest wins
	// Strict families refuse unknown fields and query parameters; the others
	// ignore what they do not know.
	Strict bool
	// Fault turns a problem into status and body; nil = NativeFault.
	Fault func(Fault) (status int, body any)
	// Headers are on every answer of the family, beside wire's own; nil = none. They may
	// tell how the caller's key stands with its limit.
	Headers func(now time.Time, s Standing) http.Header
	// Session says that its routes take the cookie of a session in place of a key: see
	// session.go.
	Session bool
	// Guest is who a request without a key is; nil, or false, = nobody: 401.
	Guest func(hr *http.Request) (auth.Caller, bool)
	// Origin reports whether pages of an origin may send requests here and read the
	// answers; nil = no other origin's.
	Origin func(origin string) bool
}

// Fault is a problem on its way out.
type Fault struct {
	*problem.Error
	RequestID string
	DocURL    string // of the page about this code
}

// Handler answers a request with a value or an error.
type Handler func(ctx context.Context, r *Request) (Response, error)

// Route is one line of the table. Exactly one of Handle, Start and HTTP is set.
type Route struct {
	Method string // GET also answers HEAD
	Path   string // /v1/runs/{id}; a last segment {rest...} takes all that follows
	Family *Family
	Scope  string // checked at the door; empty = any key will do
	Open   bool   // needs no key
	House  bool   // it tells of all projects: for keys of the default one alone
	// Near reports whether a request may do without a key; nil = none may, unless Open.
	Near   func(*http.Request) bool
	Query  []string // the parameters that it knows
	Body   int64    // limit in bytes; 0 = DefaultBody
	Raw    bool     // the body is no JSON, and Handle reads it: see Request.Reader
	Secret bool     // its answers hold a secret: remembered only encrypted
	Quiet  bool     // logged at debug level: probes
	Hidden bool     // its path holds a secret: the log shows the table's
	Bound  bool     // a key that is for some agents alone may call it: it sees to it that such a key sees no others
	Shared bool     // pages of Config.Origins may call it and read its answers: what SDKs in browsers call

	// Handle answers. A POST that writes rows puts Request.Remember's into the
	// same commit; for any other POST wire remembers the answer by itself.
	Handle Handler

	// Start makes a run and Answer answers from it. Start puts Request.Claim's
	// rows and Request.Fingerprint into what it gives the engine; it is not
	// interrupted when the client goes away. Answer may be called without Start,
	// by a later request that turns out to be the same one.
	Start  func(ctx context.Context, r *Request) (run.ID, error)
	Answer func(ctx context.Context, r *Request, id run.ID) (Response, error)

	// HTTP answers by itself: pages, files, metrics. Of all the above only
	// Open, Near, Scope, House, Quiet and Hidden hold for it.
	HTTP http.Handler

	names []string // of the path's {names}, in order
}

// check reports what is wrong with a line of the table.
func (t *Route) check() error {
	ways := 0
	for _, set := range []bool{t.Handle != nil, t.Start != nil, t.HTTP != nil} {
		if set {
			ways++
		}
	}
	switch {
	case t.Method == "" || !strings.HasPrefix(t.Path, "/"):
		return fmt.Errorf("the route %q %q needs a method and a path", t.Method, t.Path)
	case ways != 1 || (t.Start == nil) != (t.Answer == nil):
		return fmt.Errorf("the route %s %s needs one of Handle, Start with Answer, and HTTP", t.Method, t.Path)
	case t.Family == nil:
		return fmt.Errorf("the route %s %s belongs to no family", t.Method, t.Path)
	case t.Open && (t.Scope != "" || t.Start != nil):
		return fmt.Errorf("the route %s %s is open but needs to know its caller", t.Method, t.Path)
	}
	return nil
}

// node is a place in the tree of paths: one segment deeper than its parent.
type node struct {
	fixed   map[string]*node
	value   *node // any one segment
	rest    *node // all further segments
	methods map[string]*Route
	allow   string // the Allow header
	shared  string // of the Shared ones alone; empty = there are none
	family  *Family
}

// plant adds a route to the tree.
func (n *node) plant(route *Route) error {
	route.names = nil
	for segment := range strings.SplitSeq(route.Path[1:], "/") {
		name, isValue := strings.CutPrefix(segment, "{")
		name, isRest := strings.CutSuffix(name, "...}")
		switch {
		case isValue && isRest:
			n.rest = grown(n.rest)
			n = n.rest
			route.names = append(route.names, name)
		case isValue:
			n.value = grown(n.value)
			n = n.value
			route.names = append(route.names, strings.TrimSuffix(name, "}"))
		default:
			if n.fixed == nil {
				n.fixed = map[string]*node{}
			}
			n.fixed[segment] = grown(n.fixed[segment])
			n = n.fixed[segment]
		}
	}
	if n.methods == nil {
		n.methods, n.family = map[string]*Route{}, route.Family
	}
	if len(route.names) > maxValues {
		return fmt.Errorf("the route %s has more than %d values in its path", route.Path, maxValues)
	}
	if n.methods[route.Method] != nil {
		return fmt.Errorf("the route %s %s is in the table twice", route.Method, route.Path)
	}
	n.methods[route.Method] = route
	n.allow = allowOf(n.methods)
	if route.Shared {
		n.shared = strings.TrimPrefix(n.shared+", "+route.Method, ", ")
	}
	return nil
}

func grown(n *node) *node {
	if n == nil {
		return &node{}
	}
	return n
}

func allowOf(methods map[string]*Route) string {
	allowed := []string{http.MethodOptions}
	for method := range methods {
		allowed = append(allowed, method)
	}
	if methods[http.MethodGet] != nil && methods[http.MethodHead] == nil {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	return strings.Join(slices.Compact(allowed), ", ")
}

// find follows an escaped path. Fixed segments go before values, so that
// /v1/runs/list would not be taken for a run. values are unescaped.
func (n *node) find(path string, values []string) (*node, []string) {
	if n == nil {
		return nil, nil
	}
	if path == "" {
		if n.methods == nil {
			return nil, nil
		}
		return n, values
	}
	segment, rest, more := strings.Cut(path[1:], "/")
	if more {
		rest = path[1+len(segment):]
	}
	if found, all := n.fixed[segment].find(rest, values); found != nil {
		return found, all
	}
	if n.value != nil && segment != "" {
		if value, err := url.PathUnescape(segment); err == nil {
			if found, all := n.value.find(rest, append(values, value)); found != nil {
				return found, all
			}
		}
	}
	if n.rest != nil {
		if value, err := url.PathUnescape(path[1:]); err == nil {
			return n.rest, append(values, value)
		}
	}
	return nil, nil
}

// familyOf decides in whose shape an unknown path is answered.
func familyOf(families []*Family, path string) *Family {
	best, length := families[0], -1
	for _, family := range families {
		for _, prefix := range family.Prefixes {
			if len(prefix) > length && strings.HasPrefix(path, prefix) {
				best, length = family, len(prefix)
			}
		}
	}
	return best
}
