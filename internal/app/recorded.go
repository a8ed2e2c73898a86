package app

import (
	"context"
	"math/rand/v2"
	"time"

	"errand/internal/audit"
	"errand/internal/feed"
	"errand/internal/project"
	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/store/sqlite"
)

// recorded is the store that all parts are given: what a caller changes through it
// leaves a line in the audit log, in the same commit. What is on disk is told to the feed
// of changes.
type recorded struct {
	keeper
	now     func() time.Time
	changes *feed.Feed    // nil = nobody is told
	gate    *project.Gate // before projects that are being erased
}

func openRecorded(ctx context.Context, cfg sqlite.Config) (recorded, error) {
	opened, err := sqlite.Open(ctx, cfg)
	return recorded{opened, cfg.Now, feed.New(rand.Uint64()), project.NewGate()}, err
}

// Append writes the commit, with its lines, and returns when it is on disk.
func (r recorded) Append(ctx context.Context, c run.Commit) error {
	if err := r.gate.Check(ctx, &c); err != nil {
		return err
	}
	r.witness(ctx, &c)
	err := store.Wait(ctx, func(done func(error)) { r.submit(c, done) })
	if err == nil {
		r.gate.Written(&c)
	}
	return err
}

// Submit writes the commit, and tells what it has changed once it is on disk.
func (r recorded) Submit(c run.Commit, done func(error)) {
	if err := r.gate.CheckRuns(&c); err != nil {
		go done(err) // never from within Submit
		return
	}
	r.submit(c, done)
}

func (r recorded) submit(c run.Commit, done func(error)) {
	if len(c.Runs) == 0 || r.changes == nil {
		r.keeper.Submit(c, done)
		return
	}
	r.keeper.Submit(c, func(err error) {
		if err == nil {
			r.changes.Tell(c.Runs)
		}
		done(err)
	})
}

// witness completes the lines of a commit.
func (r recorded) witness(ctx context.Context, c *run.Commit) { audit.Witness(ctx, c, r.now()) }

// log reads the audit log.
func (r recorded) log() *audit.Log { return &audit.Log{Lines: r.keeper, Chain: store.Chain} }
