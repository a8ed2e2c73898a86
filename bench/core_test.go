package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestCore makes the work through the core in this process, alone and with the parts
// that make it answerable, and looks whether those are at work: what is compared must
// not be the same twice.
func TestCore(t *testing.T) {
	m, err := startMock()
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	for _, answers := range []bool{false, true} {
		ctx := context.Background()
		c, err := assembleCore(ctx, t.TempDir(), m.url, answers)
		if err != nil {
			t.Fatal(err)
		}
		served, err := c.api()
		if err != nil {
			t.Fatal(err)
		}
		listening := httptest.NewServer(served)
		s := &server{kind: isCore, key: adminKey, url: listening.URL, client: newClient()}
		err = s.prepare(ctx, m.url, []behaviour{work()})
		if err == nil && answers {
			err = s.bind(ctx)
		}
		if err == nil {
			err = s.run(ctx, work())
		}
		if err != nil {
			t.Fatalf("answers %v: %v", answers, err)
		}
		s.key = adminKey
		budget, _ := s.get(ctx, "/v1/budgets/bench")
		lines, _ := s.get(ctx, "/v1/audit?limit=100")
		s.key = "nobody's"
		_, refused := s.get(ctx, "/v1/runs")
		counted, audited := strings.Contains(string(budget), `"runs":1`), strings.Contains(string(lines), "budget.created")
		if counted != answers || audited != answers || (refused != nil) != answers {
			t.Errorf("answers %v: the budget is %s, the audit log %s, a wrong key: %v", answers, budget, lines, refused)
		}
		listening.Close()
		s.client.CloseIdleConnections()
		c.models.Close()
		if err := c.engine.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := c.store.Close(); err != nil {
			t.Error(err)
		}
	}
}
