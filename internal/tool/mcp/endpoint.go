package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// Origin says who has named a server.
type Origin string

const (
	Configured Origin = "operator"   // the operator's configuration, for every project
	Registered Origin = "registered" // by API, for one project
	Request    Origin = "request"    // by a request, for its run
)

// How a server is spoken to.
const (
	Auto       = "auto" // streamable HTTP, and SSE where a server is older than that
	Streamable = "streamable_http"
	SSE        = "sse"
	Stdio      = "stdio" // a program; only the operator can name one
)

const (
	defaultTimeout = 30 * time.Second
	maxTimeout     = 600 * time.Second // as long as a model call may take in all
	maxURL         = 2 << 10
	maxHeaders     = 32
	maxSecret      = 8 << 10
)

// credentials are what nobody but the server may read. A URL is one of them: many
// servers take a key in its query.
type credentials struct {
	URL     string            `json:"url"`
	Token   string            `json:"token,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

// secrets are the values that must not appear in logs and outputs. Shorter ones
// would garble more than they hide.
func (c *credentials) secrets() []string {
	const shortest = 6
	// Of a query nobody knows which values are secret: a word such as "public" is
	// hardly one, and would be cut out of every output.
	const shortestQuery = 12
	var all []string
	add := func(value string) {
		if len(value) >= shortest {
			all = append(all, value)
		}
	}
	add(c.Token)
	for name, value := range c.Headers {
		if strings.EqualFold(name, "accept-language") {
			continue
		}
		add(value)
		if _, token, ok := strings.Cut(value, " "); ok {
			add(token)
		}
	}
	if u, err := url.Parse(c.URL); err == nil {
		add(u.RawQuery)
		for _, values := range u.Query() {
			for _, value := range values {
				if len(value) >= shortestQuery {
					add(value)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) }) // the whole before its part
	return all
}

// endpoint is a server as a project reaches it.
type endpoint struct {
	id      string // mcp_ and a digest of the URL: what its pins are kept under
	name    string
	shown   string // the URL without what may be secret, or stdio:<name>
	origin  Origin
	project string

	transport   string
	timeout     time.Duration
	credentials credentials
	program     *program // of a stdio server
	trust       *trust   // nil = nothing that the server says of itself is believed

	row run.Row // of a registered one, without Data
}

// of returns the operator's server as one project sees it.
func (e *endpoint) of(project string) *endpoint {
	mine := *e
	mine.project = project
	return &mine
}

// key is what connections are shared by: the same project, server and credentials.
func (e *endpoint) key() string {
	text, err := json.Marshal(e.credentials)
	if err != nil { // never: it holds texts alone
		text = fmt.Appendf(nil, "%#v", e.credentials)
	}
	sum := sha256.Sum256(text)
	return strings.Join([]string{e.project, string(e.origin), e.id, e.transport, e.timeout.String(), hex.EncodeToString(sum[:])}, "\x00")
}

// place gives the endpoint the id and the shown form of its URL.
func (e *endpoint) place() {
	where := e.credentials.URL
	e.shown = "stdio:" + e.name
	if e.program == nil {
		e.shown, _, _ = strings.Cut(where, "?")
		if e.shown != where {
			e.shown += "?…"
		}
	} else {
		where = e.shown
	}
	sum := sha256.Sum256([]byte(where))
	e.id = "mcp_" + hex.EncodeToString(sum[:10])
}

// ours are headers that the connection or the protocol sets.
var ours = []string{
	"host", "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization", "te", "trailer",
	"transfer-encoding", "upgrade", "expect", "accept-encoding", "http2-settings", "content-type", "content-length", "content-encoding",
	"accept", "last-event-id", "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name", "idempotency-key", "x-idempotency-key",
}

// complete fills in what was left open and returns what is wrong, by field.
func (e *endpoint) complete() map[string]string {
	faults := map[string]string{}
	switch e.transport {
	case "":
		e.transport = Auto
	case Auto, Streamable, SSE:
	case Stdio:
		faults["transport"] = "stdio starts a program on this server: only its operator can configure that, with mcp.<name>.command in errand.yaml"
	default:
		faults["transport"] = fmt.Sprintf("%q is not known: use streamable_http, sse or auto", tool.Cut(e.transport, 64))
	}
	if e.timeout == 0 {
		e.timeout = defaultTimeout
	}
	if e.timeout < 0 || e.timeout > maxTimeout {
		faults["timeout"] = fmt.Sprintf("must be above 0, and at most %d seconds", int(maxTimeout.Seconds()))
	}
	u, err := egress.CheckURL(e.credentials.URL)
	switch {
	case err != nil:
		faults["url"] = err.Error()
	case len(e.credentials.URL) > maxURL:
		faults["url"] = fmt.Sprintf("must be at most %d bytes", maxURL)
	default:
		// One spelling, so that a server is pinned once.
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
		e.credentials.URL = u.String()
	}
	if len(e.credentials.Token) > maxSecret || unprintable(e.credentials.Token) || strings.ContainsAny(e.credentials.Token, " \t") {
		faults["token"] = fmt.Sprintf("must be at most %d characters without blanks, line breaks and other control characters", maxSecret)
	}
	e.checkHeaders(faults)
	e.place()
	return faults
}

func (e *endpoint) checkHeaders(faults map[string]string) {
	if len(e.credentials.Headers) > maxHeaders {
		faults["headers"] = fmt.Sprintf("must be at most %d headers", maxHeaders)
	}
	for name, value := range e.credentials.Headers {
		lower := strings.ToLower(name)
		switch {
		case name == "" || len(name) > 128 || strings.ContainsFunc(name, func(r rune) bool {
			return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
		}):
			faults["headers"] = fmt.Sprintf("%q is not a header name", tool.Cut(name, 64))
		case slices.Contains(ours, lower):
			faults["headers."+name] = "is set by the server itself and can't be given"
		case lower == "authorization" && e.credentials.Token != "":
			faults["headers."+name] = "is given beside a token: give one of the two"
		case value == tool.Masked:
			faults["headers."+name] = "is the mask that stands for a stored value: send the value itself"
		case len(value) > maxSecret || unprintable(value):
			faults["headers."+name] = fmt.Sprintf("must be at most %d bytes without line breaks and other control characters", maxSecret)
		}
	}
}

func unprintable(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r == 0x7f || r < 0x20 && r != '\t' })
}

// sealed is the stored form of an endpoint: what may be read of it, and the rest
// sealed for this project and this server.
type sealed struct {
	ID        string   `json:"id"`
	URL       string   `json:"url"` // as it may be shown
	Transport string   `json:"transport"`
	TimeoutMs int64    `json:"timeout_ms"`
	Token     bool     `json:"token,omitempty"`   // one is given
	Headers   []string `json:"headers,omitempty"` // their names
	Sealed    []byte   `json:"sealed"`
}

func (e *endpoint) context() string { return "mcp/" + e.project + "/" + e.id }

func (s *Servers) sealed(e *endpoint) json.RawMessage {
	secret, err := json.Marshal(e.credentials)
	if err == nil {
		secret, err = json.Marshal(sealed{
			ID: e.id, URL: e.shown, Transport: e.transport, TimeoutMs: e.timeout.Milliseconds(), Token: e.credentials.Token != "",
			Headers: slices.Sorted(maps.Keys(e.credentials.Headers)), Sealed: s.cfg.Sealer.Seal(secret, e.context()),
		})
	}
	if err != nil { // never: both hold texts and numbers alone
		return json.RawMessage("{}")
	}
	return secret
}

// unseal returns what was sealed for a project, under an id.
func (s *Servers) unseal(text []byte, e *endpoint) error {
	var kept sealed
	if err := json.Unmarshal(text, &kept); err != nil {
		return fmt.Errorf("reading the stored form of MCP server %s: %w", e.name, err)
	}
	e.transport, e.timeout = kept.Transport, time.Duration(kept.TimeoutMs)*time.Millisecond
	plain, err := s.cfg.Sealer.Open(kept.Sealed, e.context())
	if err == nil {
		err = json.Unmarshal(plain, &e.credentials)
	}
	if err != nil {
		return problem.New(problem.ToolFailed, "The credentials of MCP server %s (%s) can't be read: this server's seal.key is not the one that they were stored with. Register the server again. Nothing was sent.", e.name, kept.URL).Because(err)
	}
	e.place()
	s.cfg.Hide(e.credentials.secrets())
	return nil
}

// opened returns a registered server.
func (s *Servers) opened(row run.Row) (*endpoint, error) {
	e := &endpoint{id: row.ID, name: row.Name, origin: Registered, project: row.Project, row: row}
	e.row.Data = nil
	return e, s.unseal(row.Data, e)
}

// ofRun returns the server that a call's run was made with.
func (s *Servers) ofRun(call *run.ToolCall) (*endpoint, error) {
	var kept struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(call.Server.Config, &kept); err != nil {
		return nil, fmt.Errorf("reading a run's MCP server %s: %w", call.Server.Name, err)
	}
	e := &endpoint{id: kept.ID, name: call.Server.Name, origin: Request, project: call.Project}
	return e, s.unseal(call.Server.Config, e)
}
