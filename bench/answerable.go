package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// What is compared, beside the product.
const (
	isCore    = "core"    // see core.go
	isAnswers = "answers" // the core with the parts of parts.go
	isBound   = "product" // the product, with everything set that could cost a run something
)

// answerable measures what keys with scopes and limits, a budget, the audit log,
// metrics and telemetry that nobody collects cost together: processor time of a run
// through the API, over that of the same run through the same API and engine without
// them. The product is measured the same way; it has more around its engine than that.
func answerable(ctx context.Context, b *bench) error {
	servers, err := b.answerables(ctx)
	defer servers.stop()
	if err != nil {
		return err
	}
	order := []string{isCore, isAnswers, isBound}
	for _, kind := range order {
		if _, err := press(ctx, servers[kind], work().once, clients, warmup); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	cpu := map[string][]float64{}
	err = b.alternate(3*b.rounds, order, func(kind string) error {
		l, err := press(ctx, servers[kind], work().once, clients, b.quickly(pressing/2, pressing/5))
		if err != nil {
			return err
		}
		progress("%-8s %5.0f runs/s  %.3f ms CPU  p50 %.1f ms", kind, l.perSecond(), l.cpuMillis(), median(l.waits))
		cpu[kind] = append(cpu[kind], l.cpuMillis())
		return nil
	})
	if err != nil {
		return err
	}
	r := median(ratios(cpu[isAnswers], cpu[isCore]))
	b.add(row{
		figure: "server CPU per run: keys, scopes, limits, a budget, audit", hold: "< 1.15 x the core alone",
		errand: fmt.Sprintf("%.3f ms", median(cpu[isAnswers])), ratio: times(r), held: r < 1.15,
		note: fmt.Sprintf("over the core alone, which took %.3f ms; the whole product with the same key and budget took %.3f ms, %.2f x", median(cpu[isCore]), median(cpu[isBound]), median(ratios(cpu[isBound], cpu[isCore]))),
	})
	return nil
}

// answerables starts the three. What has been started is also in the answer when
// something went wrong.
func (b *bench) answerables(ctx context.Context) (pair, error) {
	settings := filepath.Join(b.scratch, "priced.yaml")
	// A price makes the budget one in money, too.
	if err := os.WriteFile(settings, []byte("prices:\n  openai/*: {input: 0.4, output: 1.6}\n"), 0o600); err != nil {
		return nil, err
	}
	p := pair{}
	for _, kind := range []string{isCore, isAnswers, isBound} {
		// The product adapts the collector of garbage to its load, by a rule of its own;
		// a fixed rule for all three compares like with like.
		s, err := b.launch(kind, b.newDir(), "GOGC=300", "ERRAND_CONFIG="+settings)
		if err != nil {
			return p, err
		}
		if err := b.open(ctx, s, work()); err != nil {
			return p, err
		}
		p[kind] = s
		if kind == isCore {
			continue
		}
		if err := s.bind(ctx); err != nil {
			return p, err
		}
	}
	return p, nil
}

// bind has runs made with a key that has no more than it needs, under limits and a
// budget that none of them reaches.
func (s *server) bind(ctx context.Context) error {
	const far = 1_000_000
	err := s.post(ctx, "/v1/budgets", map[string]any{"name": "bench", "period": "day", "max_cost_usd": far, "max_tokens": far * far, "max_runs": far * far})
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{
		"name": "bench", "scopes": []string{"runs:read", "runs:write", "agents:read", "agents:execute"},
		"requests_per_minute": far, "runs_at_once": far,
	})
	if err != nil {
		return err
	}
	said, err := s.do(ctx, http.MethodPost, "/v1/keys", body)
	if err != nil {
		return err
	}
	var made struct{ Secret string }
	err = json.Unmarshal(said, &made)
	s.key = made.Secret
	return err
}
