package swarms

import (
	"fmt"
	"slices"
	"strings"

	"errand/internal/run"
)

// standardRole is what an agent is unless it says otherwise. It says nothing, so
// no model is told of it.
const standardRole = "worker"

// instructions are the system prompt of an agent: what it says itself, who it is,
// and for one that works by itself how that is done.
func (in *agentIn) instructions(tools []run.Tool) string {
	var parts []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			parts = append(parts, text)
		}
	}
	add(or(in.SystemPrompt, ""))
	add(in.identity())
	if in.MaxLoops != nil && in.MaxLoops.auto {
		add(alone(tools))
	}
	return strings.Join(parts, "\n\n")
}

// identity says in a few lines who the agent is.
func (in *agentIn) identity() string {
	var lines []string
	if name := or(in.Name, ""); name != "" {
		lines = append(lines, "Your name: "+name)
	}
	if role := or(in.Role, ""); role != "" && role != standardRole {
		lines = append(lines, "Your role: "+role)
	}
	if description := or(in.Description, ""); description != "" {
		lines = append(lines, "What you are for: "+description)
	}
	return strings.Join(lines, "\n")
}

// alone tells a model how to work by itself, with those of the planning tools that
// it has.
func alone(tools []run.Tool) string {
	steps := []struct{ tool, text string }{
		{"create_plan", "Begin with %s: write down the subtasks and their order."},
		{"think", "Use %s when you have to weigh something."},
		{"subtask_done", "Work on one subtask after the other, with the other tools that you have, and call %s for each."},
		{"respond_to_user", "Use %s for what the user should know on the way. Nobody will answer you."},
		{"complete_task", "When everything is done, or you find that it cannot be, call %s."},
	}
	text := "You work on the task by yourself, over several turns. A turn without a tool call is your final answer and ends the work."
	for _, step := range steps {
		name := planPrefix + step.tool
		if slices.ContainsFunc(tools, func(t run.Tool) bool { return t.Name == name }) {
			text += "\n- " + fmt.Sprintf(step.text, name)
		}
	}
	return text + "\n- Then give the final answer: all of the result, for someone who has not seen your work."
}

// draftRequest asks a model to write an agent's system prompt.
func (in *completionIn) draftRequest() string {
	var out strings.Builder
	out.WriteString("Write the system prompt for an AI agent. Address the agent as \"you\". Say what it is for, how it should work, what a good answer looks like, and what it must not do. " +
		"Do not do the agent's task yourself. Answer with the prompt alone, without a heading or quotes.\n")
	if who := in.Agent.identity(); who != "" {
		out.WriteString("\nThe agent, in its owner's words:\n" + who + "\n")
	}
	if own := or(in.Agent.SystemPrompt, ""); own != "" {
		out.WriteString("\nWhat its owner has told it already, which stands before your prompt:\n" + own + "\n")
	}
	if task := or(in.Task, ""); task != "" {
		out.WriteString("\nIts first task:\n" + task + "\n")
	}
	return out.String()
}
