package native

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// A link lets one person decide on one action without a key: it goes into a mail or
// a chat. Only its hash is stored. It is good for one decision on exactly what was
// there when it was made, on the word of the key that made it; decide_page.go has
// the page behind it.

// linkKind is the kind of row that holds a link; its id is the hash of the token.
const linkKind = "decide_link"

const (
	linkBytes   = 32                  // random ones of a token: nobody guesses 256 bits
	linkDefault = 24 * 3600           // seconds: until the same time tomorrow
	linkLongest = 30 * 24 * 3600      // seconds: who has not looked by then will not
	linkKept    = 30 * 24 * time.Hour // behind its expiry, so that the page can say what it was
)

// What a link may be used for.
const (
	linkApprove = "approve"
	linkReject  = "reject"
	linkBoth    = "both"
)

type linkIn struct {
	Decision *string `json:"decision"`
	Expires  *int64  `json:"expires_in_s"`
}

// link is the stored form.
type link struct {
	Project  string    `json:"project"`
	Run      run.ID    `json:"run"`
	Action   string    `json:"action"`
	Digest   string    `json:"digest"`
	Decision string    `json:"decision"`
	Key      string    `json:"key"` // that made it: its word
	KeyName  string    `json:"key_name"`
	Until    time.Time `json:"until"`
	Used     time.Time `json:"used,omitzero"`
}

// allows reports whether the link may decide so.
func (l *link) allows(decision string) bool { return l.Decision == linkBoth || l.Decision == decision }

// name is what the trace calls whoever has used the link.
func (l *link) name() string { return "link made by " + l.KeyName }

type linkBody struct {
	Object    string    `json:"object"`
	URL       string    `json:"url"`
	Run       string    `json:"run"`
	ActionID  string    `json:"action_id"`
	Decision  string    `json:"decision"`
	Digest    string    `json:"digest"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (a *API) linkRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/runs/{id}/actions/{action}/links", Scope: "runs:approve", Secret: true, Handle: a.createLink},
		{Method: "GET", Path: "/decide/{token}", Open: true, Hidden: true, HTTP: http.HandlerFunc(a.showLink)},
		{Method: "POST", Path: "/decide/{token}", Open: true, Hidden: true, HTTP: http.HandlerFunc(a.useLink)},
	}
}

func (a *API) createLink(ctx context.Context, r *wire.Request) (wire.Response, error) {
	made, err := a.readLink(r)
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.pin(ctx, r, &made); err != nil {
		return wire.Response{}, err
	}
	random := make([]byte, linkBytes)
	if err := a.cfg.Random(random); err != nil {
		return wire.Response{}, fmt.Errorf("making a link: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(random)
	answer := wire.OK(linkBody{
		Object: "decide_link", URL: a.cfg.PublicURL + "/decide/" + token, Run: runID(made.Run), ActionID: made.Action,
		Decision: made.Decision, Digest: made.Digest, ExpiresAt: made.Until,
	})
	rows, err := r.Remember(answer)
	if err != nil {
		return wire.Response{}, err
	}
	row, err := made.row(token, a.cfg.Now())
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.cfg.Rows.Append(ctx, run.Commit{Rows: append(rows, row)}); err != nil {
		return wire.Response{}, fmt.Errorf("storing a link: %w", err)
	}
	return answer, nil
}

func (a *API) readLink(r *wire.Request) (link, error) {
	var in linkIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return link{}, err
		}
	}
	faults := agent.Faults{}
	made := link{
		Project: r.Caller.Project, Action: r.Path("action"), Decision: linkBoth, Key: r.Caller.KeyID, KeyName: r.Caller.KeyName,
	}
	switch said := value(in.Decision); said {
	case "":
	case linkApprove, linkReject, linkBoth:
		made.Decision = said
	default:
		faults.Add("decision", `must be "approve", "reject" or "both".`)
	}
	seconds := int64(linkDefault)
	if in.Expires != nil {
		seconds = *in.Expires
	}
	if seconds < 1 || seconds > linkLongest {
		faults.Add("expires_in_s", fmt.Sprintf("must be a whole number of seconds from 1 to %d.", linkLongest))
	}
	made.Until = a.cfg.Now().Add(time.Duration(min(max(seconds, 0), linkLongest)) * time.Second).UTC().Truncate(time.Second)
	var err error
	if made.Run, err = r.RunID(); err != nil {
		return link{}, err
	}
	return made, faults.Problem()
}

// pin ties the link to the action as it is now. A link is its maker's word: whoever
// may not approve can't hand somebody else an approval.
func (a *API) pin(ctx context.Context, r *wire.Request, made *link) error {
	state, err := a.cfg.Engine.Get(ctx, made.Project, made.Run)
	if err != nil {
		return err
	}
	action := state.Action(made.Action)
	switch {
	case action == nil:
		return problem.New(problem.NotFound, "This run has no action %.40s: GET the run to see what is pending.", made.Action)
	case !action.Waits() || state.Ended != nil:
		return problem.New(problem.Conflict, "%s does not wait for a decision: there is nothing to link to.", made.Action)
	}
	own := made.allows(linkApprove) && state.Spec.Approval != nil && state.Spec.Approval.Separate
	if own {
		if own, err = a.oneVoice(ctx, r.Caller.KeyID, state.Spec.Key); err != nil {
			return err
		}
	}
	if own {
		return problem.New(problem.ScopeDenied, "The key that started this run may not approve its actions (approval.separate), and neither may its links: make the link with another key, or with \"decision\": \"reject\".")
	}
	made.Digest = action.Digest
	return nil
}

func linkID(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func (l *link) row(token string, now time.Time) (run.RowWrite, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return run.RowWrite{}, fmt.Errorf("encoding a link: %w", err)
	}
	return run.RowWrite{Expect: run.MustNotExist, Row: run.Row{
		Kind: linkKind, ID: linkID(token), Created: now, Expires: l.Until.Add(linkKept), Data: data,
	}}, nil
}

// findLink reads the link with this token, or a not_found problem.
func (a *API) findLink(ctx context.Context, token string) (link, run.Row, error) {
	var found link
	row, err := a.cfg.Rows.Row(ctx, linkKind, "", linkID(token))
	if err != nil {
		return found, row, err
	}
	if err := json.Unmarshal(row.Data, &found); err != nil {
		return found, row, fmt.Errorf("reading a link: %w", err)
	}
	return found, row, nil
}

// claim marks the link as used, before its decision is made: of two who press the
// button at once, one decides. A crash between the two leaves it used.
func (a *API) claim(ctx context.Context, l link, row run.Row) error {
	l.Used = a.cfg.Now().UTC()
	write, err := l.row("", row.Created)
	if err != nil {
		return err
	}
	write.ID, write.Expect = row.ID, row.Version
	err = a.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}})
	if conflict := new(run.RowConflict); errors.As(err, &conflict) {
		return problem.New(problem.Conflict, "This link has just been used.")
	}
	return err
}

// decide makes the link's decision: its maker's word, as long as that key may give it.
func (a *API) decide(ctx context.Context, l *link, d engine.Decision) (run.State, error) {
	maker, err := a.cfg.Keys.Holder(ctx, l.Project, l.Key)
	if err != nil && !problem.Is(err, problem.ScopeDenied) {
		return run.State{}, err
	}
	state, missing := a.cfg.Engine.Get(ctx, l.Project, l.Run)
	if missing != nil {
		return state, missing
	}
	if err != nil || !run.ScopeIn(maker.Scopes, "runs:approve") || !maker.For(agentOf(&state)) {
		return run.State{}, problem.New(problem.ScopeDenied, "The key that made this link may not approve this any more.")
	}
	d.Actions, d.Digest, d.By, d.ByName = []string{l.Action}, l.Digest, l.Key, l.name()
	return a.cfg.Engine.Decide(ctx, l.Project, l.Run, d)
}
