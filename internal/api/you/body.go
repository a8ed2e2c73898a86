package you

import (
	"errand/internal/api/wire"
	"errand/internal/run"
)

// answerBody is a run's answer: a superset of what the API's document, its three
// generations of SDKs and their schemas expect.
type answerBody struct {
	Agent  string      `json:"agent"`
	Mode   string      `json:"mode"`
	Input  []inputBody `json:"input"`
	Output []itemBody  `json:"output"`
	ID     string      `json:"id"`
	Usage  usageBody   `json:"usage"`
}

type inputBody struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// itemBody is what a search has found, which is in Content, or the answer, which
// is in Text. The other one is null and not left out: newer SDKs demand it.
type itemBody struct {
	Type    string        `json:"type"`
	Text    *string       `json:"text"`
	Content *[]resultBody `json:"content"`
	Agent   string        `json:"agent"`
}

type usageBody struct {
	Input  int      `json:"input_tokens"`
	Output int      `json:"output_tokens"`
	Total  int      `json:"total_tokens"`
	Cost   *float64 `json:"cost_usd"` // null when a price is not known
}

// show is the answer of a run that has ended or waits for a person. A run that
// has failed is an error.
func show(s *run.State, answerType string) (answerBody, error) {
	said := echoOf(s)
	body := answerBody{
		Agent: said.Agent, Mode: said.Mode, Input: []inputBody{{Role: "user", Content: s.Spec.Input.Text}},
		ID: "run_" + s.ID.String(), Usage: showUsage(s.Usage),
	}
	text := wire.Halted(s)
	switch {
	case s.Ended != nil && s.Ended.Status != run.Completed:
		return body, failure(s)
	case s.Ended != nil:
		text = s.Ended.Result.Summary
	case text == "":
		return body, unfinished()
	}
	for i := range s.Turns {
		for _, list := range resultsOf(&s.Turns[i]) {
			body.Output = append(body.Output, itemBody{Type: resultsType, Content: &list, Agent: said.Agent})
		}
	}
	body.Output = append(body.Output, itemBody{Type: answerType, Text: &text, Agent: said.Agent})
	return body, nil
}

func showUsage(u run.Usage) usageBody {
	shown := usageBody{Input: u.Input, Output: u.Output, Total: u.Input + u.Output}
	if !u.Unpriced {
		cost := u.Cost.Dollars()
		shown.Cost = &cost
	}
	return shown
}
