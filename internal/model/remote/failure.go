package remote

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"errand/internal/problem"
)

// MaxError is how much of an error body is read.
const MaxError = 64 << 10

// Said is what a provider's error body says, whatever its shape.
type Said struct {
	Message string
	Code    string // also the type, or Google's status
	Param   string
	Status  int           // an HTTP status inside the body
	Wait    time.Duration // how long Google says to wait; other providers say it in a header
}

// Place is an endpoint as errors speak of it.
type Place struct {
	Name    string
	Secrets []string // that no public detail may have
	Now     func() time.Time
}

// Judge makes the typed error of a provider error. Its detail is public: it
// quotes the provider, but never a secret. Status 200 stands for an error inside
// an answer, where only its words say what it is.
func (p *Place) Judge(status int, said Said, header http.Header, model string) *problem.Error {
	quoted := p.Quote(said.Message)
	if status == http.StatusOK {
		status = said.statusByWords()
	}
	failure := p.classify(status, said, model)
	if quoted != "" && failure.Code != problem.ModelAuth { // providers quote the key in that one
		failure.Detail += " The provider says: " + quoted
	}
	if failure.RetryAfter = retryAfter(header, p.Now); failure.RetryAfter == 0 {
		failure.RetryAfter = said.Wait
	}
	return failure.Because(fmt.Errorf("HTTP %d", status))
}

func (p *Place) classify(status int, said Said, model string) *problem.Error {
	name := p.Name
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem.New(problem.ModelAuth, "%s refused the API key, or does not let it use %s (HTTP %d); check the key of this endpoint.", name, model, status)
	case status == http.StatusPaymentRequired || said.Code == "insufficient_quota":
		return problem.New(problem.ModelRefused, "The account at %s is out of credit (HTTP %d).", name, status)
	case status == http.StatusTooManyRequests:
		return problem.New(problem.ModelRateLimited, "%s is limiting the rate of calls (HTTP 429).", name)
	case status == http.StatusNotFound:
		return problem.New(problem.ModelRefused, "%s does not know the model %s, or its base URL is wrong (HTTP 404).", name, model)
	case status == http.StatusRequestEntityTooLarge:
		return problem.New(problem.ModelRefused, "The conversation is larger than %s takes in one request (HTTP 413).", name)
	case status == http.StatusRequestTimeout || status == http.StatusConflict || status == http.StatusTooEarly || status >= 500:
		return problem.New(problem.ModelUnavailable, "%s could not answer (HTTP %d).", name, status)
	case status >= 400:
		return problem.New(problem.ModelRefused, "%s refused the request for %s (HTTP %d).", name, model, status)
	case status >= 300:
		return problem.New(problem.ModelRefused, "%s answered with a redirect (HTTP %d), which is not followed; set its base URL to the final address.", name, status)
	}
	return problem.New(problem.ModelGarbled, "%s answered HTTP %d, which says nothing.", name, status)
}

// statusByWords finds the HTTP status that an error in a stream, or in a 200,
// stands for. One that is not known may pass, like a server's own error.
func (s Said) statusByWords() int {
	if s.Status >= 400 && s.Status < 600 {
		return s.Status
	}
	words := strings.ToLower(s.Code)
	for _, known := range []struct {
		word   string
		status int
	}{
		{"insufficient_quota", 402}, {"billing", 402}, {"rate_limit", 429}, {"resource_exhausted", 429}, {"too_many", 429},
		{"overloaded", 503}, {"auth", 401}, {"api_key", 401}, {"permission", 403},
		{"not_found", 404}, {"too_large", 413}, {"invalid", 400}, {"badrequest", 400}, {"context_length", 400},
	} {
		if strings.Contains(words, known.word) {
			return known.status
		}
	}
	return http.StatusBadGateway
}

// ParseFailure reads the error bodies of OpenAI, Anthropic, Google, Ollama, vLLM, Mistral
// and FastAPI, and plain text. A web page says nothing that is worth quoting.
func ParseFailure(body []byte) Said {
	var parsed any
	var found Said
	if json.Unmarshal(body, &parsed) == nil {
		found.read(parsed)
		return found
	}
	if text := strings.TrimSpace(string(body)); !strings.HasPrefix(text, "<") {
		found.Message = text
	}
	return found
}

func (s *Said) read(value any) {
	switch value := value.(type) {
	case string:
		if s.Message == "" {
			s.Message = value
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
		s.readDetails(value["details"])
		if param, ok := value["param"].(string); ok && s.Param == "" {
			s.Param = param
		}
		if loc, ok := value["loc"].([]any); ok && len(loc) > 0 && s.Param == "" { // FastAPI
			s.Param, _ = loc[len(loc)-1].(string)
			s.Message = strings.TrimSpace(s.Param + ": " + s.Message)
		}
	}
}

// readDetails finds the wait among Google's details, such as "11s".
func (s *Said) readDetails(value any) {
	details, _ := value.([]any)
	for _, detail := range details {
		detail, _ := detail.(map[string]any)
		delay, _ := detail["retryDelay"].(string)
		if wait, err := time.ParseDuration(delay); err == nil && wait > 0 {
			s.Wait = wait
		}
	}
}

func (s *Said) readCode(value any) {
	switch value := value.(type) {
	case string:
		if n, err := strconv.Atoi(value); err == nil && s.Status == 0 {
			s.Status = n
		} else if s.Code == "" {
			s.Code = value
		}
	case float64:
		if s.Status == 0 {
			s.Status = int(value)
		}
	}
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
