package swarms

import (
	"encoding/json"
	"strconv"

	"errand/internal/problem"
)

// completionIn is the body of POST /v1/agent/completions, and an element of a
// batch. Null means the default everywhere.
type completionIn struct {
	Agent   *agentIn        `json:"agent_config"`
	Task    *string         `json:"task"`
	History json.RawMessage `json:"history"` // a list of messages, or a dictionary whose order counts
	Img     *string         `json:"img"`
	Imgs    []string        `json:"imgs"`
	Tools   []string        `json:"tools_enabled"`
	Stream  *bool           `json:"stream"` // another spelling of agent_config.streaming_on
}

// agentIn is an AgentSpec. What it encodes to is what GET /v1/agents/list shows.
type agentIn struct {
	Name           *string                    `json:"agent_name,omitempty"`
	Description    *string                    `json:"description,omitempty"`
	SystemPrompt   *string                    `json:"system_prompt,omitempty"`
	Model          *string                    `json:"model_name,omitempty"`
	GeneratePrompt *bool                      `json:"auto_generate_prompt,omitempty"`
	MaxTokens      *int                       `json:"max_tokens,omitempty"`
	Temperature    *float64                   `json:"temperature,omitempty"`
	Role           *string                    `json:"role,omitempty"`
	MaxLoops       *loops                     `json:"max_loops,omitempty"`
	SelectedTools  words                      `json:"selected_tools,omitempty"`
	Functions      []json.RawMessage          `json:"tools_list_dictionary,omitempty"`
	Streaming      *bool                      `json:"streaming_on,omitempty"`
	Args           map[string]json.RawMessage `json:"llm_args,omitempty"`
	Vary           *bool                      `json:"dynamic_temperature_enabled,omitempty"`
	MCPURL         *string                    `json:"mcp_url,omitempty"`
	MCPConfig      *connectionIn              `json:"mcp_config,omitempty"`
	MCPConfigs     *connectionsIn             `json:"mcp_configs,omitempty"`
	Summary        *bool                      `json:"tool_call_summary,omitempty"`
	Effort         *string                    `json:"reasoning_effort,omitempty"`
	Thinking       *int                       `json:"thinking_tokens,omitempty"`
	Reasoning      *bool                      `json:"reasoning_enabled,omitempty"`
	Handoffs       []agentIn                  `json:"handoffs,omitempty"`

	// Refused by name when they say something: there is no marketplace here.
	PromptID json.RawMessage `json:"marketplace_prompt_id,omitempty"`
	Publish  json.RawMessage `json:"publish_to_marketplace,omitempty"`

	// Kept as they are, for GET /v1/agents/list; nothing here reads them.
	UseCases     json.RawMessage `json:"use_cases,omitempty"`
	Tags         json.RawMessage `json:"tags,omitempty"`
	Capabilities json.RawMessage `json:"capabilities,omitempty"`
	Category     json.RawMessage `json:"category,omitempty"`
	IsFree       json.RawMessage `json:"is_free,omitempty"`
	Price        json.RawMessage `json:"price_usd,omitempty"`
}

// connectionsIn is agent_config.mcp_configs.
type connectionsIn struct {
	Connections []connectionIn `json:"connections"`
}

// connectionIn is an MCPConnection. The last group is what other versions of the
// API know and a server that takes requests from outside must not do.
type connectionIn struct {
	Type      *string           `json:"type,omitempty"`
	Name      *string           `json:"name,omitempty"`
	URL       *string           `json:"url,omitempty"`
	Settings  json.RawMessage   `json:"tool_configurations,omitempty"`
	Token     *string           `json:"authorization_token,omitempty"`
	Transport *string           `json:"transport,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	Timeout   *float64          `json:"timeout,omitempty"` // in seconds

	APIKey  json.RawMessage `json:"api_key,omitempty"`
	OAuth   json.RawMessage `json:"oauth,omitempty"`
	Command json.RawMessage `json:"command,omitempty"`
	Args    json.RawMessage `json:"args,omitempty"`
	Env     json.RawMessage `json:"env,omitempty"`
}

// loops is max_loops: a number of passes, or "auto".
type loops struct {
	auto  bool
	count int
}

// UnmarshalJSON reads a whole number or "auto".
func (l *loops) UnmarshalJSON(text []byte) error {
	if string(text) == `"auto"` {
		*l = loops{auto: true}
		return nil
	}
	count, err := strconv.Atoi(string(text))
	if err != nil {
		return problem.New(problem.InvalidRequest, `must be a whole number or "auto"`)
	}
	*l = loops{count: count}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (l loops) MarshalJSON() ([]byte, error) {
	if l.auto {
		return []byte(`"auto"`), nil
	}
	return strconv.AppendInt(nil, int64(l.count), 10), nil
}

// words is a list of strings, for which one string may stand.
type words []string

// UnmarshalJSON reads a string or a list of strings.
func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		if *w = nil; one != "" {
			*w = words{one}
		}
		return nil
	}
	var all []string
	if json.Unmarshal(text, &all) != nil {
		return problem.New(problem.InvalidRequest, "must be a string or an array of strings")
	}
	*w = all
	return nil
}

// says reports whether a key that is not read carries a value: one other than
// null, false, "", 0, [] and {}.
func says(text json.RawMessage) bool {
	var compact any
	if len(text) == 0 || json.Unmarshal(text, &compact) != nil {
		return len(text) > 0
	}
	switch value := compact.(type) {
	case nil:
		return false
	case bool:
		return value
	case string:
		return value != ""
	case float64:
		return value != 0
	case []any:
		return len(value) > 0
	case map[string]any:
		return len(value) > 0
	}
	return true
}

// or returns what the pointer points at, or the default for null.
func or[T any](pointer *T, absent T) T {
	if pointer == nil {
		return absent
	}
	return *pointer
}
