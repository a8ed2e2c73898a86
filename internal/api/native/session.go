package native

import (
	"context"
	"net/http"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
)

// A person signs in to the page with a key, or with a link that is good once. From
// then on the browser has a cookie that stands for that key; wire says when it counts.

type sessionIn struct {
	Key  *string `json:"key"`
	Link *string `json:"link"`
}

// sessionBody says who one is: also whoever asks with a key, who has no session.
type sessionBody struct {
	Object    string     `json:"object"`
	ID        *string    `json:"id"`
	Project   string     `json:"project"`
	Key       sessionKey `json:"key"`
	Scopes    []string   `json:"scopes"`
	Agents    *[]string  `json:"agents"` // null = all, as far as robots is null, too
	Robots    *[]string  `json:"robots"` // likewise
	CreatedAt *time.Time `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	IdleAt    *time.Time `json:"idle_expires_at"`
}

type sessionKey struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func (a *API) showSession(c *auth.Caller) sessionBody {
	agents, robots := a.boundTo(c.Agents)
	body := sessionBody{
		Object: "session", Project: c.Project, Key: sessionKey{ID: c.KeyID, Name: c.KeyName, ExpiresAt: moment(c.KeyEnds)},
		Scopes: listed(c.Scopes), Agents: agents, Robots: robots,
	}
	if s := c.Session; s != nil {
		until := s.Until
		if !c.KeyEnds.IsZero() && c.KeyEnds.Before(until) {
			until = c.KeyEnds
		}
		idle := s.Idle
		if until.Before(idle) {
			idle = until
		}
		body.ID, body.CreatedAt, body.ExpiresAt, body.IdleAt = &s.ID, moment(s.Began), moment(until), moment(idle)
	}
	return body
}

type signLinkBody struct {
	Object    string    `json:"object"`
	URL       string    `json:"url"`
	Key       string    `json:"key"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (a *API) sessionRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/session", Open: true, Handle: a.signIn},
		{Method: "GET", Path: "/v1/session", Bound: true, Handle: a.getSession},
		{Method: "DELETE", Path: "/v1/session", Bound: true, Handle: a.signOut},
		{Method: "POST", Path: "/v1/session/links", Scope: "admin", Secret: true, Handle: a.createSignLink},
	}
}

// signIn always begins a session of its own: whatever token a browser has brought
// along, and whoever has put it there, it is none that counts afterwards.
func (a *API) signIn(ctx context.Context, r *wire.Request) (wire.Response, error) {
	former, err := r.Signing(ctx)
	if err != nil {
		return wire.Response{}, err
	}
	var in sessionIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	var opened auth.Opened
	switch {
	case (in.Key == nil) == (in.Link == nil):
		return wire.Response{}, problem.Invalid("key", "send either key, an API key, or link, the token of a link that signs in.")
	case in.Key != nil:
		opened, err = a.cfg.Keys.SignIn(ctx, *in.Key, former)
	default:
		opened, err = a.cfg.Keys.SignInByLink(ctx, *in.Link, former)
	}
	if err != nil {
		return wire.Response{}, err
	}
	return wire.Response{
		Status: http.StatusCreated, Body: a.showSession(&opened.Caller),
		Header: r.SessionCookie(opened.Token, opened.Caller.Session.Until),
	}, nil
}

func (a *API) getSession(_ context.Context, r *wire.Request) (wire.Response, error) {
	return wire.OK(a.showSession(&r.Caller)), nil
}

func (a *API) signOut(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if r.Caller.Session == nil {
		return wire.Response{}, problem.New(problem.Conflict, "This request has come with a key and not with a session: there is nothing to sign out of. DELETE /v1/keys/{id} revokes a key.")
	}
	if err := a.cfg.Keys.SignOut(ctx, r.Caller); err != nil {
		return wire.Response{}, err
	}
	return wire.Response{Status: http.StatusNoContent, Header: r.SessionCookie("", time.Time{})}, nil
}

// createSignLink makes a link for the caller's own key. Its token stands behind the #,
// which browsers keep to themselves: no proxy and no log sees it.
func (a *API) createSignLink(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in struct{}
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	token, until, err := a.cfg.Keys.Link(ctx, &r.Caller)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.Response{Status: http.StatusCreated, Body: signLinkBody{
		Object: "session_link", URL: a.cfg.PublicURL + "/ui/#link=" + token, Key: r.Caller.KeyID, ExpiresAt: until,
	}}, nil
}
