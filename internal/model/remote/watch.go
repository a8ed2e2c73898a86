package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"errand/internal/problem"
)

// Timeouts bound one model call; zero means the default.
type Timeouts struct {
	Connect time.Duration // to a connection with TLS: 10 s
	First   time.Duration // to the first token: 5 min, because reasoning models think first
	Silence time.Duration // without a byte after it: 60 s
	Total   time.Duration // in all: 10 min
	Tail    time.Duration // after the reply's end, for the usage and the end of the stream: 2 s
}

// WithDefaults returns the limits with the default in place of each zero.
func (t Timeouts) WithDefaults() Timeouts {
	for _, each := range []struct {
		value    *time.Duration
		fallback time.Duration
	}{
		{&t.Connect, 10 * time.Second}, {&t.First, 5 * time.Minute}, {&t.Silence, time.Minute},
		{&t.Total, 10 * time.Minute}, {&t.Tail, 2 * time.Second},
	} {
		if *each.value <= 0 {
			*each.value = each.fallback
		}
	}
	return t
}

// Why a call was cut: causes of the call's context.
var (
	errSilent = errors.New("the provider sent nothing for too long")
	errTotal  = errors.New("the call took too long in all")
)

// Watch cuts a call that waits too long. Its timer runs only while the client
// waits for the provider: a slow emit is not the provider's silence.
type Watch struct {
	Context context.Context // of the call
	Wait    time.Duration   // how long the next wait may be
	limits  Timeouts
	cancel  context.CancelCauseFunc
	total   *time.Timer
	timer   *time.Timer
}

// NewWatch begins a call: until the first byte it may take limits.First.
func NewWatch(ctx context.Context, limits Timeouts) *Watch {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Watch{
		Context: ctx, cancel: cancel, Wait: limits.First, limits: limits,
		total: time.AfterFunc(limits.Total, func() { cancel(errTotal) }),
		timer: time.AfterFunc(limits.First, func() { cancel(errSilent) }),
	}
}

// Stop ends the call. Whatever still waits for the provider is cut.
func (w *Watch) Stop() {
	w.total.Stop()
	w.timer.Stop()
	w.cancel(nil)
}

// Answered says that the provider has begun to answer: from here on a wait
// begins with each Read of the body.
func (w *Watch) Answered() { w.timer.Stop() }

// Body reads an answer under a watch.
type Body struct {
	From  io.Reader
	Watch *Watch
}

// Read reads what the provider sends next.
func (b *Body) Read(into []byte) (int, error) {
	b.Watch.timer.Reset(b.Watch.Wait)
	n, err := b.From.Read(into)
	b.Watch.timer.Stop()
	return n, err
}

// Broken explains a call to the named endpoint that ended by its context or by
// its connection: code is model_unavailable before the answer began and
// model_garbled within it. Ctx is the caller's, whose end comes first.
func (w *Watch) Broken(ctx context.Context, name string, err error, code problem.Code) error {
	if ctx.Err() != nil {
		return fmt.Errorf("calling the model provider %s: %w", name, ctx.Err())
	}
	switch cause := context.Cause(w.Context); {
	case errors.Is(cause, errTotal):
		return problem.New(problem.ModelTimeout, "%s did not complete its answer within %s.", name, w.limits.Total).Because(err)
	case errors.Is(cause, errSilent) && w.Wait == w.limits.First:
		return problem.New(problem.ModelTimeout, "%s did not begin to answer within %s.", name, w.limits.First).Because(err)
	case errors.Is(cause, errSilent):
		return problem.New(problem.ModelTimeout, "%s fell silent in the middle of its answer for %s.", name, w.Wait).Because(err)
	case code == problem.ModelGarbled:
		return problem.New(code, "The connection to %s broke in the middle of its answer.", name).Because(err)
	}
	return problem.New(code, "%s can't be reached; check that it is up and that its base URL is right.", name).Because(err)
}
