package obs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const hush = "hunter2/sésame+plugh=="

type stringer struct{}

func (stringer) String() string { return "I am " + hush }

type valuer struct{}

func (valuer) LogValue() slog.Value { return slog.StringValue(hush) }

func TestLogHidesSecretsInEveryForm(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out strings.Builder
		redactor := NewRedactor([]string{"hunter2/s", ""})
		log := NewLogger(&out, format, levelOf(t, "debug"), redactor)
		redactor.Add([]string{hush})
		encoded := base64.StdEncoding.EncodeToString([]byte(hush))
		log.With("with", hush).WithGroup("g").Info("plain "+hush,
			"text", hush, "query", "a="+url.QueryEscape(hush), "path", url.PathEscape(hush), "base64", encoded,
			"error", fmt.Errorf("dial: %w", errors.New(hush)), "any", struct{ S string }{hush}, "stringer", stringer{},
			"valuer", valuer{}, "bytes", []string{hush}, slog.Group("inner", "deep", hush),
			"innocent", "hunting", "number", 42, "time", time.Second)
		for _, form := range []string{hush, url.QueryEscape(hush), url.PathEscape(hush), encoded, "hunter2", "plugh"} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s: %q is shown in %s", format, form, out.String())
			}
		}
		for _, kept := range []string{"hunting", "42", "1"} {
			if !strings.Contains(out.String(), kept) {
				t.Errorf("%s: %q is missing in %s", format, kept, out.String())
			}
		}
	}
}

func TestLogLevel(t *testing.T) {
	var out strings.Builder
	level := levelOf(t, "warn")
	log := NewLogger(&out, "text", level, NewRedactor(nil)).With("beside", "it")
	log.Info("quiet")
	log.Warn("loud")
	if level.Set("verbose") || level.Word() != "warn" || !level.Set("debug") || level.Word() != "debug" {
		t.Errorf("the level is %s", level.Word())
	}
	log.Debug("chatty")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "loud") || !strings.Contains(got, "chatty") {
		t.Errorf("got %s", got)
	}
}

func levelOf(t *testing.T, word string) *Level {
	t.Helper()
	level := &Level{}
	if !level.Set(word) {
		t.Fatalf("%q is no level", word)
	}
	return level
}

func TestMetrics(t *testing.T) {
	m := NewMetrics("v1")
	m.Ask(func() []Sample {
		return []Sample{{Name: "errand_commits_total", Help: "h", Total: true, Value: 7}, {Name: "errand_store_bytes", Help: "h", Value: 9}}
	})
	m.RunEnded("native", "completed", "answered")
	m.Active(3, 2)
	m.Request("/v1/runs/{id}", "GET", 200, time.Millisecond)
	m.Request("none", "MADEUP", 405, time.Millisecond)
	closed := m.Stream()
	m.Stream()
	closed()
	m.ModelCalled("openai", "ok", time.Second)
	m.Spent("openai/large", Used{Input: 5, Output: 2, Cached: 1, Dollars: 0.25})
	for i := range 2 * mostModels {
		m.Spent(fmt.Sprint("made up ", i), Used{Unpriced: true})
	}
	m.RunStarted("native")
	m.Waited("person", 2*time.Minute)
	m.Refused("cost")
	m.Wrote(3, time.Millisecond)
	m.ToolCalled("unknown", time.Second)
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	body, _ := io.ReadAll(answer.Body)
	for _, line := range []string{
		`errand_runs_finished_total{api="native",reason="answered",status="completed"} 1`,
		`errand_runs_driven 3`, `errand_runs_queued 2`,
		`errand_http_requests_total{method="GET",route="/v1/runs/{id}",status="200"} 1`,
		`errand_http_requests_total{method="other",route="none",status="405"} 1`,
		`errand_http_request_seconds_count{route="/v1/runs/{id}"} 1`,
		`errand_streams 1`,
		`errand_model_calls_total{outcome="ok",provider="openai"} 1`,
		`errand_model_tokens_total{kind="cached",model="openai/large"} 1`,
		`errand_model_cost_dollars_total{model="openai/large"} 0.25`,
		`errand_model_unpriced_calls_total{model="other"} 101`,
		`errand_runs_started_total{api="native"} 1`,
		`errand_wait_seconds_bucket{for="person",le="300"} 1`, `errand_wait_seconds_count{for="queue"} 0`,
		`errand_budget_refusals_total{limit="cost"} 1`,
		`errand_commit_group_size_sum 3`, `errand_commit_group_seconds_count 1`,
		`errand_tool_calls_total{outcome="unknown"} 1`,
		"# TYPE errand_commits_total counter\nerrand_commits_total 7",
		"# TYPE errand_store_bytes gauge\nerrand_store_bytes 9",
		`errand_build_info{version="v1"} 1`,
		"go_goroutines",
	} {
		if !strings.Contains(string(body), line) {
			t.Errorf("no line %s in\n%s", line, body)
		}
	}
}
