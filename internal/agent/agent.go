// Package agent keeps saved agents: definitions that are written once, checked
// whole, versioned, and folded into a run.Spec when a run is made from one.
//
// What the package promises:
//   - Check finds every fault of a definition at once, and each message names
//     the field and the way to mend it.
//   - A change makes a new version and old versions stay readable; a run keeps a
//     snapshot, so no change reaches a run that exists.
//   - Spec is pure: the same definition and order give the same spec.
//   - Nothing here commits: changes are returned as rows, and the caller writes
//     them in the transaction that they belong to.
//
// To change what a definition may say, edit Definition here, then check.go and
// spec.go. To change how agents are stored, edit book.go.
package agent

import (
	"encoding/json"
	"time"

	"errand/internal/run"
)

// Agent is one version of a saved definition.
type Agent struct {
	ID        string    `json:"id"`
	Version   int       `json:"version"`
	CreatedAt time.Time `json:"created_at"` // of the agent
	UpdatedAt time.Time `json:"updated_at"` // of this version
	UpdatedBy string    `json:"updated_by,omitempty"`
	Definition
}

// Ref names this version in a run's spec.
func (a *Agent) Ref() *run.AgentRef {
	return &run.AgentRef{ID: a.ID, Name: a.Name, Version: a.Version}
}

// Definition is what an author says about an agent. The field names are the
// stored form. An ad-hoc run is a definition without a name.
type Definition struct {
	Name         string            `json:"name,omitempty"`
	Description  string            `json:"description,omitempty"`
	Model        string            `json:"model"`
	Instructions string            `json:"instructions,omitempty"`
	Tools        []string          `json:"tools,omitempty"`
	Functions    []Function        `json:"functions,omitempty"`
	Approval     Approval          `json:"approval"`
	MaxSteps     int               `json:"max_steps"`
	Limits       Limits            `json:"limits"`
	Output       json.RawMessage   `json:"output_schema,omitempty"`
	OnUnknown    run.OnUnknown     `json:"on_unknown"`
	OnBudget     run.OnBudget      `json:"on_budget,omitempty"` // empty = fail
	Parallel     bool              `json:"parallel,omitempty"`
	Params       Params            `json:"params"`
	Metadata     map[string]string `json:"metadata,omitempty"`
}

// Limits bound each run of an agent beside its steps; zero means no limit, but
// for the wall time, which then is the operator's.
type Limits struct {
	MaxTokens    int         `json:"max_tokens,omitempty"` // input and output of all steps
	MaxCost      run.Micros  `json:"max_cost,omitempty"`
	MaxToolCalls int         `json:"max_tool_calls,omitempty"`
	Timeout      run.Seconds `json:"timeout,omitempty"` // working time; waiting for a person does not count
}

// Params are the author's wishes about sampling; nil and zero leave it to the
// provider.
type Params struct {
	Temperature *float64 `json:"temperature,omitempty"`
	TopP        *float64 `json:"top_p,omitempty"`
	MaxTokens   int      `json:"max_tokens,omitempty"` // of one reply
	Effort      string   `json:"reasoning_effort,omitempty"`
}

// Function is a tool that the caller runs: its calls are returned as pending
// calls and the outputs come back by API.
type Function struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // JSON schema of an object
}

// Defaults that the native API document names.
const (
	DefaultSteps      = 8  // of a saved agent
	DefaultAdHocSteps = 4  // of a run without one
	CeilingSteps      = 16 // unless the operator sets limits.max_steps
)
