package chat

import (
	"encoding/json"
	"slices"
	"strings"

	"errand/internal/problem"
)

// Request is the body of a completion as clients write it. A dialect that has
// fields of its own embeds it. Fields that are json.RawMessage are looked at by
// whoever honours or refuses them; see Set.
type Request struct {
	Messages      []Message                  `json:"messages"`
	Model         *string                    `json:"model"`
	Stream        *bool                      `json:"stream"`
	StreamOptions *StreamOptions             `json:"stream_options"`
	Metadata      map[string]json.RawMessage `json:"metadata"`
	User          *string                    `json:"user"`

	N                   *int            `json:"n"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Stop                json.RawMessage `json:"stop"` // a string or a list of them
	Seed                *int64          `json:"seed"`
	FrequencyPenalty    *float64        `json:"frequency_penalty"`
	PresencePenalty     *float64        `json:"presence_penalty"`
	ReasoningEffort     *string         `json:"reasoning_effort"`

	Tools          json.RawMessage `json:"tools"`
	ToolChoice     json.RawMessage `json:"tool_choice"`
	ParallelCalls  *bool           `json:"parallel_tool_calls"`
	Functions      json.RawMessage `json:"functions"`
	FunctionCall   json.RawMessage `json:"function_call"`
	ResponseFormat json.RawMessage `json:"response_format"`

	Logprobs         json.RawMessage `json:"logprobs"`
	TopLogprobs      json.RawMessage `json:"top_logprobs"`
	LogitBias        json.RawMessage `json:"logit_bias"`
	Modalities       json.RawMessage `json:"modalities"`
	Audio            json.RawMessage `json:"audio"`
	WebSearchOptions json.RawMessage `json:"web_search_options"`
}

// StreamOptions are what a stream has beside the answer.
type StreamOptions struct {
	IncludeUsage *bool `json:"include_usage"`
}

// Streams reports whether the answer is wanted as it comes about.
func (q *Request) Streams() bool { return q.Stream != nil && *q.Stream }

// CountsUsage reports whether a stream ends with a chunk of the usage.
func (q *Request) CountsUsage() bool {
	return q.StreamOptions != nil && q.StreamOptions.IncludeUsage != nil && *q.StreamOptions.IncludeUsage
}

// Labels are the request's metadata as texts: what is no string is as JSON has it.
func (q *Request) Labels() map[string]string {
	if len(q.Metadata) == 0 {
		return nil
	}
	labels := make(map[string]string, len(q.Metadata))
	for name, value := range q.Metadata {
		var text string
		if json.Unmarshal(value, &text) != nil {
			text = string(value)
		}
		labels[name] = text
	}
	return labels
}

// Refused is the problem of the first parameter that no dialect here honours, or
// nil. What is there with the value that it has by default is fine.
func (q *Request) Refused() error {
	switch {
	case q.N != nil && *q.N > 1:
		return Refuse("n", "only one answer is possible: leave it out, or send the request more than once")
	case q.N != nil && *q.N < 1:
		return problem.Invalid("n", "must be 1")
	case Set(q.Logprobs):
		return Refuse("logprobs", "probabilities of tokens are not available: leave it out")
	case Set(q.TopLogprobs):
		return Refuse("top_logprobs", "probabilities of tokens are not available: leave it out")
	case Set(q.LogitBias):
		return Refuse("logit_bias", "is not available: leave it out, and say in a message what to avoid")
	case Set(q.Audio), !textOnly(q.Modalities):
		return Refuse("modalities", "answers are text: leave modalities and audio out")
	case Set(q.WebSearchOptions):
		return Refuse("web_search_options", "is not available here: give the agent the tool web.search")
	}
	return nil
}

// RefusedTools is the problem of a dialect whose callers bring no tools, or nil.
func (q *Request) RefusedTools() error {
	const mend = "tools of the caller are not possible here: leave them out; what it answers with comes from its own tools"
	switch {
	case Set(q.Tools):
		return Refuse("tools", mend)
	case Set(q.Functions):
		return Refuse("functions", mend)
	case Set(q.ToolChoice) && !isWord(q.ToolChoice, "none", "auto"):
		return Refuse("tool_choice", mend)
	case Set(q.FunctionCall) && !isWord(q.FunctionCall, "none", "auto"):
		return Refuse("function_call", mend)
	}
	return nil
}

// Set reports whether a field says anything: null, false, 0 and what is empty do
// not.
func Set(value json.RawMessage) bool {
	text := strings.TrimSpace(string(value))
	if text == "" {
		return false
	}
	if text[0] == '[' || text[0] == '{' {
		return strings.TrimSpace(text[1:len(text)-1]) != ""
	}
	return !slices.Contains([]string{"null", "false", "0", `""`}, text)
}

func isWord(value json.RawMessage, words ...string) bool {
	var word string
	return json.Unmarshal(value, &word) == nil && slices.Contains(words, word)
}

func textOnly(modalities json.RawMessage) bool {
	var named []string
	return !Set(modalities) || json.Unmarshal(modalities, &named) == nil && !slices.ContainsFunc(named, func(m string) bool { return m != "text" })
}
