package chat

import (
	"encoding/json"
	"fmt"
	"slices"

	"errand/internal/problem"
	"errand/internal/run"
)

// maxStops is how many stop sequences there may be: as many as the format has.
const maxStops = 4

// Params are the request's wishes about how the model samples, over base, or a
// problem that lists all that are not possible.
func (q *Request) Params(base run.Params) (run.Params, error) {
	faults := map[string]string{}
	p := base
	number := func(name string, into **float64, given *float64, least, most float64) {
		switch {
		case given == nil:
		case *given < least || *given > most:
			faults[name] = fmt.Sprintf("must be a number from %g to %g", least, most)
		default:
			*into = given
			p.Defaults = without(p.Defaults, name)
		}
	}
	number("temperature", &p.Temperature, q.Temperature, 0, 2)
	number("top_p", &p.TopP, q.TopP, 0, 1)
	number("frequency_penalty", &p.Frequency, q.FrequencyPenalty, -2, 2)
	number("presence_penalty", &p.Presence, q.PresencePenalty, -2, 2)
	if q.Seed != nil {
		p.Seed = q.Seed
	}
	if most := q.maxTokens(faults); most > 0 {
		p.MaxTokens, p.Defaults = most, without(p.Defaults, "max_tokens")
	}
	if stops := q.stops(faults); stops != nil {
		p.Stop = stops
	}
	if q.ReasoningEffort != nil && *q.ReasoningEffort != "" {
		p.Effort = *q.ReasoningEffort
		if !slices.Contains([]string{"low", "medium", "high"}, p.Effort) {
			faults["reasoning_effort"] = fmt.Sprintf("must be low, medium or high, not %.20q", p.Effort)
		}
	}
	if err := problem.InvalidFields(faults); err != nil {
		return p, err
	}
	return p, nil
}

// maxTokens is the bound of a reply by either of its names, or 0.
func (q *Request) maxTokens(faults map[string]string) int {
	most := 0
	for _, field := range []struct {
		name  string
		given *int
	}{{"max_tokens", q.MaxTokens}, {"max_completion_tokens", q.MaxCompletionTokens}} {
		switch {
		case field.given == nil:
		case *field.given < 1:
			faults[field.name] = "must be 1 or more"
		case most > 0 && most != *field.given:
			faults[field.name] = fmt.Sprintf("contradicts max_tokens, which is %d: send one of the two", most)
		default:
			most = *field.given
		}
	}
	return most
}

// stops reads what is a string, a list of strings, or null.
func (q *Request) stops(faults map[string]string) []string {
	if !Set(q.Stop) {
		return nil
	}
	var one string
	if json.Unmarshal(q.Stop, &one) == nil {
		return []string{one}
	}
	var several []string
	switch err := json.Unmarshal(q.Stop, &several); {
	case err != nil:
		faults["stop"] = "must be a string or a list of strings"
	case len(several) > maxStops:
		faults["stop"] = fmt.Sprintf("has %d sequences: at most %d", len(several), maxStops)
	case slices.Contains(several, ""):
		faults["stop"] = "must not contain an empty string"
	}
	return several
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(other string) bool { return other == name })
}
