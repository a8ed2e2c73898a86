package agent

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"

	"errand/internal/run"
)

// repairs is how many turns may mend an answer that does not satisfy its schema:
// the first mends most, the second nearly all of the rest.
const repairs = 2

// Order is what one execution adds to a definition.
type Order struct {
	Project     string
	Dialect     string
	Key         string   // id of the API key
	Scopes      []string // what it was granted
	Input       run.Message
	History     []run.Message // earlier turns of the thread
	Previous    *run.ID       // the run that this one continues or retries
	Fingerprint string
	Tools       []run.Tool        // the definition's, resolved by Catalog, and what else the run may call
	Metadata    map[string]string // over the definition's
	MaxSteps    int               // 0 = the definition's
	Output      json.RawMessage   // nil = the definition's
	WallTime    run.Seconds       // where the definition names none
	Window      int               // the model's context in tokens; 0 = not known
}

// Spec folds the definition and the order into all that the run needs. ref is
// nil for an ad-hoc run.
func (d *Definition) Spec(ref *run.AgentRef, o Order) run.Spec {
	spec := run.Spec{
		Project: o.Project, Dialect: o.Dialect, Agent: ref, Key: o.Key, Scopes: o.Scopes,
		Model: d.Model, Window: o.Window, Instructions: d.Instructions,
		History: o.History, Input: o.Input, Previous: o.Previous, Fingerprint: o.Fingerprint,
		Tools: o.Tools, Gates: d.Approval.RequiredFor, GateTimeout: d.Approval.Timeout, Approval: d.Approval.more(),
		Limits: run.Limits{
			MaxSteps: d.MaxSteps, MaxTokens: d.Limits.MaxTokens, MaxCost: d.Limits.MaxCost,
			MaxToolCalls: d.Limits.MaxToolCalls, WallTime: d.Limits.Timeout,
		},
		Params: run.Params{
			Temperature: d.Params.Temperature, TopP: d.Params.TopP,
			MaxTokens: d.Params.MaxTokens, Effort: d.Params.Effort,
		},
		Output: d.Output, OnUnknown: d.OnUnknown, OnBudget: d.OnBudget, Parallel: d.Parallel,
		Metadata: merge(d.Metadata, o.Metadata),
	}
	if o.MaxSteps > 0 {
		spec.Limits.MaxSteps = o.MaxSteps
	}
	if spec.Limits.WallTime == 0 {
		spec.Limits.WallTime = o.WallTime
	}
	if o.Output != nil {
		spec.Output = o.Output
	}
	if spec.Output != nil {
		spec.Repairs = repairs
	}
	if spec.OnUnknown == "" {
		spec.OnUnknown = run.AskUnknown
	}
	return spec
}

// merge returns base with over on top of it, without changing either.
func merge(base, over map[string]string) map[string]string {
	if len(base) == 0 && len(over) == 0 {
		return nil
	}
	merged := make(map[string]string, len(base)+len(over))
	maps.Copy(merged, base)
	maps.Copy(merged, over)
	return merged
}

// Tool is the function as a run knows it. Nothing of it runs on this server, so
// a crash cannot repeat it and its class is safe.
func (f *Function) Tool() run.Tool {
	return run.Tool{
		Name: f.Name, Description: f.Description, Parameters: f.Parameters,
		Class: run.Safe, Function: true, Version: f.version(),
	}
}

// version is a digest of the definition, so that two runs of the same agent
// version show the same digests for the same call.
func (f *Function) version() string {
	hash := sha256.New()
	for _, part := range []string{f.Name, f.Description, string(f.Parameters)} {
		hash.Write([]byte(part))
		hash.Write([]byte{0})
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}
