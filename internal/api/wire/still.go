package wire

import (
	"context"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
)

// believeFor is how long a stream believes its key without looking: a key may expire,
// or be revoked on another node, and neither is told to this one.
const believeFor = 3 * time.Second

// askAgain is when a key is looked up again that the store gave no answer about.
const askAgain = time.Second

// askWithin is how long a heartbeat waits for word of the key. A store that hangs has
// more time than that, and whoever reads takes a stream without heartbeats for dead.
const askWithin = time.Second

// still fails when the caller's key, which has opened a stream, opens nothing any
// more. While the store does not answer, nobody knows whether it does, and what was to
// be sent waits.
func (r *Request) still(ctx context.Context) error {
	err := r.look(ctx)
	for problem.Is(err, problem.Overloaded) && !r.server.draining() {
		pause := time.NewTimer(askAgain)
		select {
		case <-pause.C:
			err = r.look(ctx)
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-r.server.cfg.Draining:
			pause.Stop()
		}
	}
	return err
}

// look is still without its patience. It costs a comparison unless a key has been
// changed.
func (r *Request) look(ctx context.Context) error {
	changes, now := r.server.cfg.Keys.Changes(), r.server.cfg.Now()
	if r.believed.IsZero() || changes == r.changes && now.Before(r.believed) {
		return nil // without a time nobody has looked up a key: a guest
	}
	caller, err := r.again(ctx)
	if err != nil {
		return err
	}
	if caller.KeyID != r.Caller.KeyID {
		return problem.New(problem.Unauthenticated, "The API key with which this stream was opened is not valid any more.")
	}
	r.changes, r.believed = changes, now.Add(believeFor)
	return nil
}

// again looks the caller up once more. That a stream is open does not mean that
// somebody sits before it: it keeps no session alive.
func (r *Request) again(ctx context.Context) (auth.Caller, error) {
	if token, signed := r.session(); signed {
		return r.server.cfg.Keys.Session(ctx, token, false)
	}
	return r.server.cfg.Keys.Authenticate(ctx, secretOf(r.http.Header))
}

// bound refuses a key that is for some agents alone where nothing keeps it to them.
func (r *Request) bound() error {
	if r.Caller.Agents == nil || r.Route.Bound {
		return nil
	}
	return problem.New(problem.ScopeDenied,
		"The key %s is for the agents %s alone, and can start and see their runs with /v1/agents/{id}/run, /v1/runs, /v1/approvals, /v1/chat/completions (model agent:<name>), /v1/agents/runs and, those of robots, /v1/agent/robots/{id}: use another key for this.",
		r.Caller.KeyName, strings.Join(r.Caller.Agents, ", "))
}
