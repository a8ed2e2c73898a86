package tool

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
)

// Definition is an HTTP tool as its owner describes it: by API, or in a file
// that the operator has loaded at start. Its JSON is the stored form.
type Definition struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Parameters  json.RawMessage   `json:"parameters,omitempty"` // JSON schema of type object
	URL         string            `json:"url"`
	Method      string            `json:"method,omitempty"`
	Headers     map[string]string `json:"headers,omitempty"` // values are secrets
	Effect      run.Class         `json:"effect,omitempty"`
	TimeoutS    int               `json:"timeout_s,omitempty"`
	Scope       string            `json:"scope,omitempty"`   // needed on the run's key at the step
	Preview     string            `json:"preview,omitempty"` // "To: {{to}}"
}

// What a definition may hold at most, and what it gets when it says nothing.
const (
	defaultTimeout = 30
	maxTimeout     = 600 // as long as a model call may take in all
	maxDescription = 4 << 10
	maxParameters  = 64 << 10
	maxURL         = 2 << 10
	maxHeaders     = 32
	maxHeaderValue = 8 << 10
	maxPreview     = 1 << 10
)

// Masked stands for a header's value wherever a definition is shown.
const Masked = "••••••••"

var (
	namePattern  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	headerName   = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")
	scopePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+(:[A-Za-z0-9_.-]+)*$`)
)

// methods are those that carry the arguments as a body.
var methods = []string{"POST", "PUT", "PATCH", "DELETE"}

// ours are headers that the call itself or the connection sets: a definition
// that could set them would break the framing or the idempotency of its calls.
var ours = []string{
	"content-type", "content-length", "content-encoding", "idempotency-key", "x-idempotency-key", "x-errand-run", "x-errand-action",
	"host", "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
	"te", "trailer", "transfer-encoding", "upgrade", "expect", "accept-encoding", "http2-settings",
}

// ValidName reports whether a tool may be called so: letters, digits, dot,
// underscore and dash, at most 64, as in email.send.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// WithDefaults returns the definition with everything filled in that its owner
// left open. The effect becomes once: the class that is never wrong.
func (d Definition) WithDefaults() Definition {
	if len(d.Parameters) == 0 || string(d.Parameters) == "null" {
		d.Parameters = json.RawMessage(`{"type":"object"}`)
	}
	if d.Method == "" {
		d.Method = "POST"
	}
	if d.Effect == "" {
		d.Effect = run.Once
	}
	if d.TimeoutS == 0 {
		d.TimeoutS = defaultTimeout
	}
	return d
}

// Validate reports everything that is wrong with a definition that has its
// defaults, as an invalid_request problem by field, or nil.
func (d Definition) Validate() error {
	fields := map[string]string{}
	wrong := func(field, format string, args ...any) { fields[field] = fmt.Sprintf(format, args...) }
	if !ValidName(d.Name) {
		wrong("name", "must be 1 to 64 letters, digits, dots, underscores or dashes, for example email.send")
	}
	if len(d.Description) > maxDescription {
		wrong("description", "must be at most %d bytes", maxDescription)
	}
	if err := checkParameters(d.Parameters); err != nil {
		wrong("parameters", "%s", err)
	}
	if _, err := egress.CheckURL(d.URL); err != nil {
		wrong("url", "%s", err)
	} else if len(d.URL) > maxURL {
		wrong("url", "must be at most %d bytes", maxURL)
	}
	if !slices.Contains(methods, d.Method) {
		wrong("method", "must be one of %s: the arguments are sent as a JSON body", strings.Join(methods, ", "))
	}
	d.checkHeaders(wrong)
	if !slices.Contains([]run.Class{run.Safe, run.Keyed, run.Once}, d.Effect) {
		wrong("effect", "must be safe, keyed or once")
	}
	if d.TimeoutS < 1 || d.TimeoutS > maxTimeout {
		wrong("timeout_s", "must be a whole number from 1 to %d", maxTimeout)
	}
	if d.Scope != "" && (len(d.Scope) > 64 || !scopePattern.MatchString(d.Scope)) {
		wrong("scope", "must be a scope such as context:finance, at most 64 characters")
	}
	if len(d.Preview) > maxPreview {
		wrong("preview", "must be at most %d bytes", maxPreview)
	}
	if found := problem.InvalidFields(fields); found != nil {
		return found
	}
	return nil
}

func checkParameters(text json.RawMessage) error {
	if len(text) > maxParameters {
		return fmt.Errorf("must be at most %d bytes", maxParameters)
	}
	var top struct {
		Type any `json:"type"`
	}
	if err := json.Unmarshal(text, &top); err != nil || top.Type != "object" {
		return fmt.Errorf(`must be a JSON schema of type object, for example {"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}`)
	}
	var cache schema.Cache
	return cache.Check(text)
}

func (d Definition) checkHeaders(wrong func(field, format string, args ...any)) {
	if len(d.Headers) > maxHeaders {
		wrong("headers", "must be at most %d headers", maxHeaders)
	}
	seen := map[string]bool{}
	for name, value := range d.Headers {
		field := "headers." + name
		lower := strings.ToLower(name)
		switch {
		case !headerName.MatchString(name):
			wrong("headers", "%q is not a header name", Cut(name, 64))
		case slices.Contains(ours, lower):
			wrong(field, "is set by the server itself and can't be registered")
		case seen[lower]:
			wrong(field, "is given twice, in two spellings")
		case len(value) > maxHeaderValue:
			wrong(field, "must be at most %d bytes", maxHeaderValue)
		case value == Masked:
			wrong(field, "is the mask that stands for a stored value: send the value itself, or leave headers out to keep them")
		case strings.ContainsFunc(value, func(r rune) bool { return r == 0x7f || r < 0x20 && r != '\t' }):
			wrong(field, "must not have line breaks or other control characters")
		}
		seen[lower] = true
	}
}

// Version is a digest of all that the definition says: the same definition has
// the same version on every node and after every restart.
func (d Definition) Version() string {
	text, err := json.Marshal(d)
	if err != nil { // only Parameters that are no JSON, which Validate refuses
		text = fmt.Appendf(nil, "%#v", d)
	}
	return Digest(text)
}

// Digest is how versions of tools are written: 32 hex digits.
func Digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Describe is what a run knows of the tool.
func (d Definition) Describe() run.Tool {
	return run.Tool{
		Name: d.Name, Description: d.Description, Parameters: d.Parameters,
		Class: d.Effect, Scope: d.Scope, Preview: d.Preview, Version: d.Version(), Outside: true,
	}
}

// Timeout bounds one call.
func (d Definition) Timeout() time.Duration { return time.Duration(d.TimeoutS) * time.Second }

// Public returns the definition as it may be shown: without header values.
func (d Definition) Public() Definition {
	if d.Headers != nil {
		masked := make(map[string]string, len(d.Headers))
		for name := range d.Headers {
			masked[name] = Masked
		}
		d.Headers = masked
	}
	return d
}

// shortestSecret is how long a header's value must be to be cut out of texts: the
// removal of shorter ones ("1", "en") would garble more than it hides.
const shortestSecret = 6

// Secrets are the values that must not appear in logs, previews and outputs:
// those of the headers, and what follows a scheme in them (Bearer …).
func (d Definition) Secrets() []string {
	var secrets []string
	for name, value := range d.Headers {
		if strings.EqualFold(name, "accept") || strings.EqualFold(name, "user-agent") {
			continue
		}
		if len(value) >= shortestSecret {
			secrets = append(secrets, value)
		}
		if _, token, ok := strings.Cut(value, " "); ok && len(token) >= shortestSecret {
			secrets = append(secrets, token)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) }) // the whole before its part
	return secrets
}
