// Package queue holds the rules that all queues share: how a job is handed to what
// handles its kind, and when one that failed comes back.
//
// The packages below it do the work: local (one process, over the store's own jobs)
// and river (any number of nodes). queuetest is the suite that each of them passes.
//
// To change when a failed job comes back, edit Delay; to give a kind its handler,
// edit the wiring in internal/app.
package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Handlers are what jobs are done by, by kind. An error is another try, later.
type Handlers map[string]func(context.Context, run.Job) error

// Handle has a job done by the handler of its kind. A panic is one failure of one
// job, with its trace: it must not take the server down at each start.
func (h Handlers) Handle(ctx context.Context, job run.Job) (err error) {
	handler := h[job.Kind]
	if handler == nil {
		return fmt.Errorf("there is no handler for jobs of kind %q", job.Kind)
	}
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the handler panicked: %v\n%s", cause, debug.Stack())
		}
	}()
	return handler(ctx, job)
}

// FirstDelay and LastDelay bound the wait after a failure, which doubles: soon
// enough for a hiccup, rare enough for an outage of a day.
const (
	FirstDelay = time.Second
	LastDelay  = 10 * time.Minute
)

// Delay is how long a job waits after its failures so far and this one. A problem
// that names a time has its way.
func Delay(failures int, err error) time.Duration {
	var named *problem.Error
	if errors.As(err, &named) && named.RetryAfter > 0 {
		return named.RetryAfter
	}
	delay := FirstDelay
	for range failures {
		if delay *= 2; delay >= LastDelay {
			return LastDelay
		}
	}
	return delay
}
