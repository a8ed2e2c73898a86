package run

import "encoding/json"

// Role says who speaks in a message.
type Role string

const (
	System    Role = "system"
	User      Role = "user"
	Assistant Role = "assistant"
	ToolRole  Role = "tool"
)

// Message is one entry of the conversation that a model sees.
type Message struct {
	Role      Role    `json:"role"`
	Text      string  `json:"text,omitempty"`
	Images    []Image `json:"images,omitempty"`
	Reasoning string  `json:"reasoning,omitempty"` // of an assistant
	Calls     []Call  `json:"calls,omitempty"`     // of an assistant
	CallID    string  `json:"call_id,omitempty"`   // of a tool: which call this answers
	Tool      string  `json:"tool,omitempty"`      // of a tool: its name
	Failed    bool    `json:"failed,omitempty"`    // of a tool: the text is an error
	// Carry is of an assistant: what the model's client wants back with this
	// turn. Only the client that wrote it reads it.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// Image is a picture in a message: a URL (https or data:).
type Image struct {
	URL    string `json:"url"`
	Detail string `json:"detail,omitempty"` // low, high, auto
}

// Call is a tool call as a model asked for it.
type Call struct {
	ID   string `json:"id"` // the provider's, or made up when it sent none; unique within the reply
	Name string `json:"name"`
	// Arguments are the model's bytes, kept as they came: not JSON when the
	// model garbled them. A string, because encoding a RawMessage rewrites it.
	Arguments string `json:"arguments"`
}

// Request is one model call: a step's conversation and what may be called.
type Request struct {
	Run      ID
	Project  string
	Step     int // from 1
	Attempt  int // from 1
	Model    string
	Messages []Message
	Tools    []Tool
	Output   json.RawMessage // JSON schema the answer should satisfy, or nil
	Params   Params
	Require  string          // a tool of Tools that the reply must call; empty = the model is free
	Replay   json.RawMessage // the Spec's: a model that plays records reads it, others pass it over
	Trace    string          // traceparent for the provider; empty = none
}

// Reply is a model's complete answer to a Request.
type Reply struct {
	Model     string `json:"model,omitempty"` // that answered, as provider/name
	Text      string `json:"text,omitempty"`
	Reasoning string `json:"reasoning,omitempty"`
	Calls     []Call `json:"calls,omitempty"`
	Finish    string `json:"finish,omitempty"` // stop, length, tool_calls, content_filter
	Usage     Usage  `json:"usage"`
	// Spans is the order in which the parts were streamed, when it was not
	// reasoning, text, calls in order: it lets a reader resume inside the reply.
	Spans []Span `json:"spans,omitempty"`
	// Carry goes back to the client that wrote it with the history (signatures of
	// thinking, for instance). It names its writer; others pass it over.
	Carry json.RawMessage `json:"carry,omitempty"`
}

// Span is a stretch of one part of a reply: Bytes of reasoning, of text, or of
// the arguments of call number Call.
type Span struct {
	Kind  DeltaKind `json:"k"`
	Call  int       `json:"c,omitempty"`
	Bytes int       `json:"n"`
}

// Usage counts what a model call, or a run, has consumed. Cached and Reasoning
// tokens are included in Input and Output.
type Usage struct {
	Input     int    `json:"input"`
	Output    int    `json:"output"`
	Cached    int    `json:"cached,omitempty"`
	Reasoning int    `json:"reasoning,omitempty"`
	Written   int    `json:"written,omitempty"` // of Input, kept in the provider's cache for later, which may cost more
	Cost      Micros `json:"cost,omitempty"`
	Unpriced  bool   `json:"unpriced,omitempty"` // some of it ran on a model without a known price
	// Estimated says that some of the tokens were counted by this server, and rather
	// too high than too low, because the provider did not say.
	Estimated bool `json:"estimated,omitempty"`
}

// Add returns the sum of u and v.
func (u Usage) Add(v Usage) Usage {
	return Usage{
		Input: u.Input + v.Input, Output: u.Output + v.Output,
		Cached: u.Cached + v.Cached, Reasoning: u.Reasoning + v.Reasoning, Written: u.Written + v.Written,
		Cost: u.Cost + v.Cost, Unpriced: u.Unpriced || v.Unpriced, Estimated: u.Estimated || v.Estimated,
	}
}

// DeltaKind says which part of a reply a delta belongs to.
type DeltaKind string

const (
	TextDelta      DeltaKind = "text"
	ReasoningDelta DeltaKind = "reasoning"
	CallDelta      DeltaKind = "tool_call"
)

// Delta is a piece of a reply while it is being written. Text always ends at a
// character boundary.
type Delta struct {
	Kind DeltaKind
	Text string // of a tool call: a piece of its arguments, may be empty
	Call int    // of a tool call: its position in the reply, from 0
	Name string // of a tool call: set on its first delta
}

// ToolCall is one call of a tool, ready to be made.
type ToolCall struct {
	Run       ID
	Project   string
	Action    string
	Tool      Tool            // the run's snapshot
	Arguments json.RawMessage // a JSON object that satisfies the tool's schema
	Attempt   int             // from 1; above 1 for a repetition
	Server    *Server         // where the tool lives, if its snapshot names one
	Trace     string          // traceparent for whoever answers the call; empty = none
}

// Key is the call's idempotency key: the same for every repetition.
func (c *ToolCall) Key() string { return "run_" + c.Run.String() + "/" + c.Action }

// ToolResult is what a tool gave back.
type ToolResult struct {
	Output string  // text or JSON, bounded by the tool
	Images []Image // beside it, as data: URLs, bounded by the tool
}
