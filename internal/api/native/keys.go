package native

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

type keyIn struct {
	Name      *string  `json:"name"`
	Scopes    []string `json:"scopes"`
	Project   *string  `json:"project"`
	ExpiresAt *string  `json:"expires_at"`
	Agents    []string `json:"agents"`
	Robots    []string `json:"robots"`
	PerMinute *int     `json:"requests_per_minute"`
	AtOnce    *int     `json:"runs_at_once"`
}

// keyBody is a key as this API shows it. The secret is there once, in the answer
// that makes the key.
type keyBody struct {
	ID        string     `json:"id"`
	Object    string     `json:"object"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"`
	Secret    string     `json:"secret,omitzero"`
	Scopes    []string   `json:"scopes"`
	Project   string     `json:"project"`
	Agents    *[]string  `json:"agents"` // null = all, as far as robots is null, too
	Robots    *[]string  `json:"robots"` // likewise
	Voice     string     `json:"voice"`  // id of the key whose voice it has
	PerMinute *int       `json:"requests_per_minute"`
	AtOnce    *int       `json:"runs_at_once"`
	ExpiresAt *time.Time `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used_at"`
}

func (a *API) showKey(k *auth.Key) keyBody {
	agents, robots := a.boundTo(k.Agents)
	return keyBody{
		ID: k.ID, Object: "key", Name: k.Name, Prefix: k.Prefix, Scopes: listed(k.Scopes), Project: k.Project,
		Agents: agents, Robots: robots, Voice: k.Voice, PerMinute: optional(k.Limits.PerMinute), AtOnce: optional(k.Limits.AtOnce), LastUsed: moment(k.Used),
		ExpiresAt: moment(k.Expires), RevokedAt: moment(k.Revoked), CreatedAt: k.Created.UTC(),
	}
}

// moment is null for a time that has not come.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *API) createKey(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in keyIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	draft := auth.Draft{Name: value(in.Name), Scopes: in.Scopes, Project: value(in.Project)}
	if in.Project != nil && *in.Project == "" {
		return wire.Response{}, problem.Invalid("project", "must not be empty: leave it out for your own project.")
	}
	if in.ExpiresAt != nil {
		var err error
		if draft.Expires, err = time.Parse(time.RFC3339, *in.ExpiresAt); err != nil {
			return wire.Response{}, problem.Invalid("expires_at", "must be a time such as 2027-01-31T00:00:00Z.")
		}
	}
	if err := a.narrow(ctx, r.Caller.Project, &in, &draft); err != nil {
		return wire.Response{}, err
	}
	var err error
	if draft.Known, err = a.toolScopes(ctx, cmp.Or(draft.Project, r.Caller.Project)); err != nil {
		return wire.Response{}, err
	}
	var answer wire.Response
	_, err = a.cfg.Keys.Create(ctx, r.Caller, draft, func(made auth.Issued) ([]run.RowWrite, error) {
		body := a.showKey(&made.Key)
		body.Secret = made.Secret
		answer = wire.OK(body)
		return r.Remember(answer)
	})
	return answer, err
}

// narrow reads what a key is for and how much it may do.
func (a *API) narrow(ctx context.Context, own string, in *keyIn, draft *auth.Draft) error {
	faults := map[string]string{}
	limit := func(field string, given *int) int {
		switch {
		case given == nil:
			return 0
		case *given < 1:
			faults[field] = "must be 1 or more: leave it out for no limit of its own"
		}
		return *given
	}
	draft.Limits = auth.Limits{PerMinute: limit("requests_per_minute", in.PerMinute), AtOnce: limit("runs_at_once", in.AtOnce)}
	if in.Agents != nil && (len(in.Agents) == 0 || len(in.Agents) > maxKeyAgents) {
		faults["agents"] = fmt.Sprintf("must name 1 to %d agents: leave it out for a key that is for all of them", maxKeyAgents)
	}
	for i := range in.Agents[:min(len(in.Agents), maxKeyAgents)] {
		found, err := a.book.Find(ctx, cmp.Or(draft.Project, own), in.Agents[i])
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
		if err != nil {
			faults[fmt.Sprintf("agents[%d]", i)] = fmt.Sprintf("there is no agent %.100q in the key's project: GET /v1/agents lists them", in.Agents[i])
			continue
		}
		if !slices.Contains(draft.Agents, found.ID) {
			draft.Agents = append(draft.Agents, found.ID)
		}
	}
	if err := a.narrowRobots(ctx, in.Robots, draft, cmp.Or(draft.Project, own), faults); err != nil {
		return err
	}
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return invalid
	}
	return nil
}

// narrowRobots reads which robots a key is for: the agents as which they run.
func (a *API) narrowRobots(ctx context.Context, names []string, draft *auth.Draft, project string, faults map[string]string) error {
	if names != nil && (len(names) == 0 || len(names) > maxKeyAgents) {
		faults["robots"] = fmt.Sprintf("must name 1 to %d robots: leave it out, and agents too, for a key that is for all of them", maxKeyAgents)
	}
	for i := range names[:min(len(names), maxKeyAgents)] {
		err := error(problem.New(problem.NotFound, "This server has no robots."))
		var agents []string
		if a.cfg.Robots != nil {
			agents, err = a.cfg.Robots.Agents(ctx, project, names[i])
		}
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
		if err != nil {
			faults[fmt.Sprintf("robots[%d]", i)] = fmt.Sprintf("there is no robot %.100q in the key's project: GET /v1/agent/robots lists them", names[i])
			continue
		}
		for _, agent := range agents {
			if !slices.Contains(draft.Agents, agent) {
				draft.Agents = append(draft.Agents, agent)
			}
		}
	}
	return nil
}

// boundTo tells the agents that a key is for from the robots; both are null for a key
// that is for all.
func (a *API) boundTo(ids []string) (agents, robots *[]string) {
	if ids == nil {
		return nil, nil
	}
	saved, members := []string{}, []string{}
	for _, id := range ids {
		member, is := "", false
		if a.cfg.Robots != nil {
			member, is = a.cfg.Robots.Member(id)
		}
		switch {
		case !is:
			saved = append(saved, id)
		case !slices.Contains(members, member):
			members = append(members, member)
		}
	}
	return &saved, &members
}

// maxKeyAgents bounds what is looked through for each request of a key.
const maxKeyAgents = 100

// rotateIn is the body of POST /v1/keys/{id}/rotate, which may be empty.
type rotateIn struct {
	Overlap int `json:"overlap_s"`
}

// rotateKey gives a key of the caller's project another secret; the one before goes on
// working for as long as the body says.
func (a *API) rotateKey(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in rotateIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	if most := int(auth.MaxOverlap / time.Second); in.Overlap < 0 || in.Overlap > most {
		return wire.Response{}, problem.Invalid("overlap_s", "must be from 0 to %d: the seconds for which the secret that the key has now goes on working.", most)
	}
	var answer wire.Response
	_, err := a.cfg.Keys.Rotate(ctx, r.Caller, r.Path("id"), time.Duration(in.Overlap)*time.Second, func(made auth.Issued) ([]run.RowWrite, error) {
		body := a.showKey(&made.Key)
		body.Secret = made.Secret
		answer = wire.OK(body)
		return r.Remember(answer)
	})
	return answer, err
}

// toolScopes are the scopes that the tools of a project ask for: a key can be
// granted them beside the closed list.
func (a *API) toolScopes(ctx context.Context, project string) ([]string, error) {
	tools, err := a.cfg.Tools.List(ctx, project)
	if err != nil {
		return nil, err
	}
	var scopes []string
	for i := range tools {
		if tools[i].Scope != "" {
			scopes = append(scopes, tools[i].Scope)
		}
	}
	return scopes, nil
}

// listKeys lists the keys of the caller's project, revoked ones included.
func (a *API) listKeys(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	after, limit := query.String("starting_after"), query.Int("limit", defaultPage, 1, maxPage)
	project := query.String("project")
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	project, err := keysOf(r, project)
	if err != nil {
		return wire.Response{}, err
	}
	all, err := a.cfg.Keys.List(ctx, project)
	if err != nil {
		return wire.Response{}, err
	}
	found := all
	if after != "" {
		at := slices.IndexFunc(all, func(k auth.Key) bool { return k.ID == after })
		if at < 0 {
			return wire.Response{}, problem.Invalid("starting_after", "must be the id of a key of this project, such as next_cursor of the page before.")
		}
		found = all[at+1:]
	}
	return wire.OK(listOf(found, limit, a.showKey, func(last *auth.Key) string { return last.ID })), nil
}

// keysOf returns the project whose keys a request is about. Whoever may make
// keys in every project may also see and revoke them there.
func keysOf(r *wire.Request, project string) (string, error) {
	if project == "" || project == r.Caller.Project {
		return r.Caller.Project, nil
	}
	return project, auth.Allow(r.Caller, "admin")
}

func (a *API) revokeKey(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	project := query.String("project")
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	project, err := keysOf(r, project)
	if err != nil {
		return wire.Response{}, err
	}
	revoked, err := a.cfg.Keys.Revoke(ctx, project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(deletedBody{ID: revoked.ID, Object: "key", Deleted: true}), nil
}
