// Package plan is the tools with which a model works on a task by itself: it
// makes a plan, thinks, ticks off subtasks, says what it has come to, and says
// when it is done.
//
// It promises that the tools have no memory and no effect: the plan is in the
// run's own log, as the calls that wrote it and their outputs, so it survives
// whatever the run survives and is read where everything else is read. They are
// safe, need no setting and are always there.
//
// A tool is one line of the table in All: what it is called, what it says of
// itself, and what it answers. The names are those of the public API that made
// them known, behind "plan.".
//
// To add a tool or change what a model is told, edit All.
package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// Prefix is before the name of each of the tools.
const Prefix = "plan."

// Bounds of a plan. A model that wants more subtasks than this is better served
// by a coarser plan, of which it keeps an overview.
const (
	maxSubtasks = 50
	maxText     = 8 << 10 // bytes of one text, as much as a long page
)

// Tool is one of them.
type Tool struct {
	described run.Tool
	answer    func(arguments json.RawMessage) (string, error)
}

// All returns the tools, in the order in which a model meets them.
func All() []*Tool {
	return []*Tool{
		made("create_plan", "Writes down how you will do the task: what it comes to, and the subtasks in the order in which you will do them. Call it first, and again when the plan has to change.",
			`{"type":"object","properties":{"task_description":{"type":"string","description":"What the whole task comes to"},"steps":{"type":"array","description":"The subtasks, in order","minItems":1,"maxItems":50,"items":{"type":"object","properties":{"step_id":{"type":"string","description":"A short name for it, unique in the plan"},"description":{"type":"string","description":"What is to be done"},"dependencies":{"type":"array","items":{"type":"string"},"description":"step_ids that must be done before it"}},"required":["step_id","description"]}}},"required":["task_description","steps"]}`,
			createPlan),
		made("think", "Writes down a thought: what you know, what is open, what to do next. It does nothing else.",
			`{"type":"object","properties":{"thought":{"type":"string"}},"required":["thought"]}`, think),
		made("subtask_done", "Marks a subtask of the plan as done, or as failed, with what came of it.",
			`{"type":"object","properties":{"task_id":{"type":"string","description":"The subtask's step_id"},"summary":{"type":"string","description":"What came of it"},"success":{"type":"boolean","description":"false if it could not be done; true when left out"}},"required":["task_id","summary"]}`,
			subtaskDone),
		made("complete_task", "Says that the whole task is done, or cannot be done. Call it last, and then give your final answer without calling anything.",
			`{"type":"object","properties":{"summary":{"type":"string","description":"What was done"},"success":{"type":"boolean","description":"false if the task could not be done; true when left out"}},"required":["summary"]}`,
			completeTask),
		made("respond_to_user", "Tells the user something on the way: progress, or a finding that should not wait. Nobody answers; go on with the task afterwards.",
			`{"type":"object","properties":{"message":{"type":"string"}},"required":["message"]}`, respondToUser),
	}
}

func made(name, description, parameters string, answer func(json.RawMessage) (string, error)) *Tool {
	return &Tool{answer: answer, described: run.Tool{
		Name: Prefix + name, Description: description, Parameters: json.RawMessage(parameters), Class: run.Safe,
		Version: tool.Digest([]byte(name + " 1" + description + parameters)),
	}}
}

// Describe is what a run knows of the tool.
func (t *Tool) Describe() run.Tool { return t.described }

// Call answers. Nothing happens but that.
func (t *Tool) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	text, err := t.answer(call.Arguments)
	if err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "%s: %v.", t.described.Name, err)
	}
	return run.ToolResult{Output: tool.Bound(text, 0)}, nil
}

type step struct {
	ID          string   `json:"step_id"`
	Description string   `json:"description"`
	After       []string `json:"dependencies"`
}

// createPlan repeats the plan in a form that reads well later in a long history,
// and refuses one that could not be followed.
func createPlan(arguments json.RawMessage) (string, error) {
	var in struct {
		Task  string `json:"task_description"`
		Steps []step `json:"steps"`
	}
	if err := read(arguments, &in); err != nil {
		return "", err
	}
	if len(in.Steps) == 0 || len(in.Steps) > maxSubtasks {
		return "", fmt.Errorf("steps must name 1 to %d subtasks", maxSubtasks)
	}
	known := map[string]bool{}
	for _, s := range in.Steps {
		if s.ID == "" || known[s.ID] {
			return "", fmt.Errorf("each step needs a step_id of its own, and %q is empty or there twice", tool.Cut(s.ID, 64))
		}
		known[s.ID] = true
	}
	var out strings.Builder
	fmt.Fprintf(&out, "The plan for: %s\n", clip(in.Task))
	for i, s := range in.Steps {
		fmt.Fprintf(&out, "%d. [%s] %s", i+1, s.ID, clip(s.Description))
		for _, earlier := range s.After {
			if !known[earlier] {
				return "", fmt.Errorf("step %s depends on %q, which is no step of the plan", tool.Cut(s.ID, 64), tool.Cut(earlier, 64))
			}
		}
		if len(s.After) > 0 {
			fmt.Fprintf(&out, " (after %s)", strings.Join(s.After, ", "))
		}
		out.WriteByte('\n')
	}
	out.WriteString("Work through it in order, and call subtask_done for each.")
	return out.String(), nil
}

func think(arguments json.RawMessage) (string, error) {
	var in struct {
		Thought string `json:"thought"`
	}
	if err := read(arguments, &in); err != nil {
		return "", err
	}
	return "Noted. Go on.", nil // the thought itself is in the call, where the model sees it
}

func subtaskDone(arguments json.RawMessage) (string, error) {
	var in struct {
		ID      string `json:"task_id"`
		Summary string `json:"summary"`
		Success *bool  `json:"success"`
	}
	if err := read(arguments, &in); err != nil {
		return "", err
	}
	if in.ID == "" {
		return "", fmt.Errorf("task_id must name a subtask of the plan")
	}
	if in.Success != nil && !*in.Success {
		return fmt.Sprintf("Subtask %s has failed: %s\nTry it another way, change the plan, or go on without it.", in.ID, clip(in.Summary)), nil
	}
	return fmt.Sprintf("Subtask %s is done: %s\nGo on with the next one; when all are done, call complete_task.", in.ID, clip(in.Summary)), nil
}

func completeTask(arguments json.RawMessage) (string, error) {
	var in struct {
		Summary string `json:"summary"`
		Success *bool  `json:"success"`
	}
	if err := read(arguments, &in); err != nil {
		return "", err
	}
	word := "complete"
	if in.Success != nil && !*in.Success {
		word = "given up"
	}
	return fmt.Sprintf("The task is %s: %s\nNow give your final answer to the user, in full and without calling anything.", word, clip(in.Summary)), nil
}

func respondToUser(arguments json.RawMessage) (string, error) {
	var in struct {
		Message string `json:"message"`
	}
	if err := read(arguments, &in); err != nil {
		return "", err
	}
	if in.Message == "" {
		return "", fmt.Errorf("message must say something")
	}
	return "The user has been told. Nobody will answer: go on with the task.", nil
}

func read(arguments json.RawMessage, into any) error {
	if err := json.Unmarshal(arguments, into); err != nil {
		return fmt.Errorf("the arguments do not fit the tool's schema")
	}
	return nil
}

// clip bounds one text of a plan, so that no step takes the room of the others.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return tool.Cut(text, maxText) + "…"
}
