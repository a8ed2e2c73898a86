package app

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"errand/internal/config"
)

// front stands before the server where others do, too: it takes the base path off, and
// the word of proxies that are trusted. Of anyone else's it takes nothing.
type front struct {
	next    http.Handler
	base    string // "" = none
	trusted []netip.Prefix
}

// newFront returns next itself where there is nothing to do.
func newFront(cfg *config.Config, next http.Handler) http.Handler {
	trusted, err := cfg.Proxies()
	if err != nil || cfg.BasePath == "" && len(trusted) == 0 { // the settings were checked
		return next
	}
	return &front{next: next, base: cfg.BasePath, trusted: trusted}
}

// ServeHTTP hands a request on as the server is to see it.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r = f.believe(r)
	if f.base == "" {
		f.next.ServeHTTP(w, r)
		return
	}
	rest, below := strings.CutPrefix(r.URL.Path, f.base)
	switch {
	case below && rest == "" && r.Method == http.MethodGet:
		http.Redirect(w, r, f.base+"/", http.StatusPermanentRedirect)
	case below && strings.HasPrefix(rest, "/"):
		r.URL.Path, r.URL.RawPath = rest, strings.TrimPrefix(r.URL.RawPath, f.base)
		f.next.ServeHTTP(&based{ResponseWriter: w, base: f.base}, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"error":{"code":"not_found","type":"not_found_error","message":"This server answers under ` + f.base + `/."}}`))
	}
}

// believe returns a copy of the request, as it was before the proxies that are trusted:
// the last address that none of them vouches for is who asks. What anyone else says of
// the address under which it has come is taken out.
func (f *front) believe(r *http.Request) *http.Request {
	copied := r.Clone(r.Context())
	if len(f.trusted) == 0 {
		return copied
	}
	if !f.trusts(r.RemoteAddr) {
		copied.Header.Del("X-Forwarded-Proto")
		copied.Header.Del("X-Forwarded-Host")
		return copied
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		address, err := netip.ParseAddr(strings.Trim(strings.TrimSpace(hops[i]), "[]"))
		if err != nil {
			break // what stands before it could be anybody's
		}
		copied.RemoteAddr = net.JoinHostPort(address.Unmap().String(), "0")
		if !f.trusts(copied.RemoteAddr) {
			break
		}
	}
	if said := r.Header.Get("X-Forwarded-Proto"); said == "http" || said == "https" {
		copied.URL.Scheme = said
	}
	if said := r.Header.Get("X-Forwarded-Host"); said != "" && !strings.ContainsAny(said, ",/ @\\") {
		copied.Host = said
	}
	return copied
}

func (f *front) trusts(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	for _, network := range f.trusted {
		if network.Contains(at.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// based puts the base path before where an answer sends its reader.
type based struct {
	http.ResponseWriter
	base string
}

// WriteHeader sends the head.
func (b *based) WriteHeader(status int) {
	if to := b.Header().Get("Location"); strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "//") {
		b.Header().Set("Location", b.base+to)
	}
	b.ResponseWriter.WriteHeader(status)
}

// Unwrap lets streams set deadlines and push out what they have written.
func (b *based) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// address begins links to this server, without a slash at its end: as the operator says,
// or as a path on the server that the reader has come to.
func (a *assembly) address() string {
	if a.cfg.PublicURL != "" {
		return strings.TrimRight(a.cfg.PublicURL, "/")
	}
	return a.cfg.BasePath
}
