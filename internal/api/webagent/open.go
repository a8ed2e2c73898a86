package webagent

import (
	"net"
	"net/http"
	"slices"

	"errand/internal/auth"
)

// pageOrigins are where the API's own page is served from while it is developed.
func pageOrigins() []string {
	var all []string
	for _, port := range []string{"5173", "3000"} {
		all = append(all, "http://localhost:"+port, "http://127.0.0.1:"+port)
	}
	return all
}

// pageOrigin reports whether pages of this origin may read answers.
func pageOrigin(origin string) bool { return slices.Contains(pageOrigins(), origin) }

// Who a request without a key is, and what that is called in traces.
const (
	openKey  = "key_open"
	openName = "webagent-open"
)

// guest lets a request without a key in: one of this machine, for this machine by
// name, that no proxy has passed on and no foreign page has sent. The last three
// matter because every page that a person opens can send requests to their own
// machine, under a name of its own making, too.
func guest(hr *http.Request) (auth.Caller, bool) {
	host, _, err := net.SplitHostPort(hr.RemoteAddr)
	if address := net.ParseIP(host); err != nil || address == nil || !address.IsLoopback() {
		return auth.Caller{}, false
	}
	for _, passed := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if hr.Header.Get(passed) != "" {
			return auth.Caller{}, false
		}
	}
	name, _, err := net.SplitHostPort(hr.Host)
	if err != nil {
		name = hr.Host
	}
	if address := net.ParseIP(name); name != "localhost" && (address == nil || !address.IsLoopback()) {
		return auth.Caller{}, false
	}
	origin := hr.Header.Get("Origin")
	if origin != "" && !pageOrigin(origin) && origin != "http://"+hr.Host {
		return auth.Caller{}, false
	}
	if origin == "" && slices.Contains([]string{"cross-site", "same-site"}, hr.Header.Get("Sec-Fetch-Site")) {
		return auth.Caller{}, false
	}
	return auth.Caller{
		Project: auth.DefaultProject, KeyID: openKey, KeyName: openName,
		Scopes: []string{"runs:read", "runs:write", "agents:execute"},
	}, true
}
