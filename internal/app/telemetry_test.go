package app

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"errand/internal/obs"
	"errand/internal/run"
)

// collected is a collector of traces that takes them by HTTP, as protobuf.
type collected struct {
	*httptest.Server
	mu    sync.Mutex
	spans []*tracepb.Span
	about string // the attributes of the resource
	wrong []string
}

func newCollector(t *testing.T) *collected {
	c := &collected{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var sent collectorpb.ExportTraceServiceRequest
		c.mu.Lock()
		defer c.mu.Unlock()
		if err := proto.Unmarshal(body, &sent); err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			c.wrong = append(c.wrong, fmt.Sprint(r.Method, r.URL, r.Header, err))
		}
		for _, resource := range sent.ResourceSpans {
			c.about = fmt.Sprint(resource.Resource.Attributes)
			for _, scope := range resource.ScopeSpans {
				c.spans = append(c.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		answer, _ := proto.Marshal(&collectorpb.ExportTraceServiceResponse{})
		_, _ = w.Write(answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// heard is a server that writes down the traceparent of each request.
type heard struct {
	*httptest.Server
	mu     sync.Mutex
	places []string
}

func newHeard(t *testing.T, answer func(body []byte) string) *heard {
	h := &heard{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.places = append(h.places, r.Header.Get("Traceparent"))
		h.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer(body))
	}))
	t.Cleanup(h.Close)
	return h
}

// weighing is a model that calls the tool weigh once, and then answers.
func weighing(body []byte) string {
	message := `{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"weigh","arguments":"{\"parcel\":7}"}}]}`
	if bytes.Contains(body, []byte(`"role":"tool"`)) {
		message = `{"role":"assistant","content":"Two kilos."}`
	}
	return `{"choices":[{"index":0,"finish_reason":"stop","message":` + message + `}],"usage":{"prompt_tokens":9,"completion_tokens":3}}`
}

// weigher is a world with that model and that tool.
func weigher(t *testing.T) (w *world, model, tool *heard) {
	model = newHeard(t, weighing)
	tool = newHeard(t, func([]byte) string { return `{"kilos":2}` })
	w = newWorld(t)
	file := w.file("errand.yaml", `tools:
  - name: weigh
    description: Weighs a parcel.
    url: `+tool.URL+`
    effect: safe
    parameters: {type: object, properties: {parcel: {type: integer}}}
`)
	return w.with("ERRAND_CONFIG="+file, "ERRAND_MODEL=openai/m", "OPENAI_API_KEY=sk-test-of-traces", "OPENAI_BASE_URL="+model.URL+"/v1",
		"ERRAND_EGRESS_ALLOW=127.0.0.0/8"), model, tool
}

const askedFrom = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// ask starts a run that weighs, from a place in a trace, and waits for its end.
func (s *served) ask(traceparent string) {
	s.t.Helper()
	status, body := s.send("POST", "/v1/runs", `{"model":"default","prompt":"Weigh parcel 7.","tools":["weigh"]}`, "Traceparent", traceparent)
	if status >= 300 || !strings.Contains(body, `"completed"`) {
		s.t.Fatalf("%d %s\n%s", status, body, s.errs)
	}
}

// figures are those of a run that has ended: its end is counted right after it is
// shown.
func (s *served) figures() (text string) {
	s.t.Helper()
	s.ask("")
	eventually(s.t, "the end of the run", func() bool {
		_, text = s.get("/metrics")
		return strings.Contains(text, "errand_runs_finished_total{")
	})
	return text
}

func (s *served) send(method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text)
}

func TestACollectorSeesTheTreeOfARun(t *testing.T) {
	sink := newCollector(t)
	w, model, tool := weigher(t)
	s := w.with("OTEL_EXPORTER_OTLP_ENDPOINT=" + sink.URL).serve()
	s.ask(askedFrom)
	s.stop()
	sink.mu.Lock()
	defer sink.mu.Unlock()
	if len(sink.wrong) > 0 || !strings.Contains(sink.about, `"errand"`) {
		t.Errorf("wrong requests: %v; from %s", sink.wrong, sink.about)
	}
	byID := map[string]string{askedFrom[36:52]: "the caller"}
	for _, span := range sink.spans {
		byID[hex.EncodeToString(span.SpanId)] = span.Name
		if hex.EncodeToString(span.TraceId) != askedFrom[3:35] {
			t.Errorf("%s is of another trace", span.Name)
		}
		if text := span.String(); strings.Contains(text, "parcel") || strings.Contains(text, "kilo") || strings.Contains(text, "Weighs") {
			t.Errorf("a span tells what was said: %s", text)
		}
	}
	var tree []string
	for _, span := range sink.spans {
		tree = append(tree, span.Name+" < "+byID[hex.EncodeToString(span.ParentSpanId)])
	}
	slices.Sort(tree)
	want := []string{"chat default < step", "chat default < step", "execute_tool weigh < step", "invoke_agent < the caller", "step < invoke_agent", "step < invoke_agent"}
	if !slices.Equal(tree, want) {
		t.Errorf("the tree is %q", tree)
	}
	for whom, called := range map[string]*heard{"chat default": model, "execute_tool weigh": tool} {
		for _, place := range called.places {
			if len(place) != 55 || place[:36] != askedFrom[:36] || byID[place[36:52]] != whom {
				t.Errorf("%s was called from %q", whom, place)
			}
		}
	}
	if len(model.places) != 2 || len(tool.places) != 1 {
		t.Errorf("calls: %v %v", model.places, tool.places)
	}
}

// A server that records nothing does not break the traces of others.
func TestWithoutACollectorATraceIsHandedOnAsItCame(t *testing.T) {
	w, model, tool := weigher(t)
	s := w.serve()
	s.ask(askedFrom)
	s.ask("no traceparent")
	want := []string{askedFrom, askedFrom, "", ""}
	if !slices.Equal(model.places, want) || !slices.Equal(tool.places, []string{askedFrom, ""}) {
		t.Errorf("model: %q; tool: %q", model.places, tool.places)
	}
}

func TestACollectorThatIsAwayDelaysNothing(t *testing.T) {
	w, _, _ := weigher(t)
	s := w.with("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9").serve()
	s.ask(askedFrom)
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if code, _, errs := w.with("OTEL_EXPORTER_OTLP_ENDPOINT=nonsense").run("serve", "--addr", "127.0.0.1:0"); code != exitUsage || !strings.Contains(errs, "OTEL_EXPORTER_OTLP_ENDPOINT") {
		t.Errorf("%d %s", code, errs)
	}
}

// Every metric that the dashboard asks for is one that the server has, with the
// labels that it is asked by.
func TestTheDashboardAsksForWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../../docs/grafana/errand.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	w, _, _ := weigher(t)
	s := w.serve()
	figures := s.figures()
	asked, name := 0, regexp.MustCompile(`\b(?:errand|go|process)_[a-z_]+`)
	grouped, selected := regexp.MustCompile(`by \(([a-z, ]+)\)`), regexp.MustCompile(`([a-z_]+)(?:=~|!~|!=|=)"`)
	for _, panel := range board.Panels {
		if panel.Title == "" || len(panel.Targets) == 0 {
			t.Errorf("a panel without a title or a question: %+v", panel)
		}
		for _, target := range panel.Targets {
			labels := []string{}
			for _, by := range grouped.FindAllStringSubmatch(target.Expr, -1) {
				labels = append(labels, strings.Split(by[1], ", ")...)
			}
			for _, by := range selected.FindAllStringSubmatch(target.Expr, -1) {
				labels = append(labels, by[1])
			}
			for _, metric := range name.FindAllString(target.Expr, -1) {
				asked++
				line := regexp.MustCompile(`(?m)^` + metric + `(\{.*)? `).FindString(figures)
				if line == "" {
					t.Errorf("%s: the server has no %s", panel.Title, metric)
				}
				for _, label := range labels {
					if line != "" && label != "job" && label != "instance" && !strings.Contains(line, label+"=") {
						t.Errorf("%s: %s has no label %s", panel.Title, metric, label)
					}
				}
			}
		}
	}
	if asked < 15 {
		t.Errorf("the dashboard asks for %d figures", asked)
	}
	thePageNames(t, figures)
}

// thePageNames holds that docs/operations.md tells of each figure that the server has,
// and of no other.
func thePageNames(t *testing.T, figures string) {
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n| figure | tells |")
	table, _, _ = strings.Cut(table, "\n\n")
	told := make(map[string]bool)
	for _, name := range regexp.MustCompile("`(errand_[a-z_]+)").FindAllStringSubmatch(table, -1) {
		told[name[1]] = true
		if !strings.Contains(figures, "# TYPE "+name[1]+" ") {
			t.Errorf("docs/operations.md tells of %s, which the server does not have", name[1])
		}
	}
	for _, name := range regexp.MustCompile("(?m)^# TYPE (errand_[a-z_]+) ").FindAllStringSubmatch(figures, -1) {
		if !told[name[1]] {
			t.Errorf("docs/operations.md does not tell of %s", name[1])
		}
	}
}

func TestFiguresOfARun(t *testing.T) {
	w, _, _ := weigher(t)
	s := w.serve()
	figures := s.figures()
	for _, line := range []string{
		`errand_runs_started_total{api="native"} 1`,
		`errand_runs_finished_total{api="native",reason="answered",status="completed"} 1`,
		`errand_model_tokens_total{kind="input",model="openai/m"} 18`,
		`errand_model_unpriced_calls_total{model="openai/m"} 2`,
		`errand_tool_calls_total{outcome="ok"} 1`,
	} {
		if !strings.Contains(figures, line) {
			t.Errorf("no line %s", line)
		}
	}
	for _, some := range []string{"errand_commit_group_seconds_count", "errand_commit_group_size_sum"} {
		if !regexp.MustCompile(`(?m)^` + some + ` [1-9]`).MatchString(figures) {
			t.Errorf("%s is not above zero", some)
		}
	}
}

func TestTheLevelOfTheLogChangesWhileTheServerRuns(t *testing.T) {
	s := newWorld(t).with("ERRAND_LOG_LEVEL=error").serve()
	s.get("/healthz")
	if log := s.errs.String(); strings.Contains(log, "/healthz") {
		t.Errorf("at error the log has\n%s", log)
	}
	if status, body := s.send("PUT", "/v1/log-level", `{"level":"debug"}`); status != http.StatusOK || !strings.Contains(body, `"debug"`) {
		t.Fatalf("%d %s", status, body)
	}
	s.get("/healthz")
	if log := s.errs.String(); !strings.Contains(log, "/healthz") || !strings.Contains(log, "the level of this log was changed") {
		t.Errorf("at debug the log has\n%s", log)
	}
	if status, body := s.send("PUT", "/v1/log-level", `{"level":"loud"}`); status < 400 || !strings.Contains(body, "debug, info, warn or error") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := s.send("GET", "/v1/log-level", ""); status != http.StatusOK || !strings.Contains(body, `"debug"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestProfilesAreForThisMachine(t *testing.T) {
	s := newWorld(t).with("ERRAND_PPROF=127.0.0.1:0", "ERRAND_LOG_LEVEL=info").serve()
	found := regexp.MustCompile(`profiles are served.* addr=(\S+)`).FindStringSubmatch(s.errs.String())
	if found == nil {
		t.Fatalf("the log does not say where:\n%s", s.errs)
	}
	for host, want := range map[string]int{found[1]: http.StatusOK, "localhost:6060": http.StatusOK, "evil.example": http.StatusForbidden} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+found[1]+"/debug/pprof/goroutine?debug=1", nil)
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("as %s: %d, want %d", host, answer.StatusCode, want)
		}
	}
	if status, _ := s.get("/debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("the server's own port answers %d", status)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	code, _, errs := newWorld(t).with("ERRAND_PPROF=0.0.0.0:6060").run("serve", "--addr", "127.0.0.1:0")
	if code != exitUsage || !strings.Contains(errs, "pprof") || !strings.Contains(errs, "0.0.0.0:6060") {
		t.Errorf("%d %s", code, errs)
	}
}

// What the figures cost for each reply of a model, without a collector of traces.
func BenchmarkFiguresOfAReply(b *testing.B) {
	o := observer{metrics: obs.NewMetrics("v1")}
	s := &run.State{Spec: run.Spec{Model: "auto"}}
	events := []run.Event{{Type: run.ModelResponded, Responded: &run.Responded{Reply: run.Reply{Model: "acme/large", Usage: run.Usage{Input: 10, Output: 5}}}}}
	b.ReportAllocs()
	for b.Loop() {
		o.stored(s, events)
	}
}
