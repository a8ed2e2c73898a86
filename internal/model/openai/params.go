package openai

import (
	"slices"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// Lessons of this wire format alone.
const (
	otherMax        = remote.Own << iota // max_tokens goes by its other spelling
	noStreamOptions                      // usage in a stream can't be asked for
)

// neverOf are the parameters that a provider's documents do not have. Most of
// these providers pass over what they do not know, so that the caller would not
// learn of it.
func neverOf(kind string, official bool) remote.Lessons {
	switch kind {
	case Google:
		return remote.NoTopK
	case DeepSeek:
		return remote.NoThinking | remote.NoTopK | remote.NoSeed
	case Ollama: // which lists tool_choice among what it does not take
		return remote.NoThinking | remote.NoTopK | remote.NoRequire
	case Groq, Mistral:
		return remote.NoThinking | remote.NoTopK
	}
	if official {
		return remote.NoThinking | remote.NoTopK
	}
	return remote.NoThinking // a server of one's own, or Together: top_k is common
}

// toolChoice is the parameter that requires a tool. Models that think first often
// refuse it: "does not support this tool_choice" (DeepSeek), "does not support
// being set to required or object in thinking mode" (Qwen).
const toolChoice = "tool_choice"

// toolUseFailed is Groq's word for a model that could not be held to the tool.
const toolUseFailed = "tool_use_failed"

// spellings are the names of a parameter on the wire where they differ from those
// in run.Params, and names that errors give it.
func spellings(own string) []string {
	switch own {
	case "max_tokens":
		return []string{"max_tokens", "max_completion_tokens"}
	case "effort":
		return []string{"reasoning_effort", "reasoning.effort", "effort"}
	case "thinking":
		return []string{"thinking_budget", "thinking_config", "extra_body", "thinking"}
	case "seed":
		return []string{"random_seed", "seed"}
	}
	return []string{own}
}

// ownName is the name in run.Params of a parameter on the wire, or the name
// itself.
func ownName(wire string) string {
	for _, own := range []string{"max_tokens", "effort", "thinking", "seed"} {
		if slices.Contains(spellings(own), wire) {
			return own
		}
	}
	return wire
}

// lessonOf is the lesson about a name on the wire; 0 for one that is not ours.
func lessonOf(wire string) remote.Lessons {
	switch wire {
	case "stream_options", "include_usage":
		return noStreamOptions
	case "response_format", "json_schema":
		return remote.NoSchema
	case toolChoice:
		return remote.NoRequire
	}
	return remote.LessonOf(ownName(wire))
}

// sent are the wire names of the parameters that a request may have had and a
// provider may refuse.
func sent(req *run.Request) []string {
	names := []string{"stream_options"}
	for _, own := range remote.Set(&req.Params) {
		names = append(names, spellings(own)...)
	}
	if len(req.Output) > 0 {
		names = append(names, "response_format")
	}
	if req.Require != "" {
		names = append(names, toolChoice)
	}
	return names
}

// refusal is a provider's error about one parameter of the request.
type refusal struct {
	param   string // its name on the wire
	message string // the provider's, fit for the public
}

func (r *refusal) Error() string { return "the provider refuses " + r.param }

// refusedParam finds the parameter that an error is about: by the field that
// names it, else by its message, which OpenAI's and its imitators' spell alike.
func refusedParam(said remote.Said, req *run.Request) string {
	names := sent(req)
	if slices.Contains(names, said.Param) {
		return said.Param
	}
	if said.Param != "" && lessonOf(said.Param) == 0 || said.Code == "context_length_exceeded" {
		return ""
	}
	if req.Require != "" && said.Code == toolUseFailed {
		return toolChoice
	}
	for _, name := range names {
		if remote.HasWord(said.Message, name) {
			return name
		}
	}
	return ""
}

// lesson is what the refusal teaches beyond what was known; nothing when the
// caller insists on the parameter.
func (r *refusal) lesson(req *run.Request, known remote.Lessons) remote.Lessons {
	one := lessonOf(r.param)
	other := "max_completion_tokens"
	if r.param == other {
		other = "max_tokens"
	}
	switch {
	case one == remote.NoMaxTokens && !known.Has(otherMax) && remote.HasWord(r.message, other):
		return known | otherMax
	case one == noStreamOptions, one == remote.NoSchema, one == remote.NoRequire, (known | one).Drops(one, &req.Params):
		return known | one
	}
	return known
}

// problem names the parameter to the caller who set it.
func (r *refusal) problem(model string) *problem.Error {
	if r.param == toolChoice { // it is the server's wish, and was not even sent
		return problem.New(problem.ModelRefused, "%s refused the request. The provider says: %s", model, r.message)
	}
	return remote.Refused(model, ownName(r.param), "the provider says: "+r.message)
}
