package yao

import (
	"context"
	"encoding/json"
	"net/http"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// find returns the robot that a request names.
func (a *API) find(ctx context.Context, r *wire.Request) (robot.Robot, error) {
	found, err := a.cfg.Robots.Find(ctx, r.Caller.Project, r.Path("id"))
	if problem.Is(err, problem.NotFound) || err == nil && !r.Caller.For(robot.ExecutionAgent+found.ID) {
		return robot.Robot{}, noRobot(r.Path("id"))
	}
	return found, err
}

// wish is what an answer has to know of its request beside the run.
type wish struct{ streams, counts bool }

// placeTries bounds how often a turn looks for its place again because another one
// of its chat was quicker.
const placeTries = 5

// startTurn makes the run of a turn, or finds the one that it repeats.
func (a *API) startTurn(ctx context.Context, r *wire.Request) (run.ID, error) {
	in, t, err := a.readTurn(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	r.Value = wish{in.Streams(), in.CountsUsage()}
	for range placeTries {
		var p place
		if p, err = a.place(ctx, t); err != nil {
			return run.ID{}, err
		}
		if !p.again.IsZero() {
			return p.again, a.tie(ctx, r, p.again)
		}
		var id run.ID
		if id, err = a.makeTurn(ctx, r, t, &p); !overtaken(err) {
			return id, err
		}
	}
	return run.ID{}, problem.New(problem.Conflict, "Other messages of this chat come faster than this one: send it again.").Because(err)
}

// tie books the request's Idempotency-Key under a run that is there already.
func (a *API) tie(ctx context.Context, r *wire.Request, id run.ID) error {
	rows := r.Claim(id)
	if rows == nil {
		return nil
	}
	return a.cfg.Rows.Append(ctx, run.Commit{Rows: rows})
}

// makeTurn makes the run of a turn at its place.
func (a *API) makeTurn(ctx context.Context, r *wire.Request, t *turn, p *place) (run.ID, error) {
	spec, err := a.turnSpec(ctx, t, p)
	if err != nil {
		return run.ID{}, err
	}
	spec.Fingerprint = r.Fingerprint()
	id := a.cfg.Engine.NewID()
	rows, err := a.record(t, p, id)
	if err != nil {
		return run.ID{}, err
	}
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: append(rows, r.Claim(id)...)})
	return id, err
}

// callerText is how the host is told of the caller's system messages. They come
// behind its own instructions, which hold.
const callerText = "\n\nThe application that you are talked to through adds this:\n"

// turnSpec is the run of a turn. A first message may not confirm what nobody has
// summarised, unless the caller has said so.
func (a *API) turnSpec(ctx context.Context, t *turn, p *place) (run.Spec, error) {
	confirms := false
	for i := range p.history {
		confirms = confirms || p.history[i].Role == run.Assistant
	}
	spec, err := a.cfg.Desk.Host(ctx, &t.robot, robot.Turn{
		Project: t.who.Project, Key: t.who.KeyID, Scopes: t.who.Scopes, ChatID: p.chat.ID,
		History: p.history, Input: p.input, Params: t.params, Metadata: t.labels, Previous: p.previous,
		Confirm: confirms, Required: t.required && !confirms,
	})
	if err != nil {
		return spec, err
	}
	if p.system != "" {
		spec.Instructions += callerText + p.system
	}
	for i := range spec.Handoffs {
		spec.Handoffs[i].Claim = robot.Claim(p.chat.row) // another key may call its chat the same
	}
	spec.Echo, err = json.Marshal(turnEcho{ChatID: p.chat.ID, Model: t.model, System: p.system, Asked: askedOf(t)})
	return spec, err
}

// answerTurn answers from a turn's run, which another request may have made.
func (a *API) answerTurn(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	wanted, known := r.Value.(wish)
	if !known {
		var in talkIn
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
		wanted = wish{in.Streams(), in.CountsUsage()}
	}
	if wanted.streams {
		s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
		if err != nil {
			return wire.Response{}, err
		}
		return wire.Response{Header: http.Header{"X-Chat-Id": {readEcho(&s).ChatID}}, Stream: a.follow(r, id, wanted.counts)}, nil
	}
	s, err := a.cfg.Engine.Wait(ctx, r.Caller.Project, id)
	if err != nil {
		return wire.Response{}, err
	}
	if err := turnFailed(&s); err != nil {
		// The same request again finds the same turn, and so the same end.
		return wire.Response{Header: http.Header{"X-Chat-Id": {readEcho(&s).ChatID}, "X-Should-Retry": {"false"}}}, err
	}
	switch {
	case s.Status != run.Queued && s.Status != run.Running:
	case ctx.Err() != nil:
		return wire.Response{}, ctx.Err()
	default:
		return wire.Response{}, problem.New(problem.Overloaded, "This server is shutting down before the turn has ended: send the request again in a moment.")
	}
	body, header := showTurn(&s)
	return wire.Response{Header: header, Body: body}, nil
}
