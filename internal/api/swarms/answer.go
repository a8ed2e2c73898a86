package swarms

import (
	"strconv"
	"strings"
	"time"

	"errand/internal/run"
)

// completionBody is a completion (AgentCompletionOutput). Every key is always
// there, because typed clients expect them.
type completionBody struct {
	JobID       string    `json:"job_id"`
	Success     bool      `json:"success"`
	Name        *string   `json:"name"`
	Description *string   `json:"description"`
	Temperature float64   `json:"temperature"`
	Outputs     []output  `json:"outputs"`
	Usage       usageBody `json:"usage"`
	Timestamp   string    `json:"timestamp"`
}

// usageBody is what a completion has used. Costs are US dollars; 0.0 where the
// price of a model is not known.
type usageBody struct {
	Input   int     `json:"input_tokens"`
	Output  int     `json:"output_tokens"`
	Total   int     `json:"total_tokens"`
	Images  dollars `json:"img_cost"`
	Dollars dollars `json:"total_cost"`
}

// dollars is written with a decimal point, as a float, even when it is whole:
// typed clients tell the two apart.
type dollars float64

// MarshalJSON writes the number.
func (d dollars) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return []byte(text), nil
}

// showCompletion is the answer of a run that ended with one, or waits for someone.
func showCompletion(s *run.State) completionBody {
	e := echoOf(s)
	return completionBody{
		JobID: jobID(s.ID), Success: true, Name: e.Name, Description: e.Description, Temperature: e.Temperature,
		Outputs: outputs(s, &e), Usage: showUsage(s, &e), Timestamp: stamp(s.CreatedAt),
	}
}

func showUsage(s *run.State, e *echo) usageBody {
	used := s.Usage.Add(s.Handed) // of the agents that it has handed work to
	if e.Draft != nil {
		used = used.Add(e.Draft.Usage)
	}
	// Images are billed as input tokens by every provider, so they cost nothing beside.
	return usageBody{Input: used.Input, Output: used.Output, Total: used.Input + used.Output, Dollars: dollars(used.Cost.Dollars())}
}

// stamp writes a time as Python's isoformat does: microseconds and an offset.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000-07:00") }
