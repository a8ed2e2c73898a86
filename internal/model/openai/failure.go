package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// maxQuoted bounds how much of a provider's message is passed on.
const maxQuoted = 300

// wireFailure is a provider error that came where an answer should be.
type wireFailure struct{ body []byte }

func (*wireFailure) Error() string { return "the provider reports an error" }

// said is what a provider's error body says, whatever its shape.
type said struct {
	message string
	code    string // also the type, or Google's status
	param   string
	status  int // an HTTP status inside the body
}

// failed explains an answer whose status is not 200.
func (c *Client) failed(ctx context.Context, answer *http.Response, from *body, req *run.Request) error {
	from.watch.wait = c.cfg.Timeouts.Silence
	text, err := io.ReadAll(io.LimitReader(from, maxError))
	if err != nil && ctx.Err() != nil {
		return c.broken(ctx, from.watch, err, problem.ModelUnavailable)
	}
	return c.judge(answer.StatusCode, text, answer.Header, req)
}

// judge makes the typed error of a provider error. Its detail is public: it
// quotes the provider, but never the key.
func (c *Client) judge(status int, body []byte, header http.Header, req *run.Request) error {
	said := parseFailure(body)
	quoted := c.fitForPublic(said.message)
	if status == http.StatusOK {
		status = said.statusByWords()
	}
	// Inside an answer it is too late to ask again: something may have been shown.
	if header != nil && (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) {
		if param := refusedParam(said, req); param != "" {
			return &refusal{param: param, message: quoted, status: status}
		}
	}
	failure := c.classify(status, said, req)
	if quoted != "" && failure.Code != problem.ModelAuth { // providers quote the key in that one
		failure.Detail += " The provider says: " + quoted
	}
	failure.RetryAfter = retryAfter(header, c.cfg.Now)
	return failure.Because(fmt.Errorf("HTTP %d", status))
}

func (c *Client) classify(status int, said said, req *run.Request) *problem.Error {
	name := c.cfg.Name
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem.New(problem.ModelAuth, "%s refused the API key, or does not let it use %s (HTTP %d); check the key of this endpoint.", name, req.Model, status)
	case status == http.StatusPaymentRequired || said.code == "insufficient_quota":
		return problem.New(problem.ModelRefused, "The account at %s is out of credit (HTTP %d).", name, status)
	case status == http.StatusTooManyRequests:
		return problem.New(problem.ModelRateLimited, "%s is limiting the rate of calls (HTTP 429).", name)
	case status == http.StatusNotFound:
		return problem.New(problem.ModelRefused, "%s does not know the model %s, or its base URL is wrong (HTTP 404).", name, req.Model)
	case status == http.StatusRequestTimeout || status == http.StatusConflict || status == http.StatusTooEarly || status >= 500:
		return problem.New(problem.ModelUnavailable, "%s could not answer (HTTP %d).", name, status)
	case status >= 400:
		return problem.New(problem.ModelRefused, "%s refused the request for %s (HTTP %d).", name, req.Model, status)
	case status >= 300:
		return problem.New(problem.ModelRefused, "%s answered with a redirect (HTTP %d), which is not followed; set its base URL to the final address.", name, status)
	}
	return problem.New(problem.ModelGarbled, "%s answered HTTP %d, which says nothing.", name, status)
}

// statusByWords finds the HTTP status that an error in a stream, or in a 200,
// stands for. One that is not known may pass, like a server's own error.
func (s said) statusByWords() int {
	if s.status >= 400 && s.status < 600 {
		return s.status
	}
	words := strings.ToLower(s.code)
	for _, known := range []struct {
		word   string
		status int
	}{
		{"insufficient_quota", 402}, {"rate_limit", 429}, {"resource_exhausted", 429}, {"too_many", 429},
		{"overloaded", 503}, {"auth", 401}, {"api_key", 401}, {"permission", 403},
		{"not_found", 404}, {"invalid", 400}, {"badrequest", 400}, {"context_length", 400},
	} {
		if strings.Contains(words, known.word) {
			return known.status
		}
	}
	return http.StatusBadGateway
}

// parseFailure reads the error bodies of OpenAI, Google, Ollama, vLLM, Mistral
// and FastAPI, and plain text. A web page says nothing that is worth quoting.
func parseFailure(body []byte) said {
	var parsed any
	var found said
	if json.Unmarshal(body, &parsed) == nil {
		found.read(parsed)
		return found
	}
	if text := strings.TrimSpace(string(body)); !strings.HasPrefix(text, "<") {
		found.message = text
	}
	return found
}

func (s *said) read(value any) {
	switch value := value.(type) {
	case string:
		if s.message == "" {
			s.message = value
		}
	case []any:
		if len(value) > 0 {
			s.read(value[0])
		}
	case map[string]any:
		for _, key := range []string{"error", "message", "msg", "detail"} { // the order of trust
			s.read(value[key])
		}
		for _, key := range []string{"code", "type", "status"} {
			s.readCode(value[key])
		}
		if param, ok := value["param"].(string); ok && s.param == "" {
			s.param = param
		}
		if loc, ok := value["loc"].([]any); ok && len(loc) > 0 && s.param == "" { // FastAPI
			s.param, _ = loc[len(loc)-1].(string)
			s.message = strings.TrimSpace(s.param + ": " + s.message)
		}
	}
}

func (s *said) readCode(value any) {
	switch value := value.(type) {
	case string:
		if n, err := strconv.Atoi(value); err == nil && s.status == 0 {
			s.status = n
		} else if s.code == "" {
			s.code = value
		}
	case float64:
		if s.status == 0 {
			s.status = int(value)
		}
	}
}

// fitForPublic makes a provider's message one bounded line without the key.
func (c *Client) fitForPublic(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	for _, secret := range c.secrets {
		message = redact(message, secret)
	}
	message = strings.ToValidUTF8(message, "�")
	if runes := []rune(message); len(runes) > maxQuoted {
		message = string(runes[:maxQuoted]) + "…"
	}
	return message
}

// shortestLeak is the length from which a piece of a key counts as the key:
// providers show a few of its last characters, which is what they are for.
const shortestLeak = 8

// redact replaces every piece of the secret that is long enough to matter.
func redact(message, secret string) string {
	if secret == "" {
		return message
	}
	message = strings.ReplaceAll(message, url.QueryEscape(secret), "[key]")
	piece := min(shortestLeak, len(secret))
	var clean strings.Builder
	for i := 0; i < len(message); {
		length := 0
		if i+piece <= len(message) && strings.Contains(secret, message[i:i+piece]) {
			for length = piece; i+length < len(message) && strings.Contains(secret, message[i:i+length+1]); length++ {
			}
			clean.WriteString("[key]")
			i += length
			continue
		}
		clean.WriteByte(message[i])
		i++
	}
	return clean.String()
}

// retryAfter reads when the provider wants to be called again, as milliseconds,
// as seconds or as a date; 0 when it does not say.
func retryAfter(header http.Header, now func() time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil && ms > 0 {
		return bounded(ms / 1e3)
	}
	text := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds > 0 {
		return bounded(seconds)
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now()))
	}
	return 0
}

// bounded keeps an absurd number of seconds from overflowing a Duration. How
// long is too long to wait is not decided here.
func bounded(seconds float64) time.Duration {
	const year = 365 * 24 * 3600
	return time.Duration(min(seconds, year) * float64(time.Second))
}
