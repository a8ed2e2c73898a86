package swarms

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Bounds of a team: how deep agents may hand work on, and how many it has. Each of
// them has its own servers to be asked, and is a run of its own when it is called.
const (
	maxDepth = 3
	maxTeam  = 20
)

// handoffPrefix is before the names of the tools that hand work over.
const handoffPrefix = "handoff."

// notInName is what the name of a tool cannot have.
var notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// handoffs makes a tool of each agent that another may hand work to. An agent of a
// team is read as one that comes alone is, with its own tools and servers.
func (a *API) handoffs(ctx context.Context, r *wire.Request, in *agentIn, depth int, o *order) error {
	const field = "agent_config.handoffs"
	switch {
	case len(in.Handoffs) == 0:
		return nil
	case depth == 0 && in.team() > maxTeam:
		return refuse(agent.Faults{field: fmt.Sprintf("names %d agents, those of the others included: at most %d.", in.team(), maxTeam)})
	case depth == maxDepth:
		return refuse(agent.Faults{field: fmt.Sprintf("goes deeper than %d agents that hand on what they were handed.", maxDepth)})
	}
	taken := map[string]bool{} // names of agents, and of the tools that call them
	for i := range in.Handoffs {
		member, at := &in.Handoffs[i], fmt.Sprintf("%s[%d]", field, i)
		faults := agent.Faults{}
		name, description := or(member.Name, ""), or(member.Description, "")
		switch {
		case strings.TrimSpace(name) == "":
			faults.Add("agent_config.agent_name", "is required of an agent that work is handed to.")
		case taken[name]:
			faults.Add("agent_config.agent_name", fmt.Sprintf("%q is there twice.", clip(name)))
		}
		tool := handoffTool(name)
		if tool == handoffPrefix || taken[tool] { // it is told by its number then, and its name by what is said of it
			tool = fmt.Sprintf("%sagent_%d", handoffPrefix, i+1)
			if description != "" {
				description = name + ": " + description
			}
		}
		taken[name], taken[tool] = true, true
		made, err := a.member(ctx, r, member, depth+1, faults)
		if err != nil {
			return ofMember(err, at)
		}
		handoff := run.Handoff{Name: name, Spec: made.spec}
		o.spec.Handoffs = append(o.spec.Handoffs, handoff)
		o.spec.Tools = append(o.spec.Tools, handoff.Tool(tool, description))
		o.echo.Notes = append(o.echo.Notes, made.echo.Notes...)
	}
	return nil
}

// handoffTool is the name of the tool that hands work to an agent, as far as the
// letters of tools' names can spell the agent's.
func handoffTool(name string) string {
	tool := handoffPrefix + strings.Trim(notInName.ReplaceAllString(name, "_"), "_")
	return tool[:min(len(tool), 64)] // as long as the names of tools may be
}

// team counts the agents that an agent may hand work to, directly or not.
func (in *agentIn) team() int {
	count := len(in.Handoffs)
	for i := range in.Handoffs {
		count += in.Handoffs[i].team()
	}
	return count
}

// member reads one agent of a team. What could not come back to whoever handed the
// work over is refused by name.
func (a *API) member(ctx context.Context, r *wire.Request, in *agentIn, depth int, faults agent.Faults) (order, error) {
	var o order
	if len(in.Functions) > 0 {
		faults.Add("agent_config.tools_list_dictionary", "is not possible for an agent that work is handed to: its calls would come back to no one. Give the functions to the first agent.")
	}
	if or(in.GeneratePrompt, false) {
		faults.Add("agent_config.auto_generate_prompt", "is not possible for an agent that work is handed to: say in system_prompt how it works.")
	}
	servers := in.connections(faults)
	var err error
	if o.spec, err = a.spec(ctx, r, &completionIn{Agent: in}, len(servers) > 0 || len(in.Handoffs) > 0, faults); err != nil {
		return o, err
	}
	if err := refuse(faults); err != nil {
		return o, err
	}
	if err := a.connect(ctx, r.Caller.Project, servers, &o); err != nil {
		return o, err
	}
	if err := a.handoffs(ctx, r, in, depth, &o); err != nil {
		return o, err
	}
	checkTools(o.spec.Tools, faults)
	return o, refuse(faults)
}

// ofMember says that what is wrong is wrong with an agent of a team.
func ofMember(err error, at string) error {
	told := problem.From(err)
	if told.Code != problem.InvalidRequest {
		return err
	}
	return problem.New(told.Code, "%s", strings.ReplaceAll(told.Detail, "agent_config.", at+"."))
}
