package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// The chat-completions wire format, as far as the floor and the direct calls
// need it.

type wireRequest struct {
	Model         string             `json:"model"`
	Messages      []wireMessage      `json:"messages"`
	Stream        bool               `json:"stream"`
	StreamOptions *wireStreamOptions `json:"stream_options,omitempty"`
	Tools         []wireTool         `json:"tools,omitempty"`
}

type wireStreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type wireMessage struct {
	Role       string     `json:"role"`
	Content    string     `json:"content"`
	ToolCalls  []wireCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

type wireCall struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

type wireTool struct {
	Type     string `json:"type"`
	Function struct {
		Name        string          `json:"name"`
		Description string          `json:"description"`
		Parameters  json.RawMessage `json:"parameters"`
	} `json:"function"`
}

type wireChunk struct {
	Choices []struct {
		Delta struct {
			Content   string     `json:"content"`
			ToolCalls []wireCall `json:"tool_calls"`
		} `json:"delta"`
	} `json:"choices"`
}

// The instructions and the prompt of every run: as long as short ones are.
const (
	instructions = "You help the accounts team. Look invoices up before you answer, name customer and amount, and say so when there is nothing to report."
	prompt       = "Which invoices are unpaid, and who has to be reminded this week?"
)

func wireTools() []wireTool {
	var t wireTool
	t.Type = "function"
	t.Function.Name, t.Function.Description, t.Function.Parameters = toolName, toolWords, json.RawMessage(toolSchema)
	return []wireTool{t}
}

// ask makes a model call and reads the stream; each is told each piece of text,
// and of a call that it has come, as "".
func (f *floor) ask(ctx context.Context, asked wireRequest, each func(string) error) (wireMessage, error) {
	reply := wireMessage{Role: "assistant"}
	body, err := json.Marshal(asked)
	if err != nil {
		return reply, err
	}
	answer, err := f.post(ctx, f.model, body)
	if err != nil {
		return reply, err
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	var text strings.Builder
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return reply, err
		}
		data, found := bytes.CutPrefix(bytes.TrimSpace(line), []byte("data: "))
		switch {
		case !found:
			continue
		case string(data) == "[DONE]":
			_, _ = io.Copy(io.Discard, lines) // so that the connection is used again
			reply.Content = text.String()
			return reply, nil
		}
		var chunk wireChunk
		if err := json.Unmarshal(data, &chunk); err != nil {
			return reply, err
		}
		if len(chunk.Choices) == 0 {
			continue
		}
		delta := chunk.Choices[0].Delta
		text.WriteString(delta.Content)
		reply.ToolCalls = append(reply.ToolCalls, delta.ToolCalls...)
		if err := each(delta.Content); err != nil {
			return reply, err
		}
	}
}

// call calls the tool.
func (f *floor) call(ctx context.Context, arguments string) (string, error) {
	answer, err := f.post(ctx, f.tool, []byte(arguments))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	output, err := io.ReadAll(answer.Body)
	return string(output), err
}

func (f *floor) post(ctx context.Context, url string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := f.client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(answer.Body) // whatever it says, it is no answer
		answer.Body.Close()
		return nil, fmt.Errorf("%s: %s: %s", url, answer.Status, said)
	}
	return answer, nil
}

// direct makes the same calls as a run, from here: what a caller without any
// server between would wait for.
func (f *floor) direct(ctx context.Context, model string, each func(string) error) error {
	messages := []wireMessage{{Role: "system", Content: instructions}, {Role: "user", Content: prompt}}
	for {
		reply, err := f.ask(ctx, wireRequest{Model: model, Messages: messages, Stream: true, Tools: wireTools(),
			StreamOptions: &wireStreamOptions{IncludeUsage: true}}, each)
		if err != nil || len(reply.ToolCalls) == 0 {
			return err
		}
		output, err := f.call(ctx, reply.ToolCalls[0].Function.Arguments)
		if err != nil {
			return err
		}
		messages = append(messages, reply, wireMessage{Role: "tool", Content: output, ToolCallID: reply.ToolCalls[0].ID})
	}
}
