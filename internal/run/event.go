package run

import (
	"encoding/json"
	"time"
)

// Type names a kind of event. The names are stored and public.
type Type string

const (
	RunCreated      Type = "run.created"
	RunStarted      Type = "run.started" // left the queue
	RunDriven       Type = "run.driven"  // a driver took over
	ModelResponded  Type = "model.responded"
	ModelFailed     Type = "model.failed"
	ToolStarted     Type = "tool.started"
	ToolFinished    Type = "tool.finished"
	ApprovalDecided Type = "approval.decided"
	ApprovalExpired Type = "approval.expired"
	MessageAdded    Type = "message.added"
	InputReceived   Type = "input.received" // outputs of function tools
	CancelRequested Type = "cancel.requested"
	RunPaused       Type = "run.paused"
	RunResumed      Type = "run.resumed"
	DeadlinePassed  Type = "deadline.passed"
	BudgetRefused   Type = "budget.refused" // a model call does not fit into a budget
	BudgetRaised    Type = "budget.raised"  // it may be tried again
	ChildFinished   Type = "child.finished" // a run that this one had handed work to has ended
	RunFinished     Type = "run.finished"
)

// Event is one stored fact about a run. Exactly the pointer that belongs to its
// Type is set; types without a body have none.
type Event struct {
	Seq  int64     // 1, 2, 3 … within the run
	ID   uint64    // made by the writer: after a failed COMMIT it tells what is on disk
	At   time.Time // the writer's clock, UTC, to the millisecond
	Type Type

	Created   *Created   // run.created
	Driven    *Driven    // run.driven
	Responded *Responded // model.responded
	Failed    *Failed    // model.failed
	Started   *Started   // tool.started
	Finished  *Finished  // tool.finished
	Decided   *Decided   // approval.decided
	Expired   *Expired   // approval.expired
	Message   *Added     // message.added
	Input     *Input     // input.received
	Cancel    *Cancel    // cancel.requested
	Actor     *Actor     // run.paused, run.resumed, budget.raised
	Refusal   *Refusal   // budget.refused
	Deadline  *Deadline  // deadline.passed
	Child     *Child     // child.finished
	Ended     *Ended     // run.finished
}

// Created begins a log. The creating driver has epoch 1.
type Created struct {
	Spec   Spec `json:"spec"`
	Queued bool `json:"queued,omitempty"` // no room yet: run.started will follow
}

// Driven says that a driver with a higher epoch keeps the run moving from here.
type Driven struct {
	Epoch int64 `json:"epoch"`
}

// Responded is a model's complete reply, with everything that was decided about
// it at once, so that a later fold never has to decide again.
type Responded struct {
	Step    int       `json:"step"`
	Attempt int       `json:"attempt"`
	Seen    int       `json:"seen,omitempty"` // how many added messages the request held
	Reply   Reply     `json:"reply"`
	Actions []Planned `json:"actions,omitempty"` // one per call, in call order
	Output  *Verdict  `json:"output,omitempty"`  // of an answer, when the spec has a schema
	Trimmed *Trimmed  `json:"trimmed,omitempty"` // what was left out to fit the model's window
	Ms      int64     `json:"ms"`                // how long the call took
	First   int64     `json:"first_ms,omitempty"`
}

// Planned is what becomes of one call of a reply.
type Planned struct {
	ID      string `json:"id"`                // act_01, act_02 … within the run
	Refused string `json:"refused,omitempty"` // why it is not executed, in words for the model
	Denied  string `json:"denied,omitempty"`  // the scope that the run's key lacks
	Gated   bool   `json:"gated,omitempty"`
	Preview string `json:"preview,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// Verdict is the check of an answer against the spec's output schema.
type Verdict struct {
	Value   json.RawMessage `json:"value,omitempty"`   // the answer as JSON, when it satisfies
	Problem string          `json:"problem,omitempty"` // what is wrong with it, in words for the model
}

// Trimmed counts what a request left out.
type Trimmed struct {
	Views   int `json:"views,omitempty"`   // snapshots cut to their beginning: a newer one follows
	Outputs int `json:"outputs,omitempty"` // to fit the model's window: tool outputs cut to a stub
	Turns   int `json:"turns,omitempty"`   // oldest turns dropped
}

// Failed is a model call that brought no reply. It bounds retries across crashes.
type Failed struct {
	Step    int    `json:"step"`
	Attempt int    `json:"attempt"`
	Code    string `json:"code"`
	Message string `json:"message"`
	Retry   bool   `json:"retry,omitempty"`    // another attempt may help
	AfterMs int64  `json:"after_ms,omitempty"` // wait this long first
	Text    string `json:"text,omitempty"`     // what had come of the reply, when there is no other attempt
	Usage   Usage  `json:"usage"`
	Ms      int64  `json:"ms,omitempty"` // how long the call took
}

// Started says that a tool call is about to be made. For once and keyed tools it
// is on disk before the call.
type Started struct {
	Action  string `json:"action"`
	Epoch   int64  `json:"epoch"`
	Attempt int    `json:"attempt"`
	Child   *ID    `json:"child,omitempty"` // of a handoff: the run that does it, created with this event
}

// Outcome is how a tool call ended.
type Outcome string

const (
	OK        Outcome = "ok"
	Errored   Outcome = "error"
	Unknown   Outcome = "unknown"   // it may or may not have happened
	Rejected  Outcome = "rejected"  // a person said no
	Cancelled Outcome = "cancelled" // it certainly did nothing
)

// Finished is the end of a tool call.
type Finished struct {
	Action  string  `json:"action"`
	Outcome Outcome `json:"outcome"`
	Output  string  `json:"output,omitempty"` // for the model; of an error, its message
	Images  []Image `json:"images,omitempty"` // beside the output, for a model that can see
	Crash   bool    `json:"crash,omitempty"`  // of unknown: this server died in the middle
	Child   *ID     `json:"child,omitempty"`  // of a detached handoff: the run that it has started, true only together with it
	Ms      int64   `json:"ms,omitempty"`
}

// Child is the end of a run that an action had handed its work to. It is written
// with the child's own end.
type Child struct {
	Action  string  `json:"action"`
	Run     ID      `json:"run"`
	Outcome Outcome `json:"outcome"`
	Output  string  `json:"output,omitempty"` // for the model: the child's result, or why there is none
	Usage   Usage   `json:"usage"`            // the child's, and that of its own children
}

// Decided is a person's word on actions.
type Decided struct {
	Actions  []string `json:"actions"`
	Approve  bool     `json:"approve"`
	Continue bool     `json:"continue,omitempty"` // on_reject: continue
	Reason   string   `json:"reason,omitempty"`
	By       string   `json:"by,omitempty"` // id of the key
	ByName   string   `json:"by_name,omitempty"`
	From     string   `json:"from,omitempty"`    // the address that the request came from
	Request  string   `json:"request,omitempty"` // its id
	Voice    string   `json:"voice,omitempty"`   // id of the key whose voice By has, where that is another one
	Reach    Reach    `json:"reach,omitempty"`   // of an approval
	// Arguments take the place of those of the action, of which there is one then,
	// with the digest and preview that they make.
	Arguments string `json:"arguments,omitempty"`
	Digest    string `json:"digest,omitempty"`
	Preview   string `json:"preview,omitempty"`
}

// Expired says that the standing of pending or approved actions has lapsed.
type Expired struct {
	Actions []string `json:"actions"`
	// Timeout: nobody decided in time; the actions count as rejected.
	Timeout bool `json:"timeout,omitempty"`
	// Tool: the tool was changed after it was shown; the actions are pending
	// again with reason changed, under this definition.
	Tool *Tool `json:"tool,omitempty"`
	// Digests belong to Tool: the new digest of each action.
	Digests []string `json:"digests,omitempty"`
	// Previews belong to Tool.
	Previews []string `json:"previews,omitempty"`
}

// Added is a steering message.
type Added struct {
	Text string `json:"text"`
	By   string `json:"by,omitempty"`
	Cut  bool   `json:"cut,omitempty"` // the reply under way is dropped, and asked for anew with this in view
}

// Input brings outputs of function tools from the caller.
type Input struct {
	Outputs []Output `json:"outputs"`
	By      string   `json:"by,omitempty"`
}

// Output is one function tool's output.
type Output struct {
	Action string `json:"action"`
	Text   string `json:"text"`
	Failed bool   `json:"failed,omitempty"` // Text is an error for the model
}

// Cancel asks a run to end now.
type Cancel struct {
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Actor says who paused or resumed a run.
type Actor struct {
	By string `json:"by,omitempty"`
}

// Refusal says which budget had no room for the next model call.
type Refusal struct {
	Budget  string    `json:"budget"`            // its id
	Limit   string    `json:"limit"`             // what of it is used up: cost or tokens
	Until   time.Time `json:"until,omitzero"`    // when its period ends, and there is room again
	Message string    `json:"message,omitempty"` // for people
}

// Deadline says that a time which Decide asked to be woken at has come.
type Deadline struct {
	Which string `json:"which"` // WallTime, or GateTime
}

// What Decide asks to be woken for. The first is a deadline.passed, the second an
// approval.expired.
const (
	WallTime = "wall_time"    // the run's working time is used up
	GateTime = "gate_timeout" // nobody decided in time
)

// Ended is the end of a run: nothing but the usage of late facts changes after it.
type Ended struct {
	Status Status     `json:"status"`
	Reason StopReason `json:"reason"`
	Limit  string     `json:"limit,omitempty"` // which limit was hit
	Error  string     `json:"error,omitempty"` // what went wrong, in public words
	Code   string     `json:"code,omitempty"`  // code of a model's or a tool's error
	Result Result     `json:"result"`
}

// Result is what a run has to show, complete or partial.
type Result struct {
	Summary string          `json:"summary"`
	Output  json.RawMessage `json:"output,omitempty"` // when the spec has a schema and it is satisfied
	Partial bool            `json:"partial,omitempty"`
}
