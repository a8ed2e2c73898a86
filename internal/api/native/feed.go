package native

import (
	"context"
	"iter"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/feed"
	"errand/internal/problem"
)

// Changes tells what changes in a project. internal/feed is the implementation.
type Changes interface {
	// Watch tells what changes behind a cursor, "" = from now on, until ctx ends.
	Watch(ctx context.Context, project, cursor string) iter.Seq[feed.Batch]
}

// changedRun is the data of run.changed: how the run stands now.
type changedRun struct {
	At  time.Time `json:"at"`
	Run lineBody  `json:"run"`
}

// changedApproval is the data of approval.changed: how many actions of a run wait.
type changedApproval struct {
	At      time.Time `json:"at"`
	Run     string    `json:"run"`
	Agent   *string   `json:"agent"`
	Pending int       `json:"pending"`
}

// resync tells a reader to read its lists again.
type resync struct {
	Reason feed.Resync `json:"reason"`
}

// streamProject tells what changes in the caller's project.
func (a *API) streamProject(_ context.Context, r *wire.Request) (wire.Response, error) {
	if a.cfg.Changes == nil {
		return wire.Response{}, problem.New(problem.NotAvailable, "This server has no feed of changes.")
	}
	query := r.Query()
	cursor := query.String("after")
	if last := r.Header("Last-Event-ID"); last != "" {
		cursor = last // an EventSource that reconnects sends its first address again
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	var batch feed.Batch // of the frames that are being written: one goroutine does both
	watch := func(ctx context.Context) iter.Seq2[engine.Update, error] {
		return func(yield func(engine.Update, error) bool) {
			a.feeds.Add(1)
			defer a.feeds.Add(-1)
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			go func() {
				select {
				case <-a.cfg.Engine.Draining():
					cancel()
				case <-ctx.Done():
				}
			}()
			for batch = range a.cfg.Changes.Watch(ctx, r.Caller.Project, cursor) {
				if !yield(engine.Update{}, nil) {
					return
				}
			}
		}
	}
	emit := func(f *wire.Frames, _ engine.Update) (bool, error) {
		return false, a.writeBatch(f, r, &batch)
	}
	return wire.Response{Stream: &wire.Stream{Watch: watch, Emit: emit}}, nil
}

// writeBatch writes a batch's frames. A change that makes two has its cursor on the
// second: a reader that is cut off between them is told both again.
func (a *API) writeBatch(f *wire.Frames, r *wire.Request, b *feed.Batch) error {
	if b.Resync != "" {
		if err := f.JSON(b.Cursor, "resync", resync{Reason: b.Resync}); err != nil {
			return err
		}
	}
	for i := range b.Changes {
		if c := &b.Changes[i]; r.Caller.For(c.Line.Agent) {
			if err := writeChange(f, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeChange(f *wire.Frames, c *feed.Change) error {
	line := showLine(&c.Line)
	if c.Line.Deleted {
		return f.JSON(c.After, "run.deleted", map[string]string{"run": line.ID})
	}
	at := c.At.UTC()
	if !c.Approval {
		return f.JSON(c.After, "run.changed", changedRun{At: at, Run: line})
	}
	if err := f.JSON(c.Before, "run.changed", changedRun{At: at, Run: line}); err != nil {
		return err
	}
	return f.JSON(c.After, "approval.changed", changedApproval{At: at, Run: line.ID, Agent: line.Agent, Pending: line.Pending})
}
