package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is a server that is compared, and how it is asked for the same work.
type peer struct {
	folder  string // below bench/peers; empty = this repository
	form    string // what of it: stands before the names of its agents
	label   string // in tables
	pack    string // the package whose version is its version
	keeps   string // what is kept where, in words
	started string // how, in words
	alive   string // a path that answers when it serves
	command func(c *contest, dir, port string) *exec.Cmd
	lay     func(c *contest, dir string) error       // files that it needs in its directory
	furnish func(ctx context.Context, h *host) error // what is made by its API, once for a directory
	ask     func(agent, thread string) call          // a run whose answer is waited for
	follow  func(agent, thread string) call          // the same, as a stream
}

// key is the peer's name on the command line and in paths.
func (p *peer) key() string {
	if p.folder == "" {
		return isErrand
	}
	return p.folder + strings.TrimSuffix("-"+p.form, "-")
}

func peerNames() []string {
	var all []string
	for _, p := range peers() {
		all = append(all, p.key())
	}
	return all
}

// peers are all that are compared, in the order of the tables.
func peers() []*peer {
	return []*peer{ours(), mastra(""), mastra("durable-"), langgraph(), voltagent()}
}

func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a string always encodes
	return string(encoded)
}

func ours() *peer {
	ask := func(stream bool) func(agent, thread string) call {
		return func(agent, _ string) call {
			return call{http.MethodPost, "/v1/agents/" + agent + "/run", fmt.Sprintf(`{"prompt":%s,"stream":%t}`, quoted(prompt), stream)}
		}
	}
	return &peer{
		label: "Errand", keeps: "all events in SQLite (`synchronous=FULL`), before the answer", started: "`errand serve`, static binary, `ERRAND_LOG_LEVEL=warn`; the timed tool is declared `safe`",
		alive: "/v1/runs?limit=1",
		command: func(c *contest, dir, port string) *exec.Cmd {
			return exec.Command(c.binary, "serve", "--addr", "127.0.0.1:"+port)
		},
		furnish: furnishErrand, ask: ask(false), follow: ask(true),
	}
}

// furnishErrand makes the tool and the agents.
func furnishErrand(ctx context.Context, h *host) error {
	effect := h.at.effect
	if effect == "" {
		effect = "safe"
	}
	_, err := h.do(ctx, call{http.MethodPost, "/v1/tools", fmt.Sprintf(
		`{"name":%q,"description":%q,"parameters":%s,"url":%q,"effect":%q}`, toolName, toolWords, toolSchema, h.at.tool, effect)})
	for name, does := range models() {
		if err != nil {
			return err
		}
		approval := ""
		if name == "gated" {
			approval = `"approval":{"required_for":["` + toolName + `"]},`
		}
		_, err = h.do(ctx, call{http.MethodPost, "/v1/agents", fmt.Sprintf(`{"name":%q,"model":"openai/%s","instructions":%s,"tools":[%q],%s"max_steps":5}`,
			name, does, quoted(instructions), toolName, approval)})
	}
	return err
}

func mastra(form string) *peer {
	ask := func(way string) func(agent, thread string) call {
		return func(agent, thread string) call {
			return call{http.MethodPost, "/api/agents/" + form + agent + "/" + way, fmt.Sprintf(
				`{"messages":[{"role":"user","content":%s}],"memory":{"thread":%q,"resource":"bench"},"maxSteps":5}`, quoted(prompt), thread)}
		}
	}
	p := &peer{
		folder: "mastra", form: form, label: "Mastra", pack: "@mastra/core", alive: "/api/agents",
		keeps:   "conversations in LibSQL, a file, at the end of a run",
		started: "`mastra build`, then `node .mastra/output/index.mjs`",
		command: func(c *contest, _, _ string) *exec.Cmd {
			return exec.Command("node", filepath.Join(c.shop, "mastra", ".mastra", "output", "index.mjs"))
		},
		ask: ask("generate"), follow: ask("stream"),
	}
	if form != "" {
		p.label = "Mastra, durable agent"
		p.keeps = "conversations and a snapshot of each step in LibSQL, a file"
		p.started = "the same, `createDurableAgent`, `recovery: { durableAgents: 'auto' }`"
	}
	return p
}

func langgraph() *peer {
	ask := func(way, mode string) func(agent, thread string) call {
		return func(agent, thread string) call {
			return call{http.MethodPost, "/threads/" + thread + "/runs/" + way, fmt.Sprintf(
				`{"assistant_id":%q,"if_not_exists":"create","input":{"messages":[{"role":"user","content":%s}]}%s}`, agent, quoted(prompt), mode)}
		}
	}
	return &peer{
		folder: "langgraph", label: "LangGraph.js dev server", pack: "@langchain/langgraph-api", alive: "/ok",
		keeps:   "threads, runs and checkpoints in memory, written to `.langgraph_api` when nothing has changed for 3 s",
		started: "`langgraphjs dev --no-browser --no-reload --n-jobs-per-worker 64`, `LOG_LEVEL=warn`",
		command: func(_ *contest, dir, port string) *exec.Cmd {
			return exec.Command("node", filepath.Join(dir, "node_modules", ".bin", "langgraphjs"), "dev",
				"--no-browser", "--no-reload", "--host", "127.0.0.1", "--port", port, "--n-jobs-per-worker", "64")
		},
		lay: layLangGraph, ask: ask("wait", ""), follow: ask("stream", `,"stream_mode":"messages-tuple"`),
	}
}

// layLangGraph makes a project of the directory: the dev server keeps what it has
// beside the graphs.
func layLangGraph(c *contest, dir string) error {
	shop := filepath.Join(c.shop, "langgraph")
	for _, name := range []string{"agent.js", "langgraph.json", "package.json"} {
		text, err := os.ReadFile(filepath.Join(shop, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return err
		}
	}
	return os.Symlink(filepath.Join(shop, "node_modules"), filepath.Join(dir, "node_modules"))
}

func voltagent() *peer {
	ask := func(way string) func(agent, thread string) call {
		return func(agent, thread string) call {
			return call{http.MethodPost, "/agents/" + agent + "/" + way, fmt.Sprintf(
				`{"input":%s,"options":{"memory":{"userId":"bench","conversationId":%q}}}`, quoted(prompt), thread)}
		}
	}
	return &peer{
		folder: "voltagent", label: "VoltAgent", pack: "@voltagent/core", alive: "/agents",
		keeps:   "conversations in LibSQL, a file, step by step",
		started: "`node index.js`, `NODE_ENV=production`",
		command: func(c *contest, _, _ string) *exec.Cmd {
			return exec.Command("node", filepath.Join(c.shop, "voltagent", "index.js"))
		},
		ask: ask("text"), follow: ask("stream"),
	}
}

// renew gives a directory what the peer's home has, so that each round begins alike.
func (p *peer) renew(c *contest, home, dir string) error {
	if p.lay != nil {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		return p.lay(c, dir)
	}
	return os.CopyFS(dir, os.DirFS(home))
}
