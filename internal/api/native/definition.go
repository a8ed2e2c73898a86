package native

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"errand/internal/agent"
	"errand/internal/run"
)

// definitionIn is what a saved agent and an ad-hoc run have in common. A pointer
// or slice that is nil was left out, or null: both mean the default.
type definitionIn struct {
	Model        *string           `json:"model"`
	Instructions *string           `json:"instructions"`
	Tools        []string          `json:"tools"`
	Functions    []functionIn      `json:"functions"`
	Approval     *approvalIn       `json:"approval"`
	MaxSteps     *int              `json:"max_steps"`
	Limits       *limitsIn         `json:"limits"`
	OutputSchema json.RawMessage   `json:"output_schema"`
	OnUnknown    *string           `json:"on_unknown"`
	OnBudget     *string           `json:"on_budget"`
	Parallel     *bool             `json:"parallel"`
	Params       *paramsIn         `json:"params"`
	Metadata     map[string]string `json:"metadata"`
}

// agentIn is the body that creates an agent.
type agentIn struct {
	Name        *string `json:"name"`
	Description *string `json:"description"`
	definitionIn
}

type functionIn struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
		Strict      *bool           `json:"strict"`
	} `json:"function"`
}

type limitsIn struct {
	MaxTokens    *int     `json:"max_tokens"`
	MaxCost      *float64 `json:"max_cost_usd"`
	MaxToolCalls *int     `json:"max_tool_calls"`
	Timeout      *int64   `json:"timeout_s"`
}

type paramsIn struct {
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"top_p"`
	MaxTokens   *int     `json:"max_tokens"`
	Effort      *string  `json:"reasoning_effort"`
}

// definition reads what the two kinds of body share. steps is the default of
// max_steps. What cannot be said in an agent.Definition is added to faults.
func (in *definitionIn) definition(steps int, faults agent.Faults) agent.Definition {
	d := agent.Definition{
		Model: value(in.Model), Instructions: value(in.Instructions), Tools: in.Tools,
		MaxSteps: steps, Output: present(in.OutputSchema),
		OnUnknown: run.AskUnknown, Parallel: in.Parallel != nil && *in.Parallel, Metadata: in.Metadata,
	}
	if in.MaxSteps != nil {
		d.MaxSteps = *in.MaxSteps
	}
	if in.OnUnknown != nil {
		d.OnUnknown = run.OnUnknown(*in.OnUnknown)
	}
	if value(in.OnBudget) != string(run.FailOnBudget) { // the default is stored as nothing
		d.OnBudget = run.OnBudget(value(in.OnBudget))
	}
	for i := range in.Functions {
		d.Functions = append(d.Functions, in.Functions[i].function(i, faults))
	}
	if in.Approval != nil {
		d.Approval = in.Approval.read(faults)
	}
	if l := in.Limits; l != nil {
		d.Limits = agent.Limits{
			MaxTokens:    int(counted(l.MaxTokens, "limits.max_tokens", faults)),
			MaxToolCalls: int(counted(l.MaxToolCalls, "limits.max_tool_calls", faults)),
			Timeout:      run.Seconds(counted(l.Timeout, "limits.timeout_s", faults)),
			MaxCost:      micros(l.MaxCost, faults),
		}
	}
	if p := in.Params; p != nil {
		d.Params = agent.Params{
			Temperature: p.Temperature, TopP: p.TopP, Effort: value(p.Effort),
			MaxTokens: int(counted(p.MaxTokens, "params.max_tokens", faults)),
		}
	}
	return d
}

func (in *functionIn) function(i int, faults agent.Faults) agent.Function {
	if in.Type != "function" {
		faults.Add(fmt.Sprintf("functions[%d].type", i), `must be "function".`)
	}
	if in.Function.Strict != nil && *in.Function.Strict {
		faults.Add(fmt.Sprintf("functions[%d].function.strict", i),
			"cannot be true: arguments are always checked against parameters, whatever the model was told.")
	}
	return agent.Function{
		Name: in.Function.Name, Description: in.Function.Description, Parameters: present(in.Function.Parameters),
	}
}

// value is what an optional text says, or "".
func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// present is the JSON of an optional field, or nil when it is missing or null.
func present(text json.RawMessage) json.RawMessage {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	return text
}

// counted reads an optional limit: 0 when it is not there, a fault when it is
// there and says 0 or less, because no limit is said by leaving it out.
func counted[N int | int64](n *N, field string, faults agent.Faults) N {
	if n == nil {
		return 0
	}
	if *n < 1 {
		faults.Add(field, "must be a whole number above 0: leave it out for no limit.")
		return 0
	}
	return *n
}

// highestCost keeps the conversion to millionths exact.
const highestCost = 1e9

func micros(dollars *float64, faults agent.Faults) run.Micros {
	if dollars == nil {
		return 0
	}
	amount := run.Micros(math.Round(min(*dollars, highestCost) * 1e6))
	if amount < 1 || *dollars > highestCost {
		faults.Add("limits.max_cost_usd", "must be from 0.000001 to 1000000000 US dollars: leave it out for no limit.")
		return 0
	}
	return amount
}

// agentBody is a saved agent as this API shows it. Optional keys are there as
// null, because typed clients expect them.
type agentBody struct {
	ID           *string           `json:"id"`
	Object       string            `json:"object"`
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Model        string            `json:"model"`
	Instructions string            `json:"instructions"`
	Tools        []string          `json:"tools"`
	Functions    []functionBody    `json:"functions"`
	Approval     approvalBody      `json:"approval"`
	MaxSteps     int               `json:"max_steps"`
	Limits       limitsBody        `json:"limits"`
	OutputSchema json.RawMessage   `json:"output_schema"`
	OnUnknown    string            `json:"on_unknown"`
	OnBudget     string            `json:"on_budget"`
	Parallel     bool              `json:"parallel"`
	Params       paramsBody        `json:"params"`
	Metadata     map[string]string `json:"metadata"`
	Version      int               `json:"version"`
	CreatedAt    *time.Time        `json:"created_at"`
	UpdatedAt    *time.Time        `json:"updated_at"`
	UpdatedBy    *string           `json:"updated_by"` // id of a key
	DryRun       bool              `json:"dry_run,omitzero"`
}

type functionBody struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

type limitsBody struct {
	MaxTokens    *int     `json:"max_tokens"`
	MaxCost      *float64 `json:"max_cost_usd"`
	MaxToolCalls *int     `json:"max_tool_calls"`
	Timeout      *int64   `json:"timeout_s"`
}

type paramsBody struct {
	Temperature *float64 `json:"temperature"`
	TopP        *float64 `json:"top_p"`
	MaxTokens   *int     `json:"max_tokens"`
	Effort      *string  `json:"reasoning_effort"`
}

// showAgent returns the body of an agent.
func showAgent(a *agent.Agent) agentBody {
	body := showDefinition(&a.Definition)
	body.ID, body.Version = &a.ID, a.Version
	body.CreatedAt, body.UpdatedAt, body.UpdatedBy = &a.CreatedAt, &a.UpdatedAt, optional(a.UpdatedBy)
	return body
}

// showDefinition returns the body of an agent that is not saved.
func showDefinition(d *agent.Definition) agentBody {
	body := agentBody{
		Object: "agent", Name: d.Name, Description: d.Description, Model: d.Model, Instructions: d.Instructions,
		Tools: listed(d.Tools), Functions: []functionBody{}, MaxSteps: d.MaxSteps,
		OutputSchema: orNull(d.Output), OnUnknown: string(d.OnUnknown), OnBudget: string(cmp.Or(d.OnBudget, run.FailOnBudget)), Parallel: d.Parallel, Metadata: mapped(d.Metadata),
		Approval: showApproval(&d.Approval),
		Limits: limitsBody{
			MaxTokens: optional(d.Limits.MaxTokens), MaxToolCalls: optional(d.Limits.MaxToolCalls),
			Timeout: optional(int64(d.Limits.Timeout)), MaxCost: optional(d.Limits.MaxCost.Dollars()),
		},
		Params: paramsBody{
			Temperature: d.Params.Temperature, TopP: d.Params.TopP,
			MaxTokens: optional(d.Params.MaxTokens), Effort: optional(d.Params.Effort),
		},
	}
	for i := range d.Functions {
		shown := functionBody{Type: "function"}
		shown.Function.Name = d.Functions[i].Name
		shown.Function.Description = d.Functions[i].Description
		shown.Function.Parameters = orNull(d.Functions[i].Parameters)
		body.Functions = append(body.Functions, shown)
	}
	return body
}

// optional is null for the zero value.
func optional[V comparable](v V) *V {
	var zero V
	if v == zero {
		return nil
	}
	return &v
}

func listed(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func mapped(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func orNull(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}
