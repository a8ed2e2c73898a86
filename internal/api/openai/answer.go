package openai

import (
	"bytes"
	"encoding/json"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/run"
)

// completionBody is a whole answer. The fields of this server's own stand at the
// top: typed clients hand them on as they are.
type completionBody struct {
	chat.Completion
	Run    string     `json:"run_id"`
	Status run.Status `json:"status"`
}

// lastBody is the chunk that ends an answer, with the same fields.
type lastBody struct {
	chat.Chunk
	Run    string     `json:"run_id"`
	Status run.Status `json:"status"`
}

func headOf(s *run.State) chat.Head {
	return chat.Head{ID: chat.ID(s.ID), Created: s.CreatedAt.Unix(), Model: echoOf(s).Model}
}

// show is the answer of a run that has ended or waits for someone. A run that has
// failed is an error.
func show(s *run.State) (completionBody, error) {
	said, err := sayingOf(s)
	if err != nil {
		return completionBody{}, err
	}
	body := completionBody{Completion: headOf(s).Whole(said.text, said.finish, s.Usage.Add(s.Handed)), Run: runName(s.ID), Status: s.Status}
	message := &body.Choices[0].Message
	if message.ToolCalls = said.calls; said.text == "" && len(said.calls) > 0 {
		message.Content = nil
	}
	return body, nil
}

// saying is what a run has to say to its caller.
type saying struct {
	text   string
	model  bool // the text is the model's last reply as it came
	calls  []chat.ToolCall
	finish string
}

// sayingOf is what a run has said in the end, or says while it waits; an error says
// why there is nothing.
func sayingOf(s *run.State) (saying, error) {
	switch {
	case s.Ended == nil:
		if halted := wire.Halted(s); halted != "" {
			return saying{text: halted, finish: "stop"}, nil
		}
		return saying{}, unfinished()
	case s.Ended.Status != run.Completed:
		return saying{}, failure(s)
	}
	end, last := s.Ended, s.Last()
	said := saying{text: end.Result.Summary, finish: "stop"}
	switch {
	case end.Reason != run.Answered || last == nil:
	case len(end.Result.Output) > 0: // without the fences and phrases that models put around it
		said.text = compact(end.Result.Output)
	default:
		said.model = said.text == last.Reply.Text
		if said.calls = handed(last, echoOf(s).OneCall); len(said.calls) > 0 {
			said.finish = "tool_calls"
		} else {
			said.finish = chat.Finish(&last.Reply)
		}
	}
	return said, nil
}

// compact is JSON without space between its tokens, as the log has it: whoever reads
// a value before it is stored and whoever reads it later get the same bytes.
func compact(value json.RawMessage) string {
	var out bytes.Buffer
	if json.Compact(&out, value) != nil {
		return string(value)
	}
	return out.String()
}

// handed are the calls of a turn that are the caller's to make.
func handed(turn *run.Turn, oneCall bool) []chat.ToolCall {
	var calls []chat.ToolCall
	for i := range turn.Actions {
		a := &turn.Actions[i]
		if !a.Tool.Function || a.Refused != "" || oneCall && len(calls) > 0 {
			continue
		}
		calls = append(calls, chat.ToolCall{
			ID: a.CallID, Type: "function", Function: chat.FunctionCall{Name: a.Tool.Name, Arguments: a.Arguments},
		})
	}
	return calls
}
