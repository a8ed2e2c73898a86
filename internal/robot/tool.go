package robot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"errand/internal/problem"
	"errand/internal/run"
)

// Prefix is before the names of the pipeline's tools.
const Prefix = "robot."

// The pipeline's tools.
const (
	GoalsTool   = Prefix + "goals"
	PlanTool    = Prefix + "plan"
	ReportTool  = Prefix + "report"
	SkipTool    = Prefix + "skip"
	AskTool     = Prefix + "ask"
	DeliverTool = Prefix + "deliver"
)

func isPipeline(tool string) bool {
	switch tool {
	case GoalsTool, PlanTool, ReportTool, SkipTool, AskTool, DeliverTool:
		return true
	}
	return false
}

// pipelineTools are those that an execution has: robot.goals if it has to find its
// goals, and only what plans in a dry run.
func pipelineTools(inspired, dry bool) []run.Tool {
	var tools []run.Tool
	if inspired {
		tools = append(tools, made(GoalsTool, "Sets the goals of this execution. Call it once, before the plan.",
			`{"type":"object","properties":{"content":{"type":"string","minLength":1,"description":"What you set out to reach, in Markdown"},"inspiration":{"type":"string","description":"What you have found that makes it worth doing now"}},"required":["content"],"additionalProperties":false}`))
	}
	tools = append(tools, made(PlanTool, "Writes down the tasks of the work, in order. Called again, it replaces the tasks that are open, or adds to them with add.", planSchema))
	if dry {
		return tools
	}
	ask := made(AskTool, "Asks a person something without which a task cannot go on, and waits for the answer.",
		`{"type":"object","properties":{"task":{"type":"string","description":"The id of the task that needs the answer, such as task-1"},"question":{"type":"string","minLength":1,"description":"The question, with everything that is needed to answer it"}},"required":["question"],"additionalProperties":false}`)
	ask.Class, ask.Function, ask.Preview = run.Safe, true, "{{question}}"
	return append(tools,
		made(ReportTool, "Reports what came of a task, and how it holds against what was expected. The answer says whether it passes.", reportSchema),
		made(SkipTool, "Skips a task that is not needed any more.",
			`{"type":"object","properties":{"task":{"type":"string"},"reason":{"type":"string","minLength":1}},"required":["task","reason"],"additionalProperties":false}`),
		ask,
		made(DeliverTool, "Hands in the result of the whole work. It ends the execution, and is possible only when no task is open.", deliverSchema),
	)
}

const planSchema = `{"type":"object","properties":{` +
	`"tasks":{"type":"array","minItems":1,"maxItems":50,"items":{"type":"object","properties":{` +
	`"description":{"type":"string","minLength":1,"description":"What is to be done"},` +
	`"executor_type":{"type":"string","enum":["assistant","mcp"],"description":"assistant (you, or an agent that you can give tasks to) or mcp (one of your tools)"},` +
	`"executor_id":{"type":"string","description":"The agent, or the tool; left out = you"},` +
	`"expected_output":{"type":"string","description":"What a good result holds, in plain words"},` +
	`"validation_rules":{"type":"array","maxItems":10,"items":{"type":"string"},"description":"What the server itself can check in the output: ` + ruleList + `"},` +
	`"goal_ref":{"type":"string","description":"Which goal it serves"}},"required":["description"],"additionalProperties":false}},` +
	`"add":{"type":"boolean","description":"true adds to the tasks that are there; otherwise these take the place of those that are open"}},"required":["tasks"],"additionalProperties":false}`

const reportSchema = `{"type":"object","properties":{` +
	`"task":{"type":"string","description":"The task's id, such as task-1"},` +
	`"output":{"type":"string","description":"The result itself, whole"},` +
	`"success":{"type":"boolean","description":"false if the task could not be done; true when left out"},` +
	`"validation":{"type":"object","properties":{"passed":{"type":"boolean"},"score":{"type":"number","minimum":0,"maximum":1},` +
	`"issues":{"type":"array","items":{"type":"string"}},"suggestions":{"type":"array","items":{"type":"string"}}},"additionalProperties":false,` +
	`"description":"What you found when you held the output against what was expected"}},"required":["task","output"],"additionalProperties":false}`

const deliverSchema = `{"type":"object","properties":{` +
	`"summary":{"type":"string","minLength":1,"description":"One to three sentences"},` +
	`"body":{"type":"string","minLength":1,"description":"The whole result, in Markdown"},` +
	`"attachments":{"type":"array","maxItems":10,"items":{"type":"object","properties":{` +
	`"title":{"type":"string","minLength":1,"maxLength":200,"description":"The file's name, such as report.md or numbers.csv"},"description":{"type":"string"},"task":{"type":"string","description":"The id of the task that it comes from"},` +
	`"content":{"type":"string","description":"The text of the file"},"file":{"type":"string","description":"Or the id of a file that is there"}},"required":["title"],"additionalProperties":false}},` +
	`"insights":{"type":"array","maxItems":10,"items":{"type":"string"},"description":"What is worth knowing when this robot works again"}},"required":["summary","body"],"additionalProperties":false}`

// made describes one of the tools. Its calls are intents on disk before they are
// answered, for the answer is read from the log: that is what keyed means here, and
// repeating one does no harm.
func made(name, description, parameters string) run.Tool {
	sum := sha256.Sum256([]byte(name + "\x00" + description + "\x00" + parameters))
	return run.Tool{
		Name: name, Description: description, Parameters: json.RawMessage(parameters), Class: run.Keyed,
		Version: hex.EncodeToString(sum[:8]),
	}
}

// Files knows the project's files.
type Files interface {
	// Has returns a not_found problem if the project has no such file.
	Has(ctx context.Context, project, id string) error
}

// Pipeline answers the calls of the pipeline's tools. Both fields must be set.
type Pipeline struct {
	Log   Log
	Files Files
}

// Owns reports whether a tool is one of the pipeline's.
func (p *Pipeline) Owns(tool string) bool { return isPipeline(tool) }

// Call answers one call from its run's log.
func (p *Pipeline) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	events, err := p.Log.Load(ctx, call.Run, 0, 0)
	if err != nil {
		return run.ToolResult{}, failed(call.Tool.Name, fmt.Errorf("this run cannot be read now: try again")).Because(err)
	}
	s := run.Fold(call.Run, events)
	a := s.Action(call.Action)
	if a == nil || s.Spec.Project != call.Project || MemberOf(&s.Spec) == "" {
		return run.ToolResult{}, failed(call.Tool.Name, fmt.Errorf("it is there for executions of robots alone"))
	}
	c := followed(&s, a.ID)
	answer, err := c.take(step{tool: a.Tool.Name, arguments: a.Arguments, at: a.Since, seen: seenBy(&s, a)})
	if err == nil {
		err = p.attached(ctx, call.Project, c)
	}
	if err != nil {
		return run.ToolResult{}, failed(call.Tool.Name, err)
	}
	return run.ToolResult{Output: answer}, nil
}

// attached reports a file that is handed in and not there.
func (p *Pipeline) attached(ctx context.Context, project string, c *course) error {
	if c.delivered == nil {
		return nil
	}
	for i := range c.delivered.Attachments {
		id := c.delivered.Attachments[i].File
		if id == "" {
			continue
		}
		if err := p.Files.Has(ctx, project, id); err != nil {
			return fmt.Errorf("attachments[%d]: there is no file %q", i, id)
		}
	}
	return nil
}

func failed(tool string, err error) *problem.Error {
	return problem.New(problem.ToolFailed, "%s: %v.", tool, err)
}

// seenBy is how many messages the model had seen when it asked for the action.
func seenBy(s *run.State, a *run.Action) int {
	for t := range s.Turns {
		if s.Turns[t].Step == a.Step {
			return s.Turns[t].Seen
		}
	}
	return 0
}
