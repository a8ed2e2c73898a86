package wire

import (
	"net/http"
	"slices"
	"strings"
)

// share lets a page of another origin read the answer, where the family or the
// route says that it may. It is about reading alone: who may do what is decided by
// keys, which a page has to send itself. Nothing here ever allows credentials, so
// no browser adds a cookie or a certificate of its own to such a request.
func (r *Request) share(place *node, route *Route) {
	origin := r.http.Header.Get("Origin")
	if origin == "" {
		return
	}
	header := r.writer.Header()
	preflight := r.http.Method == http.MethodOptions && r.http.Header.Get("Access-Control-Request-Method") != ""
	switch {
	case r.family.Origin != nil && r.family.Origin(origin):
		header["Access-Control-Allow-Origin"] = []string{origin}
		header["Access-Control-Expose-Headers"] = []string{"X-Request-Id, Retry-After"}
		header["Vary"] = []string{"Origin"}
		if preflight {
			permit(header, place.allow, "Content-Type, Authorization, X-Api-Key, Idempotency-Key")
		}
	case route != nil && route.Shared || preflight && place.shared != "":
		r.shareRoute(origin, place.shared, preflight)
	}
}

// shareRoute is share for a route that SDKs call from pages, with a key.
func (r *Request) shareRoute(origin, methods string, preflight bool) {
	header := r.writer.Header()
	allowed := "*"
	if !slices.Contains(r.server.cfg.Origins, "*") {
		header["Vary"] = []string{"Origin"}
		if !slices.Contains(r.server.cfg.Origins, origin) {
			return
		}
		allowed = origin
	}
	header["Access-Control-Allow-Origin"] = []string{allowed}
	header["Access-Control-Expose-Headers"] = []string{"X-Request-Id, X-Chat-Id, X-Execution-Id, X-Errand-Run, Location, Retry-After, X-Should-Retry, Idempotent-Replayed"}
	if preflight {
		permit(header, methods, permitted(r.http.Header.Get("Access-Control-Request-Headers")))
	}
}

// permit answers a preflight request.
func permit(header http.Header, methods, headers string) {
	header["Access-Control-Allow-Methods"] = []string{methods}
	header["Access-Control-Allow-Headers"] = []string{headers}
	header["Access-Control-Max-Age"] = []string{"600"} // as long as browsers keep it at the most
}

// permitted are the headers that a page may send to a Shared route: those of the
// SDKs. Names that only some SDKs send are told to those who ask for them.
func permitted(asked string) string {
	names := []string{"authorization", "content-type", "idempotency-key", "x-request-id", "x-yao-chat"}
	for name := range strings.SplitSeq(asked, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		known := strings.HasPrefix(name, "x-stainless-") || slices.Contains([]string{"openai-organization", "openai-project", "openai-beta", "user-agent"}, name)
		if known && len(names) < maxPermitted && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") == "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// maxPermitted bounds an answer that repeats names of the request: the SDKs send a
// dozen.
const maxPermitted = 32
