package run

import (
	"encoding/json"
	"path"
	"time"
)

// Spec is everything that one run needs, complete and immutable. Saved agents,
// defaults and a dialect's quirks are folded in before the run starts.
type Spec struct {
	Project      string            `json:"project"`
	Dialect      string            `json:"dialect"`          // the API that started it: native, you, swarms …
	Agent        *AgentRef         `json:"agent,omitempty"`  // nil for an ad-hoc run
	Key          string            `json:"key,omitempty"`    // id of the API key that started it
	Scopes       []string          `json:"scopes,omitempty"` // what that key was granted, for checks at a step
	Model        string            `json:"model"`            // as the caller named it; the router resolves it
	Window       int               `json:"window,omitempty"` // the model's context in tokens; 0 = not known
	Instructions string            `json:"instructions,omitempty"`
	History      []Message         `json:"history,omitempty"` // earlier turns of the thread
	Input        Message           `json:"input"`             // what this run is asked
	Context      json.RawMessage   `json:"context,omitempty"` // data that came with the input: the model sees it behind the input
	Tools        []Tool            `json:"tools,omitempty"`
	ToolLimits   map[string]int    `json:"tool_limits,omitempty"`  // calls of one tool that the run may make; those beyond are refused
	Servers      []Server          `json:"servers,omitempty"`      // where the tools with a Server live
	Handoffs     []Handoff         `json:"handoffs,omitempty"`     // what the tools with a Handoff start
	Under        string            `json:"under,omitempty"`        // ids of the agents whose budgets it draws from beside its own
	Parent       *Parent           `json:"parent,omitempty"`       // of a run that was handed its work by another
	Gates        []string          `json:"gates,omitempty"`        // tool names or patterns (email.*) that need a person
	GateTimeout  Seconds           `json:"gate_timeout,omitempty"` // 0 = an approval never expires
	Approval     *Approval         `json:"approval,omitempty"`     // more about approvals; nil = nothing
	Limits       Limits            `json:"limits"`
	Params       Params            `json:"params"`
	Output       json.RawMessage   `json:"output,omitempty"`  // JSON schema that the answer must satisfy
	Repairs      int               `json:"repairs,omitempty"` // turns that may mend an answer that does not
	OnUnknown    OnUnknown         `json:"on_unknown"`
	OnBudget     OnBudget          `json:"on_budget,omitempty"`
	Parallel     bool              `json:"parallel,omitempty"`    // once calls of one turn may overlap
	Passes       int               `json:"passes,omitempty"`      // answers to ask for, each with those before it in view; 0 = one
	HandBack     bool              `json:"hand_back,omitempty"`   // a call of a function ends the run: the call is the answer
	RawResults   bool              `json:"raw_results,omitempty"` // what tools returned is the answer: no turn sums it up
	Require      string            `json:"require,omitempty"`     // the tool that the first reply must call, where the model can be told so
	Final        string            `json:"final,omitempty"`       // the tool whose first success ends the run: its output is the answer
	Lane         *Lane             `json:"lane,omitempty"`        // runs that share a bound on how many of them are at work
	Tethered     bool              `json:"tethered,omitempty"`    // cancelled when the last reader of its answer has gone
	Metadata     map[string]string `json:"metadata,omitempty"`
	Replay       json.RawMessage   `json:"replay,omitempty"`      // recorded calls that stand for the model's turns while they succeed
	Echo         json.RawMessage   `json:"echo,omitempty"`        // what its dialect repeats in answers, in the dialect's own form
	Webhook      string            `json:"webhook,omitempty"`     // URL that hears of this run's ends and halts
	Previous     *ID               `json:"previous,omitempty"`    // the run that this one continues or retries
	Schedule     string            `json:"schedule,omitempty"`    // what started it by the clock: a schedule, or "clock/" and a robot
	Fingerprint  string            `json:"fingerprint,omitempty"` // of the HTTP request that made it: finds unkeyed retries
	Trace        string            `json:"trace,omitempty"`       // traceparent of whoever asked for it
	TraceLink    string            `json:"trace_link,omitempty"`  // traceparent of the call that started it and does not wait for it
}

// Lane is a bound that runs of one project share. A run that finds its lane full
// waits in it; one that rests (for a person, an input, a child) leaves its place
// to others and needs one again to go on.
type Lane struct {
	Name     string `json:"name"`
	Max      int    `json:"max"`                // runs at work at once
	Queue    int    `json:"queue,omitempty"`    // new runs that may wait; beyond it they are refused; 0 = no bound
	Priority int    `json:"priority,omitempty"` // higher ones go first among those that wait
}

// AgentRef names the version of a saved agent that a run was made from.
type AgentRef struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// OnUnknown says what becomes of a once call whose outcome nobody knows.
type OnUnknown string

const (
	// AskUnknown makes the call a pending action with reason outcome_unknown.
	AskUnknown OnUnknown = "ask"
	// FailUnknown tells the model, and ends the run with tool_error when a
	// crash of this server was the reason: the caller has no way to answer.
	FailUnknown OnUnknown = "fail"
)

// OnBudget says what becomes of a run for whose next model call a budget has no
// room.
type OnBudget string

const (
	FailOnBudget  OnBudget = "fail" // it ends with budget_exhausted; so does one that says nothing
	WaitForBudget OnBudget = "wait" // it pauses until the budget is raised or its period is over
)

// Seconds is a duration that is stored and sent as a number of seconds.
type Seconds int64

// Duration converts s for use with package time.
func (s Seconds) Duration() time.Duration { return time.Duration(s) * time.Second }

// Limits bound one run; zero means no limit but for MaxSteps, which callers
// always set. Each limit that is hit ends the run with its stop reason and the
// partial result.
type Limits struct {
	MaxSteps     int     `json:"max_steps"`                // model turns: step_limit
	MaxTokens    int     `json:"max_tokens,omitempty"`     // input and output, all steps: budget_exhausted
	MaxCost      Micros  `json:"max_cost,omitempty"`       // money, all steps: budget_exhausted
	MaxToolCalls int     `json:"max_tool_calls,omitempty"` // calls started: budget_exhausted
	WallTime     Seconds `json:"wall_time,omitempty"`      // time in which a driver worked: timeout
}

// Micros is money in millionths of a US dollar.
type Micros int64

// Dollars converts m for display.
func (m Micros) Dollars() float64 { return float64(m) / 1e6 }

// Params are a caller's wishes about how the model samples. Nil and zero mean
// the provider's default.
type Params struct {
	Temperature *float64 `json:"temperature,omitempty"`
	TopP        *float64 `json:"top_p,omitempty"`
	MaxTokens   int      `json:"max_tokens,omitempty"` // of one reply
	Effort      string   `json:"effort,omitempty"`     // reasoning effort: low, medium, high
	Thinking    int      `json:"thinking,omitempty"`   // tokens that the model may think with before it answers
	TopK        int      `json:"top_k,omitempty"`
	Frequency   *float64 `json:"frequency_penalty,omitempty"`
	Presence    *float64 `json:"presence_penalty,omitempty"`
	Seed        *int64   `json:"seed,omitempty"`
	Stop        []string `json:"stop,omitempty"`
	Vary        bool     `json:"vary,omitempty"`     // another temperature for each pass after the first
	Defaults    []string `json:"defaults,omitempty"` // names of the above that a dialect set, not the caller: may be dropped
}

// Class says what a crash in the middle of a call means.
type Class string

const (
	Safe  Class = "safe"  // reading: repeated freely
	Keyed Class = "keyed" // repeated with the same Idempotency-Key, which its owner honours
	Once  Class = "once"  // never repeated without a person's word
)

// Tool is what a run knows of a tool that it may call: a snapshot of its
// definition when the run was made.
type Tool struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"` // JSON schema of the arguments
	Class       Class           `json:"class"`
	Function    bool            `json:"function,omitempty"` // returned to the caller, who sends the output back
	Scope       string          `json:"scope,omitempty"`    // needed on the run's key at the step
	Preview     string          `json:"preview,omitempty"`  // template: "To: {{to}}"
	Version     string          `json:"version"`            // digest of the definition
	Outside     bool            `json:"outside,omitempty"`  // its output is written by others than the operator: pages, registered and MCP servers
	Cites       bool            `json:"cites,omitempty"`    // its output is a Found: sources that an answer may cite
	Handoff     string          `json:"handoff,omitempty"`  // name of the Spec's Handoff that a call of it starts
	Server      string          `json:"server,omitempty"`   // name of the Spec's Server that has the tool
	Remote      string          `json:"remote,omitempty"`   // what the tool is called there
	Serial      string          `json:"serial,omitempty"`   // what its calls use up alone: those of one turn with the same word here go one after the other, in call order
	Snapshot    bool            `json:"snapshot,omitempty"` // its output shows how something is now: the model is sent the newest whole, of older ones the beginning
}

// Server is a tool server that a run was made with. Whoever calls it wrote it
// down; to the core it is data.
type Server struct {
	Name   string          `json:"name"`
	URL    string          `json:"url"`
	Config json.RawMessage `json:"config,omitempty"` // its caller's own form; secrets in it are sealed
}

// Tool returns the tool with this name, or nil.
func (s *Spec) Tool(name string) *Tool {
	for i := range s.Tools {
		if s.Tools[i].Name == name {
			return &s.Tools[i]
		}
	}
	return nil
}

// Server returns the tool server with this name, or nil.
func (s *Spec) Server(name string) *Server {
	for i := range s.Servers {
		if s.Servers[i].Name == name {
			return &s.Servers[i]
		}
	}
	return nil
}

// Gated reports whether calls of the tool need a person's approval.
func (s *Spec) Gated(tool string) bool {
	for _, pattern := range s.Gates {
		if GateMatches(pattern, tool) {
			return true
		}
	}
	return false
}

// GateMatches reports whether a gate (a tool's name, or a pattern in which *
// stands for any characters) covers the tool.
func GateMatches(pattern, tool string) bool {
	if pattern == tool {
		return true
	}
	matched, err := path.Match(pattern, tool)
	return err == nil && matched
}

// Granted reports whether the run's key may use what needs this scope.
// "finance:read" and "context:finance" are two spellings of one scope.
func (s *Spec) Granted(scope string) bool { return ScopeIn(s.Scopes, scope) }
