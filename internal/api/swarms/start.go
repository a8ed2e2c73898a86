package swarms

import (
	"context"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// startCompletion makes the run of POST /v1/agent/completions.
func (a *API) startCompletion(ctx context.Context, r *wire.Request) (run.ID, error) {
	in, err := readCompletion(r.Body)
	if err != nil {
		return run.ID{}, err
	}
	o, err := a.ready(ctx, r, &in)
	if err != nil {
		return run.ID{}, err
	}
	o.echo.Stream = in.streams()
	o.spec.Tethered, o.spec.Fingerprint = o.echo.Stream, r.Fingerprint()
	r.Value = o.echo.Stream
	id := a.cfg.Engine.NewID()
	return id, a.create(ctx, id, &o, r.Claim(id))
}

// ready makes the order of a completion, with everything that takes time before
// there can be a run: its servers, and a system prompt that the model writes.
func (a *API) ready(ctx context.Context, r *wire.Request, in *completionIn) (order, error) {
	defer r.Aside()()
	o, err := a.order(ctx, r, in)
	if err != nil {
		return o, err
	}
	return o, a.write(ctx, &o)
}

// streams reports whether the answer is wanted as it comes about.
func (in *completionIn) streams() bool {
	return or(in.Stream, false) || or(in.Agent.Streaming, false)
}

// create makes a run. rows go into the commit that makes it, and with them the
// agent's configuration if it has not been seen lately.
func (a *API) create(ctx context.Context, id run.ID, o *order, rows []run.RowWrite) error {
	o.spec.Echo = raw(o.echo)
	shelved, err := a.past.shelve(ctx, o.spec.Project, o.past, a.cfg.Now())
	if err != nil {
		return err
	}
	if _, err := a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: o.spec, Rows: append(rows, shelved...)}); err != nil {
		return err
	}
	a.past.shelved(o.spec.Project, shelved)
	return nil
}

// answerCompletion answers from the run, which another request may have made.
func (a *API) answerCompletion(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	stream, known := r.Value.(bool)
	if !known {
		in, err := readCompletion(r.Body)
		if err != nil {
			return wire.Response{}, err
		}
		stream = in.streams()
	}
	if stream {
		return a.stream(r.Caller.Project, id), nil
	}
	s, err := a.rest(ctx, r.Caller.Project, id)
	switch {
	case err != nil:
		return wire.Response{}, err
	case failed(&s):
		return failure(&s), nil
	}
	return wire.OK(showCompletion(&s)), nil
}

// failed reports whether a run ended without an answer.
func failed(s *run.State) bool { return s.Ended != nil && s.Ended.Status != run.Completed }

// rest waits for a run to end, or to wait for someone.
func (a *API) rest(ctx context.Context, project string, id run.ID) (run.State, error) {
	s, err := a.cfg.Engine.Wait(ctx, project, id)
	switch {
	case err != nil:
		return s, err
	case s.Status != run.Queued && s.Status != run.Running:
		return s, nil
	case ctx.Err() != nil:
		return s, ctx.Err()
	}
	return s, goesOn(id)
}

// goesOn is the answer of a server that stops while a run works.
func goesOn(id run.ID) error {
	return problem.New(problem.Overloaded, "This server is shutting down. The agent's run goes on when it is back: send the same request again, or read GET /v1/runs/%s.", jobID(id))
}
