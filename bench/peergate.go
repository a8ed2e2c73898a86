package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// gating is how a peer waits for a person, and is told what the person says.
type gating struct {
	peer    *peer
	label   string
	ask     func(thread string) call
	approve func(ctx context.Context, h *host, thread, answer string) (call, error)
	look    func(ctx context.Context, h *host, threads []string) standing
}

// gated is what came of it.
type gated struct {
	gating
	people int  // who approve at once
	waited bool // the tool was not called before the approval
	calls  int  // of the tool
	codes  []int
	done   bool
	failed string
}

// gate makes a run that has to wait for a person, kills the server, starts it again,
// approves as often as there are people, all at once, and looks.
func (c *contest) gate(ctx context.Context, g gating, people int) (gated, error) {
	out := gated{gating: g, people: people}
	name := fmt.Sprintf("gate-%s-%d", g.peer.key(), people)
	book := c.ledger.tally(name)
	at := place{dir: c.newStoryDir(name), tool: c.ledger.url + "/" + name, fresh: true}
	h, err := c.start(ctx, g.peer, at)
	if err != nil {
		return out, err
	}
	thread := newThread()
	answer, err := h.do(ctx, g.ask(thread))
	if err == nil {
		wait(ctx, c.settle)
	}
	h.kill()
	if err != nil {
		return out, fmt.Errorf("%s: %w", g.label, err)
	}
	calls, _ := book.count()
	out.waited = calls == 0
	at.fresh = false
	if h, err = c.start(ctx, g.peer, at); err != nil {
		return out, err
	}
	defer h.stop()
	word, err := g.approve(ctx, h, thread, answer)
	if err != nil {
		out.failed = "what waits can't be found after the restart"
		return out, nil
	}
	out.codes = h.say(ctx, word, people)
	for until := time.Now().Add(c.recover); time.Now().Before(until) && !out.done && wait(ctx, 300*time.Millisecond); {
		out.done = g.look(ctx, h, []string{thread}).done > 0
	}
	out.calls, _ = book.count()
	return out, ctx.Err()
}

// say says the same a number of times at once, and returns the statuses of the answers.
func (h *host) say(ctx context.Context, word call, times int) []int {
	codes := make([]int, times)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			answer, err := h.send(ctx, word)
			if err != nil {
				return // 0: no answer
			}
			defer answer.Body.Close()
			codes[i] = answer.StatusCode
			_, _ = io.Copy(io.Discard, answer.Body) // it may come as a stream
		})
	}
	all.Wait()
	return codes
}

func (c *contest) gateAll(ctx context.Context) error {
	var tasks []gated
	for _, g := range gatings() {
		if c.compares(g.peer) {
			tasks = append(tasks, gated{gating: g, people: 1}, gated{gating: g, people: 2})
		}
	}
	c.gates = make([]gated, len(tasks))
	return each(ctx, len(tasks), func(ctx context.Context, i int) (err error) {
		c.gates[i], err = c.gate(ctx, tasks[i].gating, tasks[i].people)
		g := c.gates[i]
		progress("gated: %-30s people %d  waited %t  calls %d  codes %v  done %t  %s", g.label, g.people, g.waited, g.calls, g.codes, g.done, g.failed)
		return err
	})
}

func gatings() []gating {
	e, m, l, v := ours(), mastra(""), langgraph(), voltagent()
	ask := func(p *peer) func(string) call {
		return func(thread string) call { return p.ask("gated", thread) }
	}
	return []gating{
		{e, "Errand", ask(e), approveErrand, lookErrand},
		{m, "Mastra, agent", ask(m), approveMastra, lookMastra("gated")},
		{l, "LangGraph.js dev server", ask(l), approveLangGraph, lookLangGraph},
		{v, "VoltAgent, agent", ask(v), approveVoltAgent, lookVoltAgent("gated")},
	}
}

func approveErrand(_ context.Context, _ *host, _, answer string) (call, error) {
	var run struct {
		ID      string `json:"id"`
		Pending []struct {
			ID string `json:"id"`
		} `json:"pending_actions"`
	}
	if err := json.Unmarshal([]byte(answer), &run); err != nil || len(run.Pending) != 1 {
		return call{}, fmt.Errorf("no action waits: %.300s", answer)
	}
	return call{http.MethodPost, "/v1/runs/" + run.ID + "/approve", fmt.Sprintf(`{"action_ids":[%q]}`, run.Pending[0].ID)}, nil
}

func approveMastra(_ context.Context, _ *host, _, answer string) (call, error) {
	var run struct {
		ID      string `json:"runId"`
		Suspend struct {
			ToolCallID string `json:"toolCallId"`
		} `json:"suspendPayload"`
	}
	if err := json.Unmarshal([]byte(answer), &run); err != nil || run.ID == "" {
		return call{}, fmt.Errorf("no run waits: %.300s", answer)
	}
	return call{http.MethodPost, "/api/agents/gated/approve-tool-call-generate",
		fmt.Sprintf(`{"runId":%q,"toolCallId":%q}`, run.ID, run.Suspend.ToolCallID)}, nil
}

func approveLangGraph(_ context.Context, _ *host, thread, answer string) (call, error) {
	if !strings.Contains(answer, "__interrupt__") {
		return call{}, fmt.Errorf("the run was not interrupted: %.300s", answer)
	}
	return call{http.MethodPost, "/threads/" + thread + "/runs/wait",
		`{"assistant_id":"gated","command":{"resume":{"decisions":[{"type":"approve"}]}}}`}, nil
}

// approveVoltAgent does what the page of a chat does: it reads the conversation, notes
// the approval in it, and sends it back.
func approveVoltAgent(ctx context.Context, h *host, thread, _ string) (call, error) {
	said, err := h.do(ctx, call{http.MethodGet, "/api/memory/conversations/" + thread + "/messages?userId=bench&agentId=gated", ""})
	if err != nil {
		return call{}, err
	}
	var kept struct {
		Data struct {
			Messages []struct {
				ID    string           `json:"id"`
				Role  string           `json:"role"`
				Parts []map[string]any `json:"parts"`
			} `json:"messages"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(said), &kept); err != nil {
		return call{}, err
	}
	found := false
	for _, message := range kept.Data.Messages {
		for _, part := range message.Parts {
			if asked, ok := part["approval"].(map[string]any); ok && part["state"] == "approval-requested" {
				part["state"], asked["approved"], found = "approval-responded", true, true
			}
		}
	}
	if !found {
		return call{}, fmt.Errorf("no approval is asked for: %.300s", said)
	}
	input, err := json.Marshal(kept.Data.Messages)
	return call{http.MethodPost, "/agents/gated/chat",
		fmt.Sprintf(`{"input":%s,"options":{"memory":{"userId":"bench","conversationId":%q}}}`, input, thread)}, err
}
