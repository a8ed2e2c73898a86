package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
)

// Bounds of a definition. They are far above what serious agents use, and low
// enough that a list of agents or a run's first event stays small.
const (
	maxName         = 128       // code points
	maxDescription  = 2_000     // code points
	maxInstructions = 64 << 10  // bytes
	maxTools        = 128       // what providers accept in one request
	maxSchema       = 256 << 10 // bytes of output_schema, or of one function's parameters
	maxMetadata     = 16        // pairs; the native API document's number
	maxMetadataKey  = 64        // code points
	maxMetadataText = 512       // code points
	maxApprovalWait = 366 * 24 * 3600
	maxWallTime     = 30 * 24 * 3600
)

// Tools finds what the runs of a project may call.
type Tools interface {
	// Current returns the tool as it is defined now, or a not_found problem. A
	// tool that the project has registered itself comes with a check of its row.
	Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error)
	// Matching lists the tools whose name begins with the prefix, by name.
	Matching(ctx context.Context, project, prefix string) ([]run.Tool, error)
}

// Models knows which model names can be used.
type Models interface {
	// Check returns a problem that lists the choices when there is no such model.
	Check(model string) error
	// Window is the model's context in tokens, or 0 when that is not known.
	Window(model string) int
	// Priced reports whether it is known what the model's replies cost.
	Priced(model string) bool
}

// Catalog is what definitions are held against. Tools, Models and Schemas must
// be set.
type Catalog struct {
	Tools    Tools
	Models   Models
	Schemas  *schema.Cache
	MaxSteps int         // the operator's ceiling; 0 = CeilingSteps
	WallTime run.Seconds // of a run whose definition names none; 0 = no limit
}

// Ceiling is the highest max_steps that a run may have here.
func (c *Catalog) Ceiling() int {
	if c.MaxSteps > 0 {
		return c.MaxSteps
	}
	return CeilingSteps
}

// Steps returns the document's default under this operator's ceiling.
func (c *Catalog) Steps(standard int) int { return min(standard, c.Ceiling()) }

// CheckName reports what is wrong with an agent's name, or an empty string.
func CheckName(name string) string {
	switch {
	case name == "":
		return "is required: give the agent a name that is unique in its project."
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Sprintf("is too long: at most %d characters.", maxName)
	case strings.TrimSpace(name) != name:
		return "must not begin or end with a space."
	case strings.ContainsRune(name, '/') || strings.ContainsFunc(name, unpleasant) || name == "." || name == "..":
		return "must not contain / or control characters: it is part of an address."
	case strings.HasPrefix(name, "agt_") || strings.HasPrefix(name, "run_"):
		return "must not begin with agt_ or run_: those begin ids."
	case reserved(name):
		return fmt.Sprintf("%q is reserved for a route of the API: choose another name.", name)
	}
	return ""
}

func unpleasant(r rune) bool { return !unicode.IsPrint(r) }

// reserved reports names that a route of one of the APIs takes up.
func reserved(name string) bool {
	switch strings.ToLower(name) {
	case "runs", "list", "batch", "activities", "integrations", "stream", "default", "express", "advanced":
		return true
	}
	return false
}

// CheckSaved finds the faults of what only a saved agent must have.
func CheckSaved(d *Definition, faults Faults) {
	faults.Add("name", CheckName(d.Name))
	if d.Instructions == "" {
		faults.Add("instructions", "is required and must not be empty.")
	}
}

// Check adds every fault of the definition to faults and returns the tools that
// it names, in order, its functions last. An error means that checking failed;
// whether the definition did is faults.Problem.
func (c *Catalog) Check(ctx context.Context, project string, d *Definition, faults Faults) ([]run.Tool, error) {
	c.CheckModel(d.Model, faults)
	c.CheckCost(d.Model, d.Limits.MaxCost, faults)
	tools, err := c.Resolve(ctx, project, d, faults)
	if err != nil {
		return nil, err
	}
	CheckApproval(d, tools, faults)
	c.CheckPart(d, faults)
	if d.OnUnknown != run.AskUnknown && d.OnUnknown != run.FailUnknown {
		faults.Add("on_unknown", `must be "ask" (a person decides) or "fail" (the run ends).`)
	}
	if d.OnBudget != "" && d.OnBudget != run.FailOnBudget && d.OnBudget != run.WaitForBudget {
		faults.Add("on_budget", `must be "fail" (the run ends) or "wait" (it goes on when the budget is raised, or begins anew).`)
	}
	return tools, nil
}

// CheckPart adds the faults of what a definition says about anything but its
// model and its tools.
func (c *Catalog) CheckPart(d *Definition, faults Faults) {
	checkTexts(d, faults)
	c.CheckSteps(d.MaxSteps, faults)
	c.CheckOutput(d.Output, faults)
	checkNumbers(d, faults)
	CheckMetadata(d.Metadata, faults)
}

// CheckModel reports a model that is not there.
func (c *Catalog) CheckModel(model string, faults Faults) {
	if model == "" {
		faults.Add("model", "is required: name a model, or default.")
	} else if err := c.Models.Check(model); err != nil {
		refused := problem.From(err) // Detail names the field itself; the fault's key does so here
		faults.Add("model", cmp.Or(refused.Fields["model"], refused.Detail))
	}
}

// CheckCost refuses a limit of money that would hold nothing back, because what
// the model costs is not known; 0 is no limit.
func (c *Catalog) CheckCost(model string, limit run.Micros, faults Faults) {
	if limit > 0 && !faults.Under("model") && !c.Models.Priced(model) {
		faults.Add("limits.max_cost_usd", fmt.Sprintf("cannot be kept: the price of %s is not known here. Its operator can name it under prices in errand.yaml; limits.max_tokens needs no price.", model))
	}
}

func checkTexts(d *Definition, faults Faults) {
	if utf8.RuneCountInString(d.Description) > maxDescription {
		faults.Add("description", fmt.Sprintf("is too long: at most %d characters.", maxDescription))
	}
	if len(d.Instructions) > maxInstructions {
		faults.Add("instructions", fmt.Sprintf("is too long: at most %d bytes.", maxInstructions))
	}
}

// CheckSteps holds max_steps to the ceiling.
func (c *Catalog) CheckSteps(steps int, faults Faults) {
	if steps < 1 || steps > c.Ceiling() {
		faults.Add("max_steps", fmt.Sprintf("must be a whole number from 1 to %d.", c.Ceiling()))
	}
}

// CheckOutput reports an output schema that cannot be used; none is fine.
func (c *Catalog) CheckOutput(text json.RawMessage, faults Faults) {
	if text == nil {
		return
	}
	faults.Add("output_schema", c.schemaFault(text, false))
}

// schemaFault says what is wrong with a schema; that of a function's arguments
// must describe an object.
func (c *Catalog) schemaFault(text json.RawMessage, object bool) string {
	var shape struct {
		Type any `json:"type"`
	}
	switch {
	case len(text) > maxSchema:
		return fmt.Sprintf("is too large: at most %d bytes.", maxSchema)
	case len(text) == 0 || text[0] != '{' || json.Unmarshal(text, &shape) != nil:
		return "must be a JSON schema, written as an object."
	case object && shape.Type != "object":
		return `must have "type": "object": a model calls a function with named arguments.`
	}
	if err := c.Schemas.Check(text); err != nil {
		return fmt.Sprintf("cannot be used: %v.", err)
	}
	return ""
}

// functionName is what providers accept as a function's name, dots included:
// they are spelled for each provider when a request is written.
var functionName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

// Resolve finds the tools that the definition names; a fault names the index.
func (c *Catalog) Resolve(ctx context.Context, project string, d *Definition, faults Faults) ([]run.Tool, error) {
	if len(d.Tools)+len(d.Functions) > maxTools {
		faults.Add("tools", fmt.Sprintf("names too many tools: at most %d, functions included.", maxTools))
		return nil, nil
	}
	var tools []run.Tool
	for i, name := range d.Tools {
		if slices.Contains(d.Tools[:i], name) {
			faults.Add(fmt.Sprintf("tools[%d]", i), fmt.Sprintf("%q is named twice.", name))
			continue
		}
		tool, _, err := c.Tools.Current(ctx, project, name)
		if problem.Is(err, problem.NotFound) {
			message, err := c.unknownTool(ctx, project, name)
			if err != nil {
				return nil, err
			}
			faults.Add(fmt.Sprintf("tools[%d]", i), message)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking up tool %q: %w", name, err)
		}
		tools = append(tools, tool)
	}
	for i := range d.Functions {
		f := &d.Functions[i]
		field := fmt.Sprintf("functions[%d].function.", i)
		taken := slices.ContainsFunc(tools, func(t run.Tool) bool { return t.Name == f.Name })
		switch {
		case !functionName.MatchString(f.Name):
			faults.Add(field+"name", "must be 1 to 64 letters, digits, dots, dashes or underscores.")
		case taken:
			faults.Add(field+"name", fmt.Sprintf("%q is already one of this agent's tools: choose another name.", f.Name))
		}
		if f.Parameters != nil {
			faults.Add(field+"parameters", c.schemaFault(f.Parameters, true))
		}
		tools = append(tools, f.Tool())
	}
	return tools, nil
}

// unknownTool says which tool was probably meant, or which there are.
// Saved resolves the tools of a saved agent as they are defined now. What was
// there when it was saved may be gone by now, or a model renamed or without a
// price: a conflict that names it.
func (c *Catalog) Saved(ctx context.Context, project string, saved *Agent) ([]run.Tool, error) {
	faults := Faults{}
	tools, err := c.Resolve(ctx, project, &saved.Definition, faults)
	if err != nil {
		return nil, err
	}
	c.CheckModel(saved.Model, faults)
	c.CheckCost(saved.Model, saved.Limits.MaxCost, faults)
	if invalid := faults.Problem(); invalid != nil {
		return nil, problem.New(problem.Conflict, "Agent %s was saved with what is not there any more: %s Change it with PATCH /v1/agents/%s.",
			saved.Name, problem.From(invalid).Detail, saved.ID).Because(invalid)
	}
	return tools, nil
}

func (c *Catalog) unknownTool(ctx context.Context, project, name string) (string, error) {
	tools, err := c.Tools.Matching(ctx, project, "")
	if err != nil {
		return "", fmt.Errorf("listing the tools: %w", err)
	}
	names := make([]string, len(tools))
	for i := range tools {
		names[i] = tools[i].Name
	}
	if near := problem.Nearest(name, names); near != "" {
		return fmt.Sprintf("there is no tool %q: did you mean %q?", name, near), nil
	}
	const shown = 12 // enough to choose from, and one line of an error
	if more := len(names) - shown; more > 0 {
		names = append(names[:shown:shown], fmt.Sprintf("and %d more (GET /v1/tools)", more))
	}
	return fmt.Sprintf("there is no tool %q here: there are %s.", name, strings.Join(names, ", ")), nil
}

// InContext returns the operator's tools named <context>.*, each under the
// context's scope unless the operator gave it one of its own. What a project
// registers itself never is a context: anyone with tools:write could fake one.
func (c *Catalog) InContext(ctx context.Context, project, name string) ([]run.Tool, error) {
	candidates, err := c.Tools.Matching(ctx, project, name+".")
	if err != nil {
		return nil, fmt.Errorf("listing the tools of context %s: %w", name, err)
	}
	var found []run.Tool
	for _, tool := range candidates {
		_, registered, err := c.Tools.Current(ctx, project, tool.Name)
		if err != nil {
			return nil, fmt.Errorf("looking up tool %q: %w", tool.Name, err)
		}
		if registered != nil {
			continue
		}
		if tool.Scope == "" {
			tool.Scope = "context:" + name
		}
		found = append(found, tool)
	}
	return found, nil
}
