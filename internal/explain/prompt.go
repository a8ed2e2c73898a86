package explain

import (
	"errand/internal/problem"
	"errand/internal/run"
)

// Prompt returns what the model was sent in one step: the request of the attempt that
// brought the reply, or of the latest one if there is none yet. A request is a function
// of the log up to the moment in which it was made, so nothing has to be kept for it.
//
// The moment is found as follows: a request is made when the core first names the
// call, so all that can have come between it and its reply are messages, of which the
// reply says how many it has seen, pauses, and words on what does not touch this step.
func Prompt(id run.ID, events []run.Event, step int) (*run.Request, *run.Trimmed, error) {
	end, seen, attempt := len(events), -1, 0
	for i := range events {
		if r := events[i].Responded; r != nil && r.Step == step {
			end, seen, attempt = i, r.Seen, r.Attempt
			break
		}
	}
	state := run.State{ID: id}
	var request *run.Request
	var trimmed *run.Trimmed
	for i := range end {
		state.Take(&events[i])
		named := asked(&state, step)
		if named == nil || seen >= 0 && (len(state.Messages) > seen || named.Attempt > attempt) {
			continue
		}
		request, trimmed = compose(&state, named)
	}
	if request == nil {
		return nil, nil, problem.New(problem.NotFound, "The model has not been asked for step %d of this run.", step)
	}
	return request, trimmed, nil
}

// asked is the model call of a step, if the core names it now.
func asked(s *run.State, step int) *run.Effect {
	for _, e := range run.Decide(s).Effects {
		if e.Kind == run.CallModel && e.Step == step {
			return &e
		}
	}
	return nil
}

// compose makes the request as the engine's driver does.
func compose(s *run.State, call *run.Effect) (*run.Request, *run.Trimmed) {
	messages, trimmed := run.History(s)
	return &run.Request{
		Run: s.ID, Project: s.Spec.Project, Step: call.Step, Attempt: call.Attempt, Model: s.Spec.Model,
		Messages: messages, Tools: s.Offered(), Output: s.Spec.Output, Params: s.Sampling(), Require: s.Required(), Replay: s.Spec.Replay,
	}, trimmed
}
