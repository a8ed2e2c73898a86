package wire

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
)

// A browser that has signed in sends a cookie in place of a key. Browsers send cookies
// along with requests that other people's pages make, so what comes with one has to
// show that a page of this server has made it. A program has a key and needs no cookie.

// cookieName is the name of the session's cookie on this server. The prefixes are
// promises that browsers hold: nobody else can have set such a cookie. The port is in
// it because cookies know none: two servers on one machine would sign each other out.
func (r *Request) cookieName() string {
	name := "errand_session"
	if _, port, ok := strings.Cut(r.http.Host, "]:"); ok {
		name += "_" + port
	} else if _, port, ok := strings.Cut(r.http.Host, ":"); ok && port != "" && strings.Trim(port, "0123456789") == "" {
		name += "_" + port
	}
	switch {
	case !r.secure():
		return name
	case r.server.cfg.BasePath == "":
		return "__Host-" + name
	}
	return "__Secure-" + name
}

// secure reports whether the browser speaks TLS: with this server, with a proxy that it
// trusts (what anyone else says of that has been taken out before), or because it has
// come to the address that the operator has named, which is https.
func (r *Request) secure() bool {
	return r.http.TLS != nil || r.http.URL.Scheme == "https" ||
		r.http.Host != "" && strings.HasPrefix(r.server.cfg.PublicURL+"/", "https://"+r.http.Host+"/")
}

// session returns the token of a session, if this request has come by one: its route
// is for browsers, and no header says who asks. Behind a proxy that asks for a password
// all requests have an Authorization header of the scheme Basic, which names no key.
func (r *Request) session() (token string, signed bool) {
	if r.family == nil || !r.family.Session || secretOf(r.http.Header) != "" {
		return "", false
	}
	if given := r.http.Header.Get("Authorization"); given != "" {
		if scheme, _, _ := strings.Cut(given, " "); !strings.EqualFold(scheme, "Basic") {
			return "", false
		}
	}
	name := r.cookieName()
	for _, cookie := range r.http.CookiesNamed(name) {
		if signed {
			return "", true // somebody has put a second one beside it: neither is believed
		}
		token, signed = cookie.Value, true
	}
	return token, signed
}

// sameOrigin fails unless a page of this server has made the request. Browsers say so
// in Sec-Fetch-Site, and where they don't, because there is no TLS, in Origin. Reading
// needs neither: a page that may not read the answer has nothing from it.
func (r *Request) sameOrigin() error {
	method := r.http.Method
	reads := method == http.MethodGet || method == http.MethodHead
	site, origin := r.http.Header.Get("Sec-Fetch-Site"), r.http.Header.Get("Origin")
	switch {
	case site == "same-origin":
		return nil
	case site == "none" && reads: // the person has typed the address
		return nil
	case site != "":
		return crossOrigin("Sec-Fetch-Site says " + site[:min(len(site), 40)])
	case origin == "" && reads:
		return nil
	case origin == "":
		return crossOrigin("neither Sec-Fetch-Site nor Origin says whose page it is")
	}
	from, err := url.Parse(origin)
	if err != nil || !strings.EqualFold(from.Host, r.http.Host) || from.Scheme != "https" && (from.Scheme != "http" || r.secure()) {
		return crossOrigin("Origin says " + origin[:min(len(origin), 100)])
	}
	return nil
}

func crossOrigin(why string) error {
	return problem.New(problem.CrossOrigin,
		"A session is for this server's own pages, and this request was not made by one (%s): programs and other pages send a key as \"Authorization: Bearer sk_…\".", why)
}

// Signing answers for a route that signs in: it fails unless a page of this server
// asks, because anyone else could sign a browser in as somebody that its person is not,
// and returns the session that the browser has so far, if it is in force.
func (r *Request) Signing(ctx context.Context) (*auth.Session, error) {
	if err := r.sameOrigin(); err != nil {
		return nil, err
	}
	name := r.cookieName()
	for _, cookie := range r.http.CookiesNamed(name) {
		caller, err := r.server.cfg.Keys.Session(ctx, cookie.Value, false)
		switch {
		case err == nil:
			return caller.Session, nil
		case !problem.Is(err, problem.Unauthenticated):
			return nil, err
		}
	}
	return nil, nil
}

// SessionCookie is the header that gives a browser the token of its session until
// then, or, without a token, takes it away. No script can read the cookie, and no
// request that another site's page makes carries it.
func (r *Request) SessionCookie(token string, until time.Time) http.Header {
	cookie := http.Cookie{
		Name: r.cookieName(), Value: token, Path: r.server.cfg.BasePath + "/", HttpOnly: true, Secure: r.secure(),
		SameSite: http.SameSiteStrictMode, MaxAge: int(until.Sub(r.server.cfg.Now()).Seconds()),
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	return http.Header{"Set-Cookie": {cookie.String()}}
}
