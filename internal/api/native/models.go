package native

import (
	"context"
	"strings"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
)

// modelBody is a name that a chat completion can give as its model: a model's, or
// that of a saved agent.
type modelBody struct {
	ID       string      `json:"id"`
	Object   string      `json:"object"`
	Created  int64       `json:"created"`  // in Unix seconds; 0 for models, of which it is not known
	OwnedBy  string      `json:"owned_by"` // the provider; of an agent, its project
	Agent    *string     `json:"agent"`    // the agent's id; null for a model
	Resolves *string     `json:"resolves_to"`
	Window   *int        `json:"context_window"`
	Price    *priceBody  `json:"pricing"`
	Health   *healthBody `json:"health"`
}

// tariffBody is in US dollars per million tokens.
type tariffBody struct {
	Input   float64 `json:"input"`
	Cached  float64 `json:"cached_input"`
	Written float64 `json:"cache_write"`
	Output  float64 `json:"output"`
}

type priceBody struct {
	tariffBody
	Above  *aboveBody `json:"above"`
	Source string     `json:"source"`
	AsOf   *string    `json:"as_of"`
}

type aboveBody struct {
	Tokens int `json:"input_tokens"`
	tariffBody
}

func showPrice(p *Price) *priceBody {
	body := &priceBody{tariffBody: tariffBody(p.Tariff), Source: p.Origin, AsOf: optional(p.AsOf)}
	if p.Above > 0 {
		body.Above = &aboveBody{p.Above, tariffBody(p.Long)}
	}
	return body
}

type healthBody struct {
	State     string     `json:"state"`
	LastOK    *time.Time `json:"last_ok_at"`
	LastError *time.Time `json:"last_error_at"`
	Error     *string    `json:"last_error"`
	Latency   *int64     `json:"latency_ms"`
	Active    int        `json:"active_calls"`
	Waiting   int        `json:"waiting_calls"`
}

func showModel(m *Model) modelBody {
	body := modelBody{
		ID: m.ID, Object: "model", OwnedBy: m.Provider, Resolves: optional(m.Resolves), Window: optional(m.Window),
	}
	if p := m.Price; p != nil {
		body.Price = showPrice(p)
	}
	if m.Health != nil {
		body.Health = showHealth(m.Health)
	}
	return body
}

func showHealth(h *Health) *healthBody {
	return &healthBody{
		State: h.State, LastOK: moment(h.LastOK.Truncate(time.Millisecond)), LastError: moment(h.LastFail.Truncate(time.Millisecond)), Error: optional(string(h.Error)),
		Latency: optional(h.Latency.Milliseconds()), Active: h.Active, Waiting: h.Waiting,
	}
}

// agentPrefix stands before an agent's name where a model's could stand, too.
const agentPrefix = "agent:"

func showAgentAsModel(project string, saved *agent.Agent) modelBody {
	id, means := saved.ID, saved.Model
	return modelBody{
		ID: agentPrefix + saved.Name, Object: "model", Created: saved.CreatedAt.Unix(), OwnedBy: project,
		Agent: &id, Resolves: &means,
	}
}

// Agents are read in pages, and the newest of them shown: clients of this list
// know no pages, and show it to people who choose from it.
const (
	agentsPage = 100
	mostAgents = 1000
)

// listModels lists all names at once, the saved agents first: models are few, and
// come from settings. A key that may not read agents sees models alone.
func (a *API) listModels(ctx context.Context, r *wire.Request) (wire.Response, error) {
	all := []modelBody{}
	for after := ""; auth.Allow(r.Caller, "agents:read") == nil && len(all) < mostAgents; {
		saved, err := a.book.List(ctx, r.Caller.Project, after, agentsPage)
		if err != nil {
			return wire.Response{}, err
		}
		for i := range saved {
			if after = saved[i].ID; r.Caller.For(after) {
				all = append(all, showAgentAsModel(r.Caller.Project, &saved[i]))
			}
		}
		if len(saved) < agentsPage {
			break
		}
	}
	for _, model := range a.cfg.Models.Models() {
		all = append(all, showModel(&model))
	}
	same := func(m *modelBody) modelBody { return *m }
	return wire.OK(listOf(all, len(all)+1, same, func(last *modelBody) string { return last.ID })), nil
}

// getModel finds one name as chat completions do: an agent's before a model's.
func (a *API) getModel(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id := r.Path("model")
	name, isAgent := strings.CutPrefix(id, agentPrefix)
	if auth.Allow(r.Caller, "agents:read") == nil {
		saved, err := a.book.Find(ctx, r.Caller.Project, name)
		if err == nil && !r.Caller.For(saved.ID) {
			err = problem.New(problem.NotFound, "The key is for other agents.")
		}
		if err == nil {
			return wire.OK(showAgentAsModel(r.Caller.Project, &saved)), nil
		}
		if !problem.Is(err, problem.NotFound) {
			return wire.Response{}, err
		}
	}
	for _, model := range a.cfg.Models.Models() {
		if model.ID == id && !isAgent {
			return wire.OK(showModel(&model)), nil
		}
	}
	return wire.Response{}, problem.New(problem.NotFound, "There is no model and no agent %q here: GET /v1/models lists them.", id)
}

type testIn struct {
	Model string `json:"model"`
}

type trialBody struct {
	Object  string    `json:"object"`
	Model   string    `json:"model"`
	Answers bool      `json:"ok"`
	Calls   bool      `json:"calls_tools"`
	First   *int64    `json:"first_token_ms"`
	Ms      int64     `json:"ms"`
	Usage   usageBody `json:"usage"`
	Error   *string   `json:"error"`
}

// testModels makes one small, real call, for whoever sets a server up. It is no
// run: nothing is stored.
func (a *API) testModels(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in testIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	trials, err := a.cfg.Models.Try(ctx, in.Model)
	if err != nil {
		return wire.Response{}, err
	}
	show := func(t *Trial) trialBody {
		return trialBody{
			Object: "model.test", Model: t.Model, Answers: t.Answers, Calls: t.Calls, First: optional(t.First.Milliseconds()),
			Ms: t.Took.Milliseconds(), Usage: showUsage(t.Usage), Error: optional(t.Error),
		}
	}
	return wire.OK(listOf(trials, len(trials)+1, show, func(last *Trial) string { return last.Model })), nil
}
