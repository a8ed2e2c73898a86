package chat

import "errand/internal/run"

// Completion is a whole answer. A dialect with top-level fields of its own embeds
// it: typed clients hand on what they do not know.
type Completion struct {
	ID      string   `json:"id"` // chatcmpl-…
	Object  string   `json:"object"`
	Created int64    `json:"created"` // Unix seconds
	Model   string   `json:"model"`
	Choices []Choice `json:"choices"`
	Usage   Usage    `json:"usage"`
}

// Choice is the one answer of a completion.
type Choice struct {
	Index        int       `json:"index"`
	Message      Said      `json:"message"`
	FinishReason string    `json:"finish_reason"`
	Logprobs     *struct{} `json:"logprobs"` // null: nothing here knows them
}

// Said is the assistant's message. Content is null beside calls without a text.
type Said struct {
	Role      string     `json:"role"`
	Content   *string    `json:"content"`
	Refusal   *string    `json:"refusal"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
}

// Usage counts the tokens of an answer.
type Usage struct {
	Prompt     int           `json:"prompt_tokens"`
	Completion int           `json:"completion_tokens"`
	Total      int           `json:"total_tokens"`
	OfPrompt   *PromptDetail `json:"prompt_tokens_details,omitempty"`
	OfReply    *ReplyDetail  `json:"completion_tokens_details,omitempty"`
}

// PromptDetail is the part of the prompt that came from a provider's cache.
type PromptDetail struct {
	Cached int `json:"cached_tokens"`
}

// ReplyDetail is the part of the reply that was thought and not said.
type ReplyDetail struct {
	Reasoning int `json:"reasoning_tokens"`
}

// UsageOf is a run's usage in this format.
func UsageOf(u run.Usage) Usage {
	shown := Usage{Prompt: u.Input, Completion: u.Output, Total: u.Input + u.Output}
	if u.Cached > 0 {
		shown.OfPrompt = &PromptDetail{u.Cached}
	}
	if u.Reasoning > 0 {
		shown.OfReply = &ReplyDetail{u.Reasoning}
	}
	return shown
}

// ID is this format's spelling of a run's id.
func ID(id run.ID) string { return "chatcmpl-" + id.String() }

// Head is what an answer and its chunks say of themselves.
type Head struct {
	ID      string
	Created int64
	Model   string // as the caller named it
}

// Whole is the completion with this text; finish is stop, length, content_filter
// or tool_calls.
func (h Head) Whole(text, finish string, usage run.Usage) Completion {
	return Completion{
		ID: h.ID, Object: "chat.completion", Created: h.Created, Model: h.Model, Usage: UsageOf(usage),
		Choices: []Choice{{Message: Said{Role: "assistant", Content: &text}, FinishReason: finish}},
	}
}

// Chunk is a piece of an answer.
type Chunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []ChunkChoice `json:"choices"`
	Usage   *Usage        `json:"usage,omitempty"` // of the chunk without choices
}

// ChunkChoice is what a chunk adds to the answer.
type ChunkChoice struct {
	Index        int       `json:"index"`
	Delta        Delta     `json:"delta"`
	FinishReason *string   `json:"finish_reason"` // of the last chunk that has a choice
	Logprobs     *struct{} `json:"logprobs"`
}

// Delta is a piece of the assistant's message.
type Delta struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
}

func (h Head) chunk(choices ...ChunkChoice) Chunk {
	if choices == nil {
		choices = []ChunkChoice{}
	}
	return Chunk{ID: h.ID, Object: "chat.completion.chunk", Created: h.Created, Model: h.Model, Choices: choices}
}

// First is the chunk that begins an answer.
func (h Head) First() Chunk {
	empty := ""
	return h.chunk(ChunkChoice{Delta: Delta{Role: "assistant", Content: &empty}})
}

// Piece is a chunk with more of the text.
func (h Head) Piece(text string) Chunk { return h.chunk(ChunkChoice{Delta: Delta{Content: &text}}) }

// Calls is a chunk with calls for the caller to make.
func (h Head) Calls(calls []ToolCall) Chunk {
	return h.chunk(ChunkChoice{Delta: Delta{ToolCalls: calls}})
}

// Last is the chunk that ends an answer.
func (h Head) Last(finish string) Chunk { return h.chunk(ChunkChoice{FinishReason: &finish}) }

// Count is the chunk of the usage, which has no choice.
func (h Head) Count(usage run.Usage) Chunk {
	c, counted := h.chunk(), UsageOf(usage)
	c.Usage = &counted
	return c
}

// Done is the data of the frame that ends a stream.
const Done = "[DONE]"

// Finish is the finish_reason of a reply without calls: that of the model, if it
// was cut off.
func Finish(reply *run.Reply) string {
	if reply.Finish == "length" || reply.Finish == "content_filter" {
		return reply.Finish
	}
	return "stop"
}
