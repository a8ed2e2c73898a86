package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"errand/internal/config"
	"errand/internal/obs"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/span"
)

// observer hears of what runs have stored, and tells the counters and, if there is
// one, the collector of traces.
type observer struct {
	metrics *obs.Metrics
	tracer  *span.Tracer // nil = none
}

// observe makes the tracer that the standard variables ask for, if they do.
func (a *assembly) observe(ctx context.Context, p *process) (err error) {
	env := config.Environment(p.env)
	for _, variable := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(env[variable], ",") {
			if _, value, ok := strings.Cut(pair, "="); ok {
				plain, _ := url.PathUnescape(strings.TrimSpace(value)) // they are written URL-encoded
				a.redactor.Add([]string{strings.TrimSpace(value), plain})
			}
		}
	}
	if a.tracer, err = span.New(ctx, span.Config{Env: env, Version: version(), Logger: a.logger, Clean: a.redactor.Redact}); err != nil {
		return usage(err) // all that it refuses is in the environment
	}
	return nil
}

// spans is the engine's question for the place of an effect in a trace; nil
// without a tracer, so that it costs nothing.
func (a *assembly) spans() func(*run.State, run.Effect, int) string {
	if a.tracer == nil {
		return nil
	}
	return a.tracer.Parent
}

// lastSpans is how long a collector may take for what is still to be sent when the
// server stops: nobody waits for telemetry.
const lastSpans = 2 * time.Second

// closeTracer sends the last spans.
func (a *assembly) closeTracer() {
	if a.tracer == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
	defer cancel()
	if err := a.tracer.Close(ctx); err != nil {
		a.logger.Warn("some spans were not sent", "error", err)
	}
}

// stored hears of events that are on disk.
func (o observer) stored(s *run.State, events []run.Event) {
	if o.tracer != nil {
		o.tracer.Stored(s, events)
	}
	for i := range events {
		e := &events[i]
		switch e.Type {
		case run.RunCreated:
			if !e.Created.Queued {
				o.metrics.RunStarted(s.Spec.Dialect)
			}
		case run.RunStarted:
			o.metrics.RunStarted(s.Spec.Dialect)
			o.metrics.Waited("queue", e.At.Sub(s.CreatedAt))
		case run.ModelResponded:
			o.spent(cmp.Or(e.Responded.Reply.Model, s.Spec.Model), e.Responded.Reply.Usage)
		case run.ModelFailed:
			if e.Failed.Usage != (run.Usage{}) {
				o.spent(s.Spec.Model, e.Failed.Usage)
			}
		case run.BudgetRefused:
			o.metrics.Refused(e.Refusal.Limit)
		case run.ApprovalDecided:
			o.answered(s, e.Decided.Actions, e.At)
		case run.ApprovalExpired:
			o.answered(s, e.Expired.Actions, e.At)
		case run.InputReceived:
			for j := range e.Input.Outputs {
				if a := s.Action(e.Input.Outputs[j].Action); a != nil {
					o.metrics.Waited("caller", e.At.Sub(since(s, a)))
				}
			}
		}
	}
}

func (o observer) spent(model string, u run.Usage) {
	o.metrics.Spent(model, obs.Used{Input: u.Input, Output: u.Output, Cached: u.Cached, Dollars: u.Cost.Dollars(), Unpriced: u.Unpriced})
}

// answered measures how long people took for what they were asked.
func (o observer) answered(s *run.State, actions []string, at time.Time) {
	for _, id := range actions {
		if a := s.Action(id); a != nil && !a.Waits() && !a.Asked.IsZero() {
			o.metrics.Waited("person", at.Sub(a.Asked))
		}
	}
}

// since is from when on a caller owed the output of an action.
func since(s *run.State, a *run.Action) time.Time {
	if a.DecidedAt.IsZero() {
		if i := slices.IndexFunc(s.Turns, func(t run.Turn) bool { return t.Step == a.Step }); i >= 0 {
			return s.Turns[i].At
		}
	}
	return a.DecidedAt
}

// logLevel lets the API change from what level on the log is written.
type logLevel struct{ a *assembly }

// Level is the level in force.
func (l logLevel) Level() string { return l.a.level.Word() }

// CheckLevel knows the words for it.
func (l logLevel) CheckLevel(word string) error {
	switch word {
	case "debug", "info", "warn", "error":
		return nil
	}
	return problem.Invalid("level", "must be debug, info, warn or error, not %.40q", word)
}

// SetLevel changes it until the server stops.
func (l logLevel) SetLevel(word string) error {
	if !l.a.level.Set(word) {
		return l.CheckLevel(word)
	}
	l.a.logger.Error("the level of this log was changed", "level", word) // so that every level shows it
	return nil
}

// profileHeaders is how long a client of profiles gets for its headers.
const profileHeaders = 5 * time.Second

// profile serves profiles of this process until stop is called; it does nothing
// unless the settings say where. They tell a lot about what is in memory, so they
// are for this machine alone: config refuses other addresses, and a page of others
// that a browser here shows can't read them under a name of its own.
func (a *assembly) profile() (stop func() error, err error) {
	if a.cfg.Pprof == "" {
		return func() error { return nil }, nil
	}
	listener, err := net.Listen("tcp", a.cfg.Pprof)
	if err != nil {
		return nil, fmt.Errorf("listening for profiles on %s: %w", a.cfg.Pprof, err)
	}
	pages := http.NewServeMux()
	pages.HandleFunc("/debug/pprof/", pprof.Index)
	pages.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	pages.HandleFunc("/debug/pprof/profile", pprof.Profile)
	pages.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	pages.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{ReadHeaderTimeout: profileHeaders, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !here(r.Host) {
			http.Error(w, "profiles are served under the name of this machine alone: localhost, or its address", http.StatusForbidden)
			return
		}
		pages.ServeHTTP(w, r)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	a.logger.Info("profiles are served to this machine", "addr", listener.Addr().String())
	return func() error {
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	}, nil
}

// near reports whether a request comes from a program of this machine that asks for it
// by its own address. What a proxy passes on comes from this machine, too, if the proxy
// is here: by what proxies add, by the name, or by the settings it is told apart.
func (a *assembly) near(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() || !here(r.Host) {
		return false
	}
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		if r.Header.Get(name) != "" {
			return false
		}
	}
	public, err := url.Parse(a.cfg.PublicURL)
	return err == nil && (public.Host == "" || here(public.Host))
}

// here reports whether a Host header names this machine by its own address.
func here(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
