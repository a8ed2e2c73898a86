package router

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"errand/internal/problem"
	"errand/internal/run"
)

// errDrained says that a call was not made because the server stops.
var errDrained = errors.New("the server stops")

// drained is the error of such a call. To whoever asks it is the end of a context;
// Retry grants it another attempt, so that a run which is told of it goes on at
// the next start.
func drained() error {
	return problem.New(problem.ModelUnavailable, "This server is stopping; the call is made at its next start.").
		Because(fmt.Errorf("%w: %w", errDrained, context.Canceled))
}

// Drain sends the calls away that wait for their turn at an endpoint, and those
// that come to wait. Calls under way go on.
func (r *Router) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.draining {
		r.draining = true
		close(r.stopped)
	}
	for _, e := range r.endpoints {
		e.gate.drain()
	}
}

// Reply calls the model that req.Model means. If that fails in a way that may
// pass, and before anything of a reply has come, the models that stand behind it
// in the list of fallbacks are called, each once. One whose endpoint is known to
// be down, or to refuse calls for now, is passed over while another one is left.
func (r *Router) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (reply run.Reply, err error) {
	to, unknown := r.resolve(req.Model)
	if unknown != nil {
		return reply, problem.New(problem.ModelUnknown, "%s", unknown.message)
	}
	if emit == nil {
		emit = func(run.Delta) {}
	}
	chain := r.chain(req.Model, to)
	if len(chain) == 1 {
		return r.call(ctx, &chain[0], req, emit)
	}
	return r.callOne(ctx, chain, req, emit)
}

// callOne calls the first of several models that answers.
func (r *Router) callOne(ctx context.Context, chain []target, req *run.Request, emit func(run.Delta)) (reply run.Reply, err error) {
	begun := false
	heard := func(d run.Delta) {
		begun = true
		emit(d)
	}
	var spent run.Usage
	for i := 0; ; i++ {
		reply, err = r.call(ctx, &chain[i], req, heard)
		reply.Usage = reply.Usage.Add(spent)
		if err == nil || i == len(chain)-1 || begun || ctx.Err() != nil || !passes(err) {
			return reply, err
		}
		spent = reply.Usage
	}
}

// chain are the models to call for a name, in this order: what it means, and its
// fallbacks. Of several, those that could not answer now are left out.
func (r *Router) chain(name string, to target) []target {
	chain := r.all(name, to)
	if len(chain) == 1 {
		return chain
	}
	well := slices.DeleteFunc(slices.Clone(chain), target.ailing)
	if len(well) == 0 {
		return chain[:1]
	}
	return well
}

// all are what a name means and its fallbacks, well or not.
func (r *Router) all(name string, to target) []target {
	chain := []target{to}
	if len(r.cfg.Fallbacks) == 0 {
		return chain
	}
	for _, key := range []string{name, to.full(), EveryModel} {
		for _, other := range r.cfg.Fallbacks[key] {
			one, unknown := r.resolve(other)
			if unknown == nil && !slices.ContainsFunc(chain, func(t target) bool { return t.full() == one.full() }) {
				chain = append(chain, one)
			}
		}
	}
	return chain
}

// ailing reports whether a call would be refused or held up because of what the
// endpoint did lately.
func (t target) ailing() bool {
	return t.at != nil && (t.at.circuit.broken() || t.at.gate.busy())
}

// passes reports whether an error may pass, so that another try makes sense.
func passes(err error) bool {
	var failure *problem.Error
	return errors.As(err, &failure) && patienceFor(failure.Code).attempts > 1 && !errors.Is(err, errDrained)
}

// call calls one model, once, and says what that has cost.
func (r *Router) call(ctx context.Context, to *target, req *run.Request, emit func(run.Delta)) (reply run.Reply, err error) {
	wired := *req // the caller's own is not ours to change
	wired.Model = to.wire
	reply, err = r.take(ctx, to, &wired, emit)
	err = r.account(to, &wired, &reply, err)
	return reply, err
}

// account says in a reply who has answered and what that has cost, and returns the
// call's error as its caller is told it.
func (r *Router) account(to *target, wired *run.Request, reply *run.Reply, err error) error {
	if reply.Model == "" {
		reply.Model = to.full()
	}
	late := problem.Is(err, problem.ModelTimeout)
	if to.endpoint != offline && (err == nil || late || begun(reply)) {
		reply.Usage = r.estimated(to, wired, reply, late)
	}
	if err == nil || reply.Usage != (run.Usage{}) {
		reply.Usage = r.priced(to, reply.Usage)
	}
	var failure *problem.Error
	if to.guessed && errors.As(err, &failure) && failure.Code == problem.ModelRefused {
		hinted := *failure
		hinted.Detail += " Set ERRAND_MODEL to a model that " + to.endpoint + " has."
		return &hinted
	}
	return err
}

// begun reports whether a call that failed has brought something, and so has cost
// something: what is refused at the door has not.
func begun(reply *run.Reply) bool {
	return reply.Usage != (run.Usage{}) || reply.Text != "" || reply.Reasoning != "" || len(reply.Calls) > 0
}

// take makes the call when the endpoint is to be called, and when it is its turn.
func (r *Router) take(ctx context.Context, to *target, req *run.Request, emit func(run.Delta)) (reply run.Reply, err error) {
	at := to.at
	if at == nil { // the offline model, which has no limits and does not fail
		return to.model.Reply(ctx, req, emit)
	}
	trying, err := at.circuit.enter(ctx, r.stopped)
	if err != nil {
		return reply, err
	}
	entered, err := at.gate.enter(ctx, req.Run)
	if err != nil {
		_ = at.circuit.leave(trying, context.Canceled) // it has not been called
		return reply, err
	}
	began, silent := r.cfg.Now(), true
	reply, err = to.model.Reply(ctx, req, func(d run.Delta) {
		if silent {
			silent = false
			at.circuit.alive(r.cfg.Now().Sub(began))
		}
		emit(d)
	})
	if err == nil && silent {
		at.circuit.alive(r.cfg.Now().Sub(began))
	}
	at.gate.leave(entered, err)
	return reply, at.circuit.leave(trying, err)
}
