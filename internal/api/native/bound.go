package native

import (
	"context"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// A key can be for some agents alone. Such a key starts and sees their runs; of the
// others it learns no more than that there are none. Every route that it may call is
// named here, and no other lets it in.

// bind keeps bound keys to their agents on a route, if they may call it.
func (a *API) bind(route *wire.Route) {
	var may func(context.Context, *wire.Request) error
	switch {
	case route.Path == "/v1/runs" && route.Method == "GET", route.Path == "/v1/agents" && route.Method == "GET",
		route.Path == "/v1/approvals", route.Path == "/v1/approvals/decide", route.Path == "/v1/approvals/decided", route.Path == "/v1/stats", route.Path == "/v1/stream", strings.HasPrefix(route.Path, "/v1/models") && route.Method == "GET":
		route.Bound = true // what they list is picked by the lists themselves
		return
	case strings.HasPrefix(route.Path, "/v1/runs/{id}"):
		may = a.mayRun
	case strings.HasPrefix(route.Path, "/v1/agents/{id}") && (route.Method == "GET" || strings.HasSuffix(route.Path, "/run")):
		may = a.mayAgent
	default:
		return
	}
	route.Bound = true
	if handle := route.Handle; handle != nil {
		route.Handle = func(ctx context.Context, r *wire.Request) (wire.Response, error) {
			if err := guarded(ctx, r, may); err != nil {
				return wire.Response{}, err
			}
			return handle(ctx, r)
		}
	}
	if start := route.Start; start != nil {
		route.Start = func(ctx context.Context, r *wire.Request) (run.ID, error) {
			if err := guarded(ctx, r, may); err != nil {
				return run.ID{}, err
			}
			return start(ctx, r)
		}
	}
}

func guarded(ctx context.Context, r *wire.Request, may func(context.Context, *wire.Request) error) error {
	if r.Caller.Agents == nil {
		return nil
	}
	return may(ctx, r)
}

// mayRun answers for a run of another agent as for one that is not there.
func (a *API) mayRun(ctx context.Context, r *wire.Request) error {
	id, err := r.RunID()
	if err != nil {
		return err
	}
	state, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return err
	}
	if err != nil || !r.Caller.For(agentOf(&state)) {
		return problem.New(problem.NotFound, "There is no run %q among those that this key is for.", r.Path("id"))
	}
	return nil
}

func agentOf(s *run.State) string {
	if s.Spec.Agent == nil {
		return ""
	}
	return s.Spec.Agent.ID
}

// mayAgent is mayRun for an agent.
func (a *API) mayAgent(ctx context.Context, r *wire.Request) error {
	id := r.Path("id")
	switch found, err := a.book.Find(ctx, r.Caller.Project, id); {
	case err == nil:
		id = found.ID
	case !problem.Is(err, problem.NotFound):
		return err
	}
	if !r.Caller.For(id) { // a deleted one's history can be read by its id
		return problem.New(problem.NotFound, "There is no agent %q among those that this key is for.", r.Path("id"))
	}
	return nil
}

// visible lists up to limit items that the key is for: it leafs through all of them,
// from the cursor on. Keys that are for all agents take the first page as it is.
func visible[T any](r *wire.Request, limit int, page func() ([]T, error), agent func(*T) string) ([]T, error) {
	var found []T
	for {
		items, err := page()
		if err != nil {
			return nil, err
		}
		for i := range items {
			if r.Caller.For(agent(&items[i])) {
				found = append(found, items[i])
			}
		}
		if r.Caller.Agents == nil || len(found) >= limit || len(items) < limit {
			return found[:min(len(found), limit)], nil
		}
	}
}

// boundAgents are those of a page of agents that the key is for.
func (a *API) boundAgents(ctx context.Context, r *wire.Request, after string, limit int) ([]agent.Agent, error) {
	page := func() ([]agent.Agent, error) {
		items, err := a.book.List(ctx, r.Caller.Project, after, limit)
		if len(items) > 0 {
			after = items[len(items)-1].ID
		}
		return items, err
	}
	return visible(r, limit, page, func(one *agent.Agent) string { return one.ID })
}
