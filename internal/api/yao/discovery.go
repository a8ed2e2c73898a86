package yao

import (
	"net"
	"net/http"
	"strings"

	"errand/internal/api/wire"
)

// serverBody is what a client learns of a server before it has a key.
type serverBody struct {
	Name        string `json:"name"`
	Version     string `json:"version"`
	Description string `json:"description"`
	OpenAPI     string `json:"openapi"`    // path of the API
	ServerURL   string `json:"server_url"` // of the server: no slash at its end
	Dashboard   string `json:"dashboard"`
	Docs        string `json:"docs"`
	Spec        string `json:"openapi_spec"`
}

// discover answers GET /.well-known/yao. Every page may read it: it says nothing
// that a caller does not know.
func (a *API) discover(w http.ResponseWriter, r *http.Request) {
	server := a.cfg.ServerURL
	if server == "" {
		server = serverURL(r) + a.cfg.BasePath
	}
	body, err := wire.JSON(serverBody{
		Name: "Errand", Version: a.cfg.Version, Description: "Runs AI agents durably: robots, approvals, schedules.",
		OpenAPI: "/v1", ServerURL: strings.TrimRight(server, "/"), Dashboard: "/ui/", Docs: "/docs", Spec: "/openapi.yaml",
	})
	if err != nil { // a struct of strings always has a JSON form
		http.Error(w, "{}", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "max-age=300")
	header.Add("Vary", "Host, X-Forwarded-Host, X-Forwarded-Proto")
	_, _ = w.Write(body) // a reader who has gone is nobody to tell
}

// serverURL is the address under which a request has come here. What a proxy says
// about it counts when the proxy is on this machine: anyone else could say anything.
func serverURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if r.URL.Scheme != "" {
		scheme = r.URL.Scheme // a proxy that the operator trusts has said so
	}
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if address := net.ParseIP(peer); err == nil && address != nil && address.IsLoopback() {
		if said := r.Header.Get("X-Forwarded-Proto"); said == "http" || said == "https" {
			scheme = said
		}
		if said := r.Header.Get("X-Forwarded-Host"); said != "" && !strings.ContainsAny(said, ",/ ") {
			host = said
		}
	}
	if local, known := r.Context().Value(http.LocalAddrContextKey).(net.Addr); host == "" && known {
		host = local.String()
	}
	if host == "" {
		host = "localhost"
	}
	return scheme + "://" + host
}
