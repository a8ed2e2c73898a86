package native

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"errand/internal/api/wire"
	"errand/internal/audit"
	"errand/internal/problem"
	"errand/internal/run"
)

// auditBody is a line of the audit log as this API shows it.
type auditBody struct {
	Object    string          `json:"object"`
	Seq       int64           `json:"seq"`
	At        time.Time       `json:"at"`
	Project   string          `json:"project"`
	Action    string          `json:"action"`
	Target    string          `json:"target"`
	Actor     *actorBody      `json:"actor"`
	From      *string         `json:"from"`
	RequestID *string         `json:"request_id"`
	Data      json.RawMessage `json:"data"`
	Hash      string          `json:"hash"`
}

type actorBody struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func showAudit(line *run.Audit) auditBody {
	body := auditBody{
		Object: "audit.line", Seq: line.Seq, At: line.At.UTC(), Project: line.Project, Action: line.Action, Target: line.Target,
		From: optional(line.From), RequestID: optional(line.Request), Hash: fmt.Sprintf("%x", line.Hash),
	}
	if line.Actor != "" {
		body.Actor = &actorBody{line.Actor, line.ActorName}
	}
	if len(line.Data) > 0 {
		body.Data = line.Data
	}
	return body
}

// verdictBody says whether the log is what was written.
type verdictBody struct {
	Object string     `json:"object"`
	Valid  bool       `json:"valid"`
	Lines  int64      `json:"lines"`
	Head   *string    `json:"head"`
	Wrong  *wrongBody `json:"wrong"`
}

type wrongBody struct {
	Seq     int64  `json:"seq"`
	Message string `json:"message"`
}

func showVerdict(v *audit.Verdict) verdictBody {
	body := verdictBody{Object: "audit.verification", Valid: v.Wrong == nil, Lines: v.Lines}
	if v.Lines > 0 {
		head := v.Head.String()
		body.Head = &head
	}
	if v.Wrong != nil {
		body.Wrong = &wrongBody{v.Wrong.Seq, v.Wrong.Why}
	}
	return body
}

func (a *API) auditRoutes() []wire.Route {
	return []wire.Route{
		{Method: "GET", Path: "/v1/audit", Scope: "audit:read", Query: filters("action", "actor", "target", "since", "project"), Handle: with(a.audit, a.listAudit)},
		{Method: "GET", Path: "/v1/audit/verify", Scope: "audit:read", Query: []string{"head"}, Handle: with(a.audit, a.verifyAudit)},
	}
}

// audit returns the log, or says that this server keeps none.
func (a *API) audit() (*audit.Log, error) {
	if a.cfg.Audit == nil {
		return nil, problem.New(problem.NotAvailable, "This server keeps no audit log.")
	}
	return a.cfg.Audit, nil
}

// listAudit lists lines of the caller's project, oldest first; whoever has admin may
// name another project, or * for all.
func (a *API) listAudit(ctx context.Context, r *wire.Request, log *audit.Log) (wire.Response, error) {
	query := r.Query()
	asked := audit.Query{Action: query.String("action"), Actor: query.String("actor"), Target: query.String("target")}
	project, since := query.String("project"), query.String("since")
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	if since != "" {
		var err error
		if asked.Since, err = time.Parse(time.RFC3339, since); err != nil {
			return wire.Response{}, problem.Invalid("since", "must be a time such as 2027-01-31T00:00:00Z.")
		}
	}
	project, err := keysOf(r, project)
	if err != nil {
		return wire.Response{}, err
	}
	if asked.Project = project; project == "*" {
		asked.Project = ""
	}
	find := func(after string, limit int) ([]run.Audit, error) {
		if after != "" {
			if asked.After, err = strconv.ParseInt(after, 10, 64); err != nil || asked.After < 1 {
				return nil, problem.Invalid("starting_after", "must be the seq of a line, such as next_cursor of the page before.")
			}
		}
		asked.Limit = limit
		return log.Select(ctx, asked)
	}
	return listPage(query, find, showAudit, func(last *run.Audit) string { return strconv.FormatInt(last.Seq, 10) })
}

// verifyAudit looks through the log of all projects: each line is chained to the one
// before, whosever that is. The answer tells nothing of what the lines say.
func (a *API) verifyAudit(ctx context.Context, r *wire.Request, log *audit.Log) (wire.Response, error) {
	query := r.Query()
	text := query.String("head")
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	known, err := audit.ParseHead(text)
	if err != nil {
		return wire.Response{}, err
	}
	verdict, err := log.Verify(ctx, known)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showVerdict(&verdict)), nil
}

// ShowVerdict is the body that GET /v1/audit/verify answers with, for whoever has the
// log itself and no server.
func ShowVerdict(v *audit.Verdict) ([]byte, error) { return json.Marshal(showVerdict(v)) }
