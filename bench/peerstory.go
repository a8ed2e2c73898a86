package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// inFlight is how many runs are under way when a server is killed.
const inFlight = 8

// settling is how long a server that is to be killed is left alone before: longer than
// any of them waits before it writes to its disk.
const settling = 4 * time.Second

// recovering is how long a server has, after its second start, to go on.
const recovering = 12 * time.Second

// standing is what a server says of runs.
type standing struct {
	known   int // what was asked can be read
	done    int // the answer can be read
	waiting int // it says that a person has to decide
}

// killing is a way in which a peer makes runs that a crash is to hit.
type killing struct {
	peer   *peer
	label  string
	effect string // of Errand's tool
	begin  func(thread string) call
	look   func(ctx context.Context, h *host, threads []string) standing
}

// killed is what came of it.
type killed struct {
	killing
	soon         bool // killed at once, or when it had time to write
	standing          // after the second start
	calls, again int  // of the tool, before the crash and after it
	keys         int  // Idempotency-Keys of all of them
}

// crash starts runs whose tool does not answer, kills all processes of the server, starts
// it again on the same directory, with a tool that answers, and looks.
func (c *contest) crash(ctx context.Context, k killing, soon bool) (killed, error) {
	name := strings.NewReplacer(" ", "-", ",", "", "`", "").Replace(fmt.Sprintf("%s-%s-%t", k.label, k.effect, soon))
	book := c.ledger.tally(name)
	at := place{dir: c.newStoryDir(name), tool: c.ledger.url + "/" + name, effect: k.effect, fresh: true}
	h, err := c.start(ctx, k.peer, at)
	if err != nil {
		return killed{}, err
	}
	let := book.hold()
	defer let()
	threads := h.begin(ctx, k.begin)
	for until := time.Now().Add(2 * patience); ; {
		if calls, _ := book.count(); calls == inFlight {
			break
		}
		if time.Now().After(until) || !wait(ctx, 20*time.Millisecond) {
			h.kill()
			calls, _ := book.count()
			return killed{}, fmt.Errorf("%s: %d of %d runs called the tool\n%s", k.label, calls, inFlight, h.said.String())
		}
	}
	if !soon {
		wait(ctx, c.settle)
	}
	h.kill()
	let()
	out := killed{killing: k, soon: soon}
	out.calls, _ = book.count()
	at.fresh = false
	if h, err = c.start(ctx, k.peer, at); err != nil {
		return killed{}, err
	}
	defer h.stop()
	for until := time.Now().Add(c.recover); time.Now().Before(until) && wait(ctx, 500*time.Millisecond); {
		if out.standing = k.look(ctx, h, threads); out.done+out.waiting >= inFlight {
			break
		}
	}
	out.again, out.keys = book.count()
	out.again -= out.calls
	return out, ctx.Err()
}

// begin starts the runs and does not wait for them.
func (h *host) begin(ctx context.Context, ask func(thread string) call) []string {
	var threads []string
	for range inFlight {
		thread := newThread()
		threads = append(threads, thread)
		go func() { _, _ = h.do(ctx, ask(thread)) }() // ends with the server
	}
	return threads
}

func (c *contest) newStoryDir(name string) string { return c.scratch + "/story-" + name }

// killAll crashes every server in every form, a few at a time: nothing is timed.
func (c *contest) killAll(ctx context.Context) error {
	type task struct {
		killing
		soon bool
	}
	var tasks []task
	for _, k := range killings() {
		if c.compares(k.peer) {
			tasks = append(tasks, task{k, false}, task{k, true})
		}
	}
	c.kills = make([]killed, len(tasks))
	return each(ctx, len(tasks), func(ctx context.Context, i int) (err error) {
		c.kills[i], err = c.crash(ctx, tasks[i].killing, tasks[i].soon)
		k := c.kills[i]
		progress("killed: %-40s soon %-5t known %d  done %d  waiting %d  calls %d then %d  keys %d",
			tasks[i].label, k.soon, k.known, k.done, k.waiting, k.calls, k.again, k.keys)
		return err
	})
}

// compares says whether a peer, in any form, is among those that are compared.
func (c *contest) compares(p *peer) bool {
	for _, r := range c.rivals {
		if r.folder == p.folder {
			return true
		}
	}
	return false
}

// each does something for all numbers below n, three at a time, and returns the first
// error.
func each(ctx context.Context, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var once sync.Once
	var failure error
	places := make(chan struct{}, 3)
	for i := range n {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			if ctx.Err() != nil {
				return
			}
			if err := do(ctx, i); err != nil {
				once.Do(func() { failure = err; cancel() })
			}
		})
	}
	all.Wait()
	return failure
}

// asked is a run with the agent "press", as the peer is asked for it.
func asked(p *peer) func(thread string) call {
	return func(thread string) call { return p.ask("press", thread) }
}

// killings are the ways of all peers.
func killings() []killing {
	e, plain, durable, l, v := ours(), mastra(""), mastra("durable-"), langgraph(), voltagent()
	workflow := func(string) call {
		return call{http.MethodPost, "/workflows/workflow-press/execute", `{"input":{"prompt":` + quoted(prompt) + `}}`}
	}
	stream := func(thread string) call { return durable.follow("press", thread) }
	// While somebody waits for a run, the dev server looks after it each half second, and
	// does not write to its disk: so nobody waits here.
	background := func(thread string) call {
		waits := l.ask("press", thread)
		return call{waits.method, strings.TrimSuffix(waits.path, "/wait"), waits.body}
	}
	return []killing{
		{peer: e, label: "Errand, tool of the class `safe`", effect: "safe", begin: asked(e), look: lookErrand},
		{peer: e, label: "Errand, tool of the class `keyed`", effect: "keyed", begin: asked(e), look: lookErrand},
		{peer: e, label: "Errand, tool of the class `once`", effect: "once", begin: asked(e), look: lookErrand},
		{peer: plain, label: "Mastra, agent", begin: asked(plain), look: lookMastra("press")},
		{peer: durable, label: "Mastra, durable agent", begin: stream, look: lookMastra("durable-press")},
		{peer: l, label: "LangGraph.js dev server, background run", begin: background, look: lookLangGraph},
		{peer: v, label: "VoltAgent, agent", begin: asked(v), look: lookVoltAgent("press")},
		{peer: v, label: "VoltAgent, workflow", begin: workflow, look: lookWorkflows},
	}
}

// tellThreads reads each conversation, and says in which ones the question and the
// answer are.
func tellThreads(ctx context.Context, h *host, threads []string, path func(thread string) string) (s standing) {
	for _, thread := range threads {
		said, err := h.do(ctx, call{http.MethodGet, path(thread), ""})
		if err != nil {
			continue // it knows nothing of it
		}
		if strings.Contains(said, prompt) {
			s.known++
		}
		if strings.Contains(said, lastWord) {
			s.done++
		}
	}
	return s
}

func lookMastra(agent string) func(context.Context, *host, []string) standing {
	return func(ctx context.Context, h *host, threads []string) standing {
		return tellThreads(ctx, h, threads, func(thread string) string {
			return "/api/memory/threads/" + thread + "/messages?resourceId=bench&agentId=" + agent
		})
	}
}

func lookLangGraph(ctx context.Context, h *host, threads []string) standing {
	return tellThreads(ctx, h, threads, func(thread string) string { return "/threads/" + thread + "/state" })
}

func lookVoltAgent(agent string) func(context.Context, *host, []string) standing {
	return func(ctx context.Context, h *host, threads []string) standing {
		return tellThreads(ctx, h, threads, func(thread string) string {
			return "/api/memory/conversations/" + thread + "/messages?userId=bench&agentId=" + agent
		})
	}
}

// tellList reads a list of runs, which both of those that have one call data.
func tellList(ctx context.Context, h *host, path string) (s standing) {
	said, err := h.do(ctx, call{http.MethodGet, path, ""})
	if err != nil {
		return s
	}
	var list struct {
		Data []struct {
			Status string `json:"status"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(said), &list); err != nil {
		return s
	}
	for _, one := range list.Data {
		s.known++
		switch one.Status {
		case "completed":
			s.done++
		case "awaiting_approval":
			s.waiting++
		}
	}
	return s
}

func lookWorkflows(ctx context.Context, h *host, _ []string) standing {
	return tellList(ctx, h, "/workflows/executions?workflowId=workflow-press&limit=100")
}

func lookErrand(ctx context.Context, h *host, _ []string) standing {
	return tellList(ctx, h, "/v1/runs?limit=100")
}
