package you

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
)

// The bounds of workflow_config.max_workflow_steps, and what stands where it does
// not: the TypeScript SDK's default.
const (
	mostSteps    = 20
	defaultSteps = 10
)

// bodyIn is the body of POST /v1/agents/runs.
type bodyIn struct {
	Agent     *string         `json:"agent"`
	Input     *string         `json:"input"`
	Stream    lax             `json:"stream"`
	Tools     json.RawMessage `json:"tools"`
	Verbosity *string         `json:"verbosity"`
	Workflow  *workflowIn     `json:"workflow_config"`
}

type workflowIn struct {
	MaxSteps *int `json:"max_workflow_steps"`
}

// toolIn is an element of tools: a type, and what that type may say.
type toolIn struct {
	Type            *string `json:"type"`
	Trigger         *string `json:"trigger"`          // of web_search
	SearchEffort    *string `json:"search_effort"`    // of research
	ReportVerbosity *string `json:"report_verbosity"` // of research
}

// The types of tools.
const (
	webSearch = "web_search"
	computing = "compute"
	research  = "research"
)

// lax is a boolean as lenient as the original's: the document itself prints it in
// quotation marks.
type lax bool

// UnmarshalJSON takes true, "true", "True", 1, "1", "on", "yes" and their opposites.
func (l *lax) UnmarshalJSON(text []byte) error {
	switch strings.ToLower(strings.Trim(string(text), `"`)) {
	case "true", "1", "on", "yes", "y", "t":
		*l = true
	case "false", "0", "off", "no", "n", "f", "null":
		*l = false
	default:
		return problem.New(problem.InvalidRequest, "must be true or false.")
	}
	return nil
}

// order is a request that has been understood.
type order struct {
	agent     string // as the caller named it
	mode      string
	input     string
	stream    bool
	search    string        // express: auto, intent or force
	compute   bool          // advanced
	research  *researchPlan // advanced; nil = none
	verbosity string        // advanced; empty = as it comes
	steps     int           // advanced
}

// researchPlan is how far research goes.
type researchPlan struct {
	effort    string // auto, low, medium, high
	verbosity string // low, medium, high: of the report
}

// When express searches.
const (
	searchAuto   = "auto"   // as the model thinks best
	searchIntent = "intent" // unless there is plainly nothing to look up
	searchForce  = "force"  // always
)

// wants reports whether the caller has asked express to search.
func (o *order) wants() bool { return o.mode == express && o.search != searchAuto }

// read understands the body, or names everything that is wrong with it.
func (a *API) read(r *wire.Request) (order, error) {
	var in bodyIn
	if err := r.Decode(&in); err != nil {
		return order{}, err
	}
	return in.order(a.cfg.MaxInput, a.ceiling())
}

// ceiling is the most steps that an operator who has set a lower one allows.
func (a *API) ceiling() int {
	if most := a.cfg.Catalog.Ceiling(); most < agent.CeilingSteps {
		return most
	}
	return mostSteps
}

// order understands the body.
func (in *bodyIn) order(maxInput, maxSteps int) (order, error) {
	faults := agent.Faults{}
	o := order{agent: express, stream: bool(in.Stream), search: searchAuto, steps: min(defaultSteps, maxSteps)}
	if in.Agent != nil {
		if o.agent = *in.Agent; strings.TrimSpace(o.agent) == "" {
			faults.Add("agent", "must not be empty: write express, advanced, or the id or name of a saved agent.")
		}
	}
	switch o.mode = o.agent; o.agent {
	case express, advanced:
	default:
		o.mode = custom
	}
	switch {
	case in.Input == nil:
		faults.Add("input", "is required: write the question or the task.")
	case strings.TrimSpace(*in.Input) == "":
		faults.Add("input", "must not be empty: write the question or the task.")
	case utf8.RuneCountInString(*in.Input) > maxInput:
		faults.Add("input", fmt.Sprintf("is too long: at most %d characters.", maxInput))
	default:
		o.input = *in.Input
	}
	in.checkAdvanced(&o, maxSteps, faults)
	denied := o.readTools(in.Tools, faults)
	if err := faults.Problem(); err != nil {
		return o, err
	}
	return o, denied
}

// checkAdvanced reads what only the advanced agent takes. For another one it is
// refused, unless it says what holds anyway.
func (in *bodyIn) checkAdvanced(o *order, maxSteps int, faults agent.Faults) {
	if v := in.Verbosity; v != nil && *v != "" {
		switch {
		case o.mode != advanced:
			faults.Add("verbosity", "is for the agent advanced: leave it out, or use that agent.")
		case !slices.Contains(levels(), *v):
			faults.Add("verbosity", "must be one of low, medium, high.")
		}
		o.verbosity = *v
	}
	if in.Workflow == nil || in.Workflow.MaxSteps == nil {
		return
	}
	switch steps := *in.Workflow.MaxSteps; {
	case o.mode != advanced && steps != defaultSteps:
		faults.Add("workflow_config.max_workflow_steps", "is for the agent advanced: leave it out, or use that agent.")
	case steps < 1 || steps > maxSteps && steps != defaultSteps: // which SDKs send by themselves
		faults.Add("workflow_config.max_workflow_steps", fmt.Sprintf("must be a whole number from 1 to %d.", maxSteps))
	default:
		o.steps = min(steps, maxSteps)
	}
}

func levels() []string { return []string{"low", "medium", "high"} }

// readTools reads the tools. The error is about one that is known and not
// permitted, which is another status than what is wrong with the body.
func (o *order) readTools(text json.RawMessage, faults agent.Faults) error {
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	var elements []json.RawMessage
	if json.Unmarshal(text, &elements) != nil || slices.ContainsFunc(elements, isNoObject) {
		faults.Add("tools", "must be an array of objects.")
		return nil
	}
	var denied error
	seen := map[string]bool{}
	for i, element := range elements {
		field := fmt.Sprintf("tools[%d]", i)
		var in toolIn
		if err := wire.Decode(element, &in, false); err != nil {
			for inner, message := range problem.From(err).Fields {
				faults.Add(field+"."+inner, message)
			}
			continue
		}
		switch {
		case in.Type == nil || *in.Type == "":
			faults.Add(field+".type", "is required: write "+anyOf(webSearch, computing, research)+".")
		case !slices.Contains([]string{webSearch, computing, research}, *in.Type):
			faults.Add(field+".type", fmt.Sprintf("must be %s, not %q.", anyOf(webSearch, computing, research), *in.Type))
		case seen[*in.Type]:
			faults.Add(field+".type", fmt.Sprintf("is %q a second time: keep one of them.", *in.Type))
		case !o.permits(*in.Type):
			denied = problem.New(toolNotAllowed, "%s%s: %s", notAllowed, field, o.permitted())
		default:
			seen[*in.Type] = true
			o.take(&in, field, faults)
		}
	}
	return denied
}

func isNoObject(text json.RawMessage) bool { return len(text) == 0 || text[0] != '{' }

// permits reports whether the agent may have a tool of this type at all.
func (o *order) permits(kind string) bool {
	return o.mode == express && kind == webSearch || o.mode == advanced && kind != webSearch
}

func (o *order) permitted() string {
	switch o.mode {
	case express:
		return "the agent express has web_search alone."
	case advanced:
		return "the agent advanced has compute and research; research searches the web."
	}
	return "the tools of a saved agent are those that it was saved with."
}

// take adds a tool that is permitted.
func (o *order) take(in *toolIn, field string, faults agent.Faults) {
	choose := func(name string, given *string, standard string, others ...string) string {
		if given == nil || *given == "" {
			return standard
		}
		if all := append([]string{standard}, others...); !slices.Contains(all, *given) {
			faults.Add(field+"."+name, "must be "+anyOf(all...)+".")
		}
		return *given
	}
	switch *in.Type {
	case webSearch:
		o.search = choose("trigger", in.Trigger, searchIntent, searchForce)
	case computing:
		o.compute = true
	case research:
		o.research = &researchPlan{
			effort:    choose("search_effort", in.SearchEffort, "auto", levels()...),
			verbosity: choose("report_verbosity", in.ReportVerbosity, "medium", "low", "high"),
		}
	}
}

func anyOf(words ...string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
