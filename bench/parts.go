package main

import (
	"context"
	"math"
	"time"

	"errand/internal/audit"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/obs"
	"errand/internal/problem"
	"errand/internal/rule"
	"errand/internal/run"
	"errand/internal/store"
)

// parts are what makes runs answerable, for the core that has them: they are the
// product's own, wired as internal/app wires them.
type parts struct {
	keys     *auth.Book
	ledger   *auth.Ledger
	budgets  *auth.Budgets
	rules    rule.Book
	redactor *obs.Redactor
	metrics  *obs.Metrics
}

// addParts makes the parts over the store, and the first key.
func addParts(ctx context.Context, s coreStore) (*parts, error) {
	p := &parts{keys: auth.NewBook(s, time.Now), ledger: auth.NewLedger(time.Now), redactor: obs.NewRedactor([]string{adminKey}), metrics: obs.NewMetrics("bench")}
	p.budgets = auth.NewBudgets(s, s, p.ledger, time.Now)
	if err := p.budgets.Load(ctx); err != nil {
		return nil, err
	}
	_, err := p.keys.EnsureAdmin(ctx, adminKey)
	return p, err
}

// arm hands the parts to an engine. Nobody collects traces.
func (c *core) arm(cfg *engine.Config) {
	cfg.Budgets, cfg.Bound, cfg.AtOnce = c.parts.ledger, c.bound, c.parts.keys.AtOnce
	cfg.Holds, cfg.Mask, cfg.Meter = c.parts.rules.Holds, c.parts.redactor.Redact, counted{c.parts.metrics}
	cfg.Witness = func(ctx context.Context, commit *run.Commit) { audit.Witness(ctx, commit, time.Now()) }
}

// bound is the most that a model call can use.
func (c *core) bound(req *run.Request) (tokens int, cost run.Micros) {
	text, pictures := req.Weigh()
	worst := c.models.Worst(req.Model, text, pictures)
	input, output := text+pictures*worst.Image, req.Longest()
	return input + output, run.Micros(math.Ceil(float64(input)*worst.Input + float64(output)*worst.Output))
}

// log reads the audit log.
func (s coreStore) log() *audit.Log { return &audit.Log{Lines: s.Store, Chain: store.Chain} }

// Append writes the commit, with the lines of its audit if there is to be one.
func (s coreStore) Append(ctx context.Context, c run.Commit) error {
	if s.audited {
		audit.Witness(ctx, &c, time.Now())
	}
	return s.Store.Append(ctx, c)
}

// counted is the engine's meter.
type counted struct{ metrics *obs.Metrics }

// ModelCalled counts a model call.
func (m counted) ModelCalled(string, run.Usage, time.Duration, problem.Code) {
	m.metrics.ModelCalled("openai", "ok", 0)
}

// ToolCalled counts a tool call.
func (m counted) ToolCalled(_ string, outcome run.Outcome, took time.Duration) {
	m.metrics.ToolCalled(string(outcome), took)
}

// RunEnded counts the end of a run.
func (m counted) RunEnded(dialect string, status run.Status, reason run.StopReason) {
	m.metrics.RunEnded(dialect, string(status), string(reason))
}

// Active says how many runs are driven.
func (m counted) Active(drivers, waiting int) { m.metrics.Active(drivers, waiting) }
