package swarms

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
)

// What tools_enabled names, and which tools of this server it means.
const (
	autoSearch = "auto_search"
	webScraper = "web_scraper"
	searchTool = "web.search"
	fetchTool  = "web.fetch"
)

// serverMark stands in the name of a tool of an operator's MCP server, between the
// server's name and the tool's.
const serverMark = "__"

// maxTools is how many tools one request may bring together: what providers take.
const maxTools = 128

// functionIn is an element of tools_list_dictionary: a function as OpenAI's API
// describes it.
type functionIn struct {
	Type     string `json:"type"`
	Function *struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

// functionFault says in what way an element has not the shape of a function.
func functionFault(text json.RawMessage) string {
	var in functionIn
	if json.Unmarshal(text, &in) != nil || in.Function == nil || in.Function.Name == "" || in.Type != "" && in.Type != "function" {
		return `must be a function's schema: {"type":"function","function":{"name":…,"description":…,"parameters":{…}}}`
	}
	return ""
}

// tools are all that the agent may call: functions, which go back to the caller,
// and tools of this server.
func (a *API) tools(ctx context.Context, project string, in *completionIn, faults agent.Faults) ([]run.Tool, error) {
	tools, err := a.functions(ctx, project, in.Agent, faults)
	if err != nil {
		return nil, err
	}
	enabled, err := a.enabled(ctx, project, in.Tools, faults)
	if err != nil {
		return nil, err
	}
	planning, err := a.planning(ctx, project, in.Agent, faults)
	return append(append(tools, enabled...), planning...), err
}

func (a *API) functions(ctx context.Context, project string, in *agentIn, faults agent.Faults) ([]run.Tool, error) {
	var d agent.Definition
	for _, text := range in.Functions {
		var f functionIn
		if err := json.Unmarshal(text, &f); err != nil || f.Function == nil {
			continue // shape has said so
		}
		function := agent.Function{Name: f.Function.Name, Description: f.Function.Description}
		if kindOf(f.Function.Parameters) != 0 {
			function.Parameters = f.Function.Parameters
		}
		d.Functions = append(d.Functions, function)
	}
	wrong := agent.Faults{}
	tools, err := a.cfg.Catalog.Resolve(ctx, project, &d, wrong)
	for field, message := range wrong {
		rest, _ := strings.CutPrefix(field, "functions")
		faults.Add("agent_config.tools_list_dictionary"+strings.TrimPrefix(rest, "tools"), message)
	}
	return tools, err
}

// enabled finds the tools that tools_enabled means. One that is there twice is
// taken once.
func (a *API) enabled(ctx context.Context, project string, names []string, faults agent.Faults) ([]run.Tool, error) {
	var wanted []string
	for i, name := range names {
		switch {
		case name == "":
		case name == autoSearch:
			wanted = append(wanted, searchTool, fetchTool)
		case name == webScraper:
			wanted = append(wanted, fetchTool)
		case strings.Contains(name, serverMark) && a.has(ctx, project, name):
			wanted = append(wanted, name)
		default:
			valid, err := a.enabling(ctx, project)
			if err != nil {
				return nil, err
			}
			faults.Add(fmt.Sprintf("tools_enabled[%d]", i), fmt.Sprintf("there is no tool %q: there are %s.", clip(name), strings.Join(valid, ", ")))
		}
	}
	var tools []run.Tool
	for i, name := range wanted {
		if slices.Contains(wanted[:i], name) {
			continue
		}
		tool, _, err := a.cfg.Catalog.Tools.Current(ctx, project, name)
		if problem.Is(err, problem.NotFound) {
			faults.Add("tools_enabled", fmt.Sprintf("this server has no tool %s: its operator can configure it.", name))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking up tool %q: %w", name, err)
		}
		tools = append(tools, tool)
	}
	return tools, nil
}

func (a *API) has(ctx context.Context, project, name string) bool {
	_, _, err := a.cfg.Catalog.Tools.Current(ctx, project, name)
	return err == nil
}

// enabling lists what tools_enabled may name: the two of the API, and the tools of
// the operator's MCP servers.
func (a *API) enabling(ctx context.Context, project string) ([]string, error) {
	all, err := a.cfg.Catalog.Tools.Matching(ctx, project, "")
	if err != nil {
		return nil, fmt.Errorf("listing the tools: %w", err)
	}
	names := []string{autoSearch, webScraper}
	for i := range all {
		if strings.Contains(all[i].Name, serverMark) {
			names = append(names, all[i].Name)
		}
	}
	return names, nil
}

// planPrefix is before the names under which this server knows the planning tools.
const planPrefix = "plan."

// plannable are the tools of an agent that works by itself, in the order of their
// use. The others of the API would reach for files, other agents or a shell of
// this server, which an agent from a request gets by handoffs and MCP or not at all.
var plannable = []string{"create_plan", "think", "subtask_done", "complete_task", "respond_to_user"}

var forbidden = []string{"create_file", "update_file", "read_file", "list_directory", "delete_file", "create_sub_agent", "assign_task", "run_bash"}

// planning finds the tools of an agent with max_loops "auto".
func (a *API) planning(ctx context.Context, project string, in *agentIn, faults agent.Faults) ([]run.Tool, error) {
	const field = "agent_config.selected_tools"
	selected := in.SelectedTools
	if len(selected) == 1 && selected[0] == "all" {
		selected = nil
	}
	if in.MaxLoops == nil || !in.MaxLoops.auto {
		if len(selected) > 0 {
			faults.Add(field, `is for agents that work by themselves: set agent_config.max_loops to "auto", or leave it out.`)
		}
		return nil, nil
	}
	for i, name := range selected {
		switch at := fmt.Sprintf("%s[%d]", field, i); {
		case slices.Contains(plannable, name):
		case slices.Contains(forbidden, name):
			faults.Add(at, fmt.Sprintf("%s is not possible on this server: there are %s.", name, strings.Join(plannable, ", ")))
		default:
			faults.Add(at, fmt.Sprintf("there is no tool %q: there are %s.", clip(name), strings.Join(plannable, ", ")))
		}
	}
	var tools []run.Tool
	for _, name := range plannable {
		if len(selected) > 0 && !slices.Contains(selected, name) {
			continue
		}
		tool, _, err := a.cfg.Catalog.Tools.Current(ctx, project, planPrefix+name)
		if err != nil {
			return nil, fmt.Errorf("looking up tool %s: %w", name, err)
		}
		tools = append(tools, tool)
	}
	return tools, nil
}
