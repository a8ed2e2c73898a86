package anthropic

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// never are the parameters that the API does not have.
const never = remote.NoFrequency | remote.NoPresence | remote.NoSeed

// Lessons of this API alone. The generations of models differ in how their
// thinking is asked for, and say so when they are asked in another way.
const (
	noBudget   = remote.Own << iota // thinking takes no budget: it is adaptive
	noAdaptive                      // thinking is not adaptive: it takes a budget
	noLevel                         // the model has no effort: thinking stands in for it
	smallMax                        // our own max_tokens is more than the model can say
	forgetful                       // the thoughts in this conversation are not taken back: for this call alone
)

// refusal is the provider's error about one parameter of the request.
type refusal struct {
	param   string // its name in run.Params, "output", "tool_choice" or "history"
	message string // the provider's, fit for the public
}

func (r *refusal) Error() string { return "the provider refuses " + r.param }

// judge makes the typed error of an answer whose status is not 200, or the
// refusal of a parameter.
func (c *Client) judge(sent *answered, req *run.Request) error {
	said := remote.ParseFailure(sent.body)
	if sent.status == http.StatusBadRequest {
		if param := refusedParam(said.Message, req); param != "" {
			return &refusal{param: param, message: c.place.Quote(said.Message)}
		}
	}
	return c.place.Judge(sent.status, said, sent.header, req.Model)
}

// refusedParam finds the parameter that an error is about. What is said about the
// conversation is about no parameter, whatever words it uses; but thoughts in it
// that the API does not take back can be left out.
func refusedParam(message string, req *run.Request) string {
	if strings.HasPrefix(message, "messages") {
		for _, words := range []string{"`signature`", "Expected `thinking`", "blocks cannot be modified"} {
			if strings.Contains(message, words) {
				return "history"
			}
		}
	}
	for _, part := range []string{"messages", "tools.", "system"} {
		if strings.HasPrefix(message, part) {
			return ""
		}
	}
	if req.Require != "" && remote.HasWord(message, "tool_choice") { // also where thinking is named with it
		return "tool_choice"
	}
	for _, own := range append(remote.Set(&req.Params), "max_tokens") {
		for _, name := range spellings(own) {
			if remote.HasWord(message, name) {
				return own
			}
		}
	}
	if len(req.Output) > 0 {
		for _, name := range []string{"output_config.format", "output_format", "json_schema", "schema"} {
			if remote.HasWord(message, name) {
				return "output"
			}
		}
	}
	return ""
}

// spellings are the names that the API gives a parameter. Effort may have been
// sent as thinking, and the other way round.
func spellings(own string) []string {
	switch own {
	case "effort", "thinking":
		return []string{"effort", "thinking", "budget_tokens", "adaptive"}
	case "stop":
		return []string{"stop_sequences"}
	}
	return []string{own}
}

// lesson is what the refusal teaches beyond what was known; nothing when the
// caller insists on the parameter.
func (r *refusal) lesson(req *run.Request, known remote.Lessons) remote.Lessons {
	says := func(words string) bool { return strings.Contains(strings.ToLower(r.message), words) }
	switch r.param {
	case "output":
		return known | remote.NoSchema
	case "tool_choice":
		return known | remote.NoRequire
	case "history":
		return known | forgetful
	case "max_tokens":
		if req.Params.MaxTokens == 0 {
			return known | smallMax
		}
	case "effort", "thinking":
		switch {
		case says("should be"): // the form is right, the value is not
		case says("thinking.type.enabled") && !known.Has(noBudget|noAdaptive):
			return known | noBudget
		case says("adaptive") && !known.Has(noBudget|noAdaptive):
			return known | noAdaptive
		case says("effort") && !known.Has(noBudget|noLevel):
			return known | noLevel
		}
	}
	if one := remote.LessonOf(r.param); (known | one).Drops(one, &req.Params) {
		return known | one
	}
	return known
}

// problem names the parameter to the caller who set it.
func (r *refusal) problem(model string) *problem.Error {
	switch r.param {
	case "tool_choice": // it is the server's wish, and was not even sent
		return problem.New(problem.ModelRefused, "%s refused the request. The provider says: %s", model, r.message)
	case "history":
		return problem.New(problem.ModelRefused, "%s refused the conversation. The provider says: %s", model, r.message)
	}
	return remote.Refused(model, r.param, "the provider says: "+r.message)
}

// notJSON reports whether an error of the SDK is about an event's text.
func notJSON(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}
