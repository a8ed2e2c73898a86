package obs

import (
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics are the server's figures. Make one with NewMetrics; its methods are
// safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	started        *prometheus.CounterVec
	finished       *prometheus.CounterVec
	waits          *prometheus.HistogramVec
	refused        *prometheus.CounterVec
	driven, queued prometheus.Gauge
	requests       *prometheus.CounterVec
	requestSeconds *prometheus.HistogramVec
	streams        prometheus.Gauge
	load           load
	modelCalls     *prometheus.CounterVec
	modelSeconds   prometheus.Histogram
	tokens         *prometheus.CounterVec
	spent          *prometheus.CounterVec
	unpriced       *prometheus.CounterVec
	models         bounded
	toolCalls      *prometheus.CounterVec
	toolSeconds    prometheus.Histogram
	groupSeconds   prometheus.Histogram
	groupSize      prometheus.Histogram
}

// fast are bounds in seconds for what takes from a disk write to a page; slow,
// for what waits for a model or a tool; patient, for what waits for people.
func fast() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 30}
}
func patient() []float64 {
	return []float64{.01, .1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 7 * 24 * 3600}
}
func slow() []float64 { return []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 600} }

// NewMetrics returns figures that all stand at zero.
func NewMetrics(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.started = m.counter("errand_runs_started_total", "Runs that have begun to work, by API.", "api")
	m.finished = m.counter("errand_runs_finished_total", "Runs that ended, by API, status and stop reason.", "api", "status", "reason")
	m.driven = m.gauge("errand_runs_driven", "Runs that are kept moving now.")
	m.queued = m.gauge("errand_runs_queued", "Runs that wait until there is room to drive them.")
	m.requests = m.counter("errand_http_requests_total", "HTTP requests answered, by route, method and status.", "route", "method", "status")
	m.requestSeconds = m.histograms("errand_http_request_seconds", "Time from an HTTP request to the end of its answer, by route.", fast(), "route")
	m.streams = m.gauge("errand_streams", "Event streams that are open now.")
	m.modelCalls = m.counter("errand_model_calls_total", "Model calls, by provider and outcome (ok or a problem's code).", "provider", "outcome")
	m.modelSeconds = m.histogram("errand_model_call_seconds", "Time of a model call.", slow())
	m.tokens = m.counter("errand_model_tokens_total", "Tokens of model calls, by the model that answered; cached are part of input.", "model", "kind")
	m.spent = m.counter("errand_model_cost_dollars_total", "What model calls have cost at the prices that are known, in US dollars, by the model that answered.", "model")
	m.unpriced = m.counter("errand_model_unpriced_calls_total", "Model calls whose cost is not known, by the model that answered.", "model")
	m.refused = m.counter("errand_budget_refusals_total", "Model calls that a budget had no room for, by what was used up.", "limit")
	m.toolCalls = m.counter("errand_tool_calls_total", "Tool calls, by outcome.", "outcome")
	m.toolSeconds = m.histogram("errand_tool_call_seconds", "Time of a tool call.", slow())
	m.waits = m.histograms("errand_wait_seconds", "Time that runs waited, by what for: queue (room to work), person (an approval), caller (an output of a function).", patient(), "for")
	m.groupSeconds = m.histogram("errand_commit_group_seconds", "Time of one write to disk, which a group of commits shares.", fast())
	m.groupSize = m.histogram("errand_commit_group_size", "Commits that shared one write to disk.", []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})
	for _, reason := range Waits() { // at zero, and not absent: what has no series can't raise an alarm
		m.waits.WithLabelValues(reason)
	}
	for _, limit := range []string{"cost", "tokens"} {
		m.refused.WithLabelValues(limit)
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "errand_build_info", Help: "Always 1; its label is the version.",
		ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(build, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.registry.MustRegister(vec)
	return vec
}

func (m *Metrics) gauge(name, help string) prometheus.Gauge {
	gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	m.registry.MustRegister(gauge)
	return gauge
}

func (m *Metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	histogram := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(histogram)
	return histogram
}

func (m *Metrics) histograms(name, help string, buckets []float64, label string) *prometheus.HistogramVec {
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, []string{label})
	m.registry.MustRegister(vec)
	return vec
}

// Handler serves the figures in the Prometheus text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Sample is a figure that someone else keeps, at the time of a scrape. Total says
// that it only grows. For is the value of its label "for"; empty = it has no label.
type Sample struct {
	Name, Help string
	For        string
	Total      bool
	Value      float64
}

// Ask makes figures of what ask returns at each scrape; names and kinds must
// always be the same.
func (m *Metrics) Ask(ask func() []Sample) { m.registry.MustRegister(asked{ask}) }

// asked is a collector of samples.
type asked struct{ ask func() []Sample }

// Describe says nothing in advance: what is asked may count, and is asked at a scrape.
func (a asked) Describe(chan<- *prometheus.Desc) {}

func (a asked) Collect(to chan<- prometheus.Metric) {
	for _, s := range a.ask() {
		kind := prometheus.GaugeValue
		if s.Total {
			kind = prometheus.CounterValue
		}
		to <- prometheus.MustNewConstMetric(s.desc(), kind, s.Value)
	}
}

func (s *Sample) desc() *prometheus.Desc {
	var labels prometheus.Labels
	if s.For != "" {
		labels = prometheus.Labels{"for": s.For}
	}
	return prometheus.NewDesc(s.Name, s.Help, nil, labels)
}

// RunStarted counts a run of an API that begins to work.
func (m *Metrics) RunStarted(api string) { m.started.WithLabelValues(api).Inc() }

// Waits are what Waited is told of.
func Waits() []string { return []string{"queue", "person", "caller"} }

// Waited measures how long a run has waited for one of Waits.
func (m *Metrics) Waited(reason string, took time.Duration) {
	m.waits.WithLabelValues(reason).Observe(max(took.Seconds(), 0))
}

// Refused counts a model call that a budget had no room for.
func (m *Metrics) Refused(limit string) { m.refused.WithLabelValues(limit).Inc() }

// Wrote measures one write to disk.
func (m *Metrics) Wrote(commits int, took time.Duration) {
	m.groupSeconds.Observe(took.Seconds())
	m.groupSize.Observe(float64(commits))
}

// RunEnded counts the end of a run of an API.
func (m *Metrics) RunEnded(api, status, reason string) {
	m.finished.WithLabelValues(api, status, reason).Inc()
}

// Active says how many runs are driven and how many wait for it.
func (m *Metrics) Active(driven, queued int) {
	m.driven.Set(float64(driven))
	m.queued.Set(float64(queued))
	m.load.driven.Store(int64(driven))
	m.load.queued.Store(int64(queued))
}

// load is what goes on now, for whoever asks the program itself.
type load struct{ driven, queued, streams atomic.Int64 }

// Load is how many runs are driven, how many wait for that, and how many streams are
// open, now.
func (m *Metrics) Load() (driven, queued, streams int) {
	return int(m.load.driven.Load()), int(m.load.queued.Load()), int(m.load.streams.Load())
}

// Request counts an answered request. The route is a pattern of the table;
// methods are the standard ones, so that nobody can make up series.
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
	default:
		method = "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.requestSeconds.WithLabelValues(route).Observe(took.Seconds())
}

// Stream counts a stream that has opened; the returned function, its end.
func (m *Metrics) Stream() (closed func()) {
	m.streams.Inc()
	m.load.streams.Add(1)
	return func() {
		m.streams.Dec()
		m.load.streams.Add(-1)
	}
}

// ModelCalled counts a model call. The outcome is ok or a problem's code.
func (m *Metrics) ModelCalled(provider, outcome string, took time.Duration) {
	m.modelCalls.WithLabelValues(provider, outcome).Inc()
	m.modelSeconds.Observe(took.Seconds())
}

// Used is what a model call has consumed.
type Used struct {
	Input, Output, Cached int     // tokens
	Dollars               float64 // at the prices that are known
	Unpriced              bool    // some of it has none
}

// Spent counts what a call of a model has consumed.
func (m *Metrics) Spent(model string, u Used) {
	model = m.models.take(model)
	m.tokens.WithLabelValues(model, "input").Add(float64(u.Input))
	m.tokens.WithLabelValues(model, "output").Add(float64(u.Output))
	m.tokens.WithLabelValues(model, "cached").Add(float64(u.Cached))
	m.spent.WithLabelValues(model).Add(max(u.Dollars, 0))
	if u.Unpriced {
		m.unpriced.WithLabelValues(model).Inc()
	}
}

// ToolCalled counts a tool call.
func (m *Metrics) ToolCalled(outcome string, took time.Duration) {
	m.toolCalls.WithLabelValues(outcome).Inc()
	m.toolSeconds.Observe(took.Seconds())
}

// mostModels bounds the models that have series of their own: there are servers
// that answer under whatever name they are asked for.
const mostModels = 100

// bounded is a label whose values come from outside: those beyond the bound are
// counted together.
type bounded struct {
	mu   sync.Mutex
	seen map[string]bool
}

func (b *bounded) take(value string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.seen[value] {
		if len(b.seen) >= mostModels {
			return "other"
		}
		if b.seen == nil {
			b.seen = map[string]bool{}
		}
		b.seen[value] = true
	}
	return value
}
