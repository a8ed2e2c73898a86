package robot

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
)

// maxTools is what providers accept in one request, less those of the pipeline.
const maxTools = 128 - 8

// agentPrefix is before the names of the tools that hand a task to a saved agent.
const agentPrefix = "agent."

// notInName is what the name of a tool cannot have.
var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// AgentTool is the name of the tool that hands a task to the agent with this name.
func AgentTool(name string) string {
	tool := agentPrefix + strings.Trim(notInName.ReplaceAllString(name, "_"), "_")
	return tool[:min(len(tool), 64)]
}

// gatherer collects a robot's kit, and what is wrong with it by field.
type gatherer struct {
	desk   *Desk
	order  *Start
	kit    kit
	faults agent.Faults
	agents map[string]bool // ids of those that work is handed to
}

// kit resolves everything that the robot names. What was there when it was saved
// may be gone by now: a conflict that names it.
func (d *Desk) kit(ctx context.Context, r *Robot, s *Start) (kit, error) {
	g, err := d.gather(ctx, s, &r.Profile)
	if err != nil {
		return kit{}, err
	}
	if invalid := g.faults.Problem(); invalid != nil {
		return kit{}, problem.New(problem.Conflict, "Robot %s was saved with what is not there any more: %s Change it with PUT /v1/agent/robots/%s.",
			r.ID, problem.From(invalid).Detail, r.ID).Because(invalid)
	}
	return g.kit, nil
}

// checkResources adds the faults of what a profile names.
func (d *Desk) checkResources(ctx context.Context, project string, p *Profile, faults agent.Faults) error {
	g, err := d.gather(ctx, &Start{Project: project}, p)
	if err != nil {
		return err
	}
	for field, message := range g.faults {
		faults.Add(field, message)
	}
	return nil
}

func (d *Desk) gather(ctx context.Context, s *Start, p *Profile) (*gatherer, error) {
	g := &gatherer{desk: d, order: s, kit: kit{phases: map[string]string{}}, faults: agent.Faults{}, agents: map[string]bool{}}
	var own Resources
	if p.Config.Resources != nil {
		own = *p.Config.Resources
	}
	g.few("mcp_servers", len(p.MCPServers)+len(own.MCP))
	g.few("agents", len(p.Agents)+len(own.Agents))
	if len(g.faults) > 0 {
		return g, nil
	}
	for _, list := range []struct {
		field string
		ids   []string
	}{{"agents", p.Agents}, {"robot_config.resources.agents", own.Agents}} {
		for i, id := range list.ids {
			if err := g.agent(ctx, fmt.Sprintf("%s[%d]", list.field, i), id); err != nil {
				return nil, err
			}
		}
	}
	servers := make([]MCP, 0, len(p.MCPServers)+len(own.MCP))
	for _, id := range p.MCPServers {
		servers = append(servers, MCP{ID: id})
	}
	for i, server := range append(servers, own.MCP...) {
		field := fmt.Sprintf("mcp_servers[%d]", i)
		if i >= len(servers) {
			field = fmt.Sprintf("robot_config.resources.mcp[%d]", i-len(servers))
		}
		if err := g.server(ctx, field, server); err != nil {
			return nil, err
		}
	}
	named := agent.Definition{Tools: own.Tools}
	if err := g.resolve(ctx, "robot_config.resources.", &named); err != nil {
		return nil, err
	}
	if err := g.phases(ctx, own.Phases); err != nil {
		return nil, err
	}
	g.gates(p.Config.Approval)
	if len(g.kit.tools) > maxTools {
		g.faults.Add("robot_config.resources", fmt.Sprintf("brings %d tools, those of agents and servers included: at most %d.", len(g.kit.tools), maxTools))
	}
	return g, nil
}

// few bounds a list of which each entry is looked up whenever the robot is used.
func (g *gatherer) few(field string, n int) {
	if n > maxList {
		g.faults.Add(field, fmt.Sprintf("has %d entries, those of resources included: at most %d.", n, maxList))
	}
}

// agent makes a tool of a saved agent that tasks may be handed to. It keeps its own
// model, tools, gates and limits.
func (g *gatherer) agent(ctx context.Context, field, id string) error {
	saved, err := g.find(ctx, field, id)
	if err != nil || saved == nil || g.agents[saved.ID] {
		return err
	}
	g.agents[saved.ID] = true
	spec, err := g.child(ctx, field, saved)
	if err != nil {
		return err
	}
	tool := AgentTool(saved.Name)
	if tool == agentPrefix || g.has(tool) {
		tool = agentPrefix + saved.ID
	}
	handoff := run.Handoff{Name: saved.Name, Spec: spec}
	g.kit.handoffs = append(g.kit.handoffs, handoff)
	description := fmt.Sprintf("Hand a task to the agent %s and get its answer. %s", saved.Name, saved.Description)
	g.add(handoff.Tool(tool, strings.TrimSpace(description)))
	return nil
}

func (g *gatherer) child(ctx context.Context, field string, saved *agent.Agent) (run.Spec, error) {
	tools, err := g.desk.Catalog.Saved(ctx, g.order.Project, saved)
	if problem.Is(err, problem.Conflict) {
		g.faults.Add(field, problem.From(err).Detail)
		return run.Spec{}, nil
	}
	if err != nil {
		return run.Spec{}, err
	}
	return saved.Spec(saved.Ref(), agent.Order{
		Project: g.order.Project, Dialect: Dialect, Key: g.order.Key, Scopes: g.order.Scopes, Tools: tools,
		WallTime: g.desk.Catalog.WallTime, Window: g.desk.Catalog.Models.Window(saved.Model),
	}), nil
}

// find returns a saved agent, or nil and a fault.
func (g *gatherer) find(ctx context.Context, field, id string) (*agent.Agent, error) {
	saved, err := g.desk.Agents.Find(ctx, g.order.Project, id)
	if problem.Is(err, problem.NotFound) {
		g.faults.Add(field, fmt.Sprintf("there is no saved agent %q: GET /v1/agents lists them.", id))
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("finding agent %q: %w", id, err)
	}
	return &saved, nil
}

// server adds the tools of an MCP server, or those of this server whose name begins
// like it: web stands for web.search and web.extract.
func (g *gatherer) server(ctx context.Context, field string, server MCP) error {
	short := map[string]run.Tool{} // by their names there
	for _, separator := range []string{"__", "."} {
		tools, err := g.desk.Catalog.Tools.Matching(ctx, g.order.Project, server.ID+separator)
		if err != nil {
			return fmt.Errorf("listing the tools of server %q: %w", server.ID, err)
		}
		for _, t := range tools {
			short[strings.TrimPrefix(t.Name, server.ID+separator)] = t
		}
	}
	if len(short) == 0 || server.ID == "" {
		g.faults.Add(field, fmt.Sprintf("%q has no tools here: name an MCP server of this project, or a family of tools such as web. GET /v1/tools lists them.", server.ID))
		return nil
	}
	chosen := server.Tools
	if len(chosen) == 0 {
		chosen = slices.Sorted(maps.Keys(short))
	}
	for _, name := range chosen {
		t, found := short[name]
		if !found {
			g.faults.Add(field+".tools", fmt.Sprintf("%s has no tool %q: it has %s.", server.ID, name, strings.Join(slices.Sorted(maps.Keys(short)), ", ")))
			continue
		}
		g.add(t)
	}
	return nil
}

// resolve adds the tools that a definition names, under the approvals that it asks
// for. They are held to the tools by name: no pattern of one definition reaches
// another one's tools, or the pipeline's.
func (g *gatherer) resolve(ctx context.Context, prefix string, d *agent.Definition) error {
	faults := agent.Faults{}
	tools, err := g.desk.Catalog.Resolve(ctx, g.order.Project, d, faults)
	if err != nil {
		return err
	}
	for field, message := range faults {
		g.faults.Add(prefix+field, message)
	}
	asks := d.Spec(nil, agent.Order{Tools: tools})
	for _, t := range tools {
		g.add(t)
		g.guard(&asks, t.Name)
	}
	return nil
}

// guard holds a tool to what a spec asks for before it is called.
func (g *gatherer) guard(asks *run.Spec, tool string) {
	if asks.Gated(tool) {
		g.kit.gates = append(g.kit.gates, tool)
	}
	if asks.Approval == nil {
		return
	}
	own := &g.kit.approval
	for _, rule := range asks.Approval.Rules {
		if run.GateMatches(rule.Tool, tool) {
			own.Rules = append(own.Rules, run.Rule{Tool: tool, When: rule.When})
		}
	}
	for _, pattern := range asks.Approval.Untrusted {
		if run.GateMatches(pattern, tool) {
			own.Untrusted = append(own.Untrusted, tool)
		}
	}
	own.Separate = own.Separate || asks.Approval.Separate
	own.Quorum = max(own.Quorum, asks.Approval.Quorum)
}

// Phases lists those that an agent can be named for.
func Phases() []string {
	return []string{"host", Inspiration, GoalsPhase, TasksPhase, RunPhase, Delivering, Learning}
}

// phases takes over the instructions of the agents that are named for phases, and
// gives the execution their tools under their gates.
func (g *gatherer) phases(ctx context.Context, phases map[string]string) error {
	for _, phase := range slices.Sorted(maps.Keys(phases)) {
		id := phases[phase]
		field := "robot_config.resources.phases." + phase
		if !slices.Contains(Phases(), phase) {
			g.faults.Add(field, "is no phase: there are "+strings.Join(Phases(), ", ")+".")
			continue
		}
		if id == "" {
			continue
		}
		saved, err := g.find(ctx, field, id)
		if err != nil {
			return err
		}
		if saved == nil {
			continue
		}
		g.kit.phases[phase] = saved.Instructions
		if phase == "host" {
			continue // a host talks, and calls nothing
		}
		if err := g.resolve(ctx, field+".", &saved.Definition); err != nil {
			return err
		}
	}
	return nil
}

// gates holds the robot's own gates to the tools that they cover, by name: so no
// pattern ever holds up the pipeline itself.
func (g *gatherer) gates(a *Approval) {
	const field = "robot_config.approval"
	if a == nil {
		g.kit.gates = slices.Compact(slices.Sorted(slices.Values(g.kit.gates)))
		return
	}
	as := agent.Definition{Approval: agent.Approval{RequiredFor: a.RequiredFor}}
	wrong := agent.Faults{}
	agent.CheckApproval(&as, g.kit.tools, wrong)
	for name, message := range wrong {
		g.faults.Add("robot_config."+name, message)
	}
	checkDuration(field+".timeout", a.Timeout, g.faults)
	for _, pattern := range a.RequiredFor {
		for _, t := range g.kit.tools {
			if run.GateMatches(pattern, t.Name) {
				g.kit.gates = append(g.kit.gates, t.Name)
			}
		}
	}
	g.kit.gates = slices.Compact(slices.Sorted(slices.Values(g.kit.gates)))
}

func (g *gatherer) add(t run.Tool) {
	switch {
	case isPipeline(t.Name):
		g.faults.Add("robot_config.resources", fmt.Sprintf("brings a tool %s, which is the name of one that every execution has: give it another name.", t.Name))
	case !g.has(t.Name):
		g.kit.tools = append(g.kit.tools, t)
	}
}

func (g *gatherer) has(name string) bool {
	return slices.ContainsFunc(g.kit.tools, func(t run.Tool) bool { return t.Name == name })
}
