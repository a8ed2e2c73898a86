package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"errand/internal/feed"
	"errand/internal/problem"
	"errand/internal/project"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/store"
	"errand/internal/store/sqlite"
)

// keeper is what the program asks of its store, SQLite's or PostgreSQL's: all that
// package storetest holds them to.
type keeper interface {
	runKeeper
	objectKeeper
	pastKeeper
	healthKeeper
}

type runKeeper interface {
	logKeeper
	listKeeper
	tallyKeeper
	searchKeeper
}

type objectKeeper interface {
	rowKeeper
	jobKeeper
}

type logKeeper interface {
	Submit(c run.Commit, done func(error))
	Append(ctx context.Context, c run.Commit) error
	Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error)
	Summary(ctx context.Context, id run.ID) (run.Summary, error)
}

type listKeeper interface {
	Live(ctx context.Context) ([]run.ID, error)
	Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error)
	Count(ctx context.Context, project, agent string) (map[run.Status]int, error)
	Recent(ctx context.Context, since time.Time, each func(*run.Summary)) error
}

type tallyKeeper interface {
	Audits(ctx context.Context, project string, after int64, limit int) ([]run.Audit, error)
	Spent(ctx context.Context, project string, from, to run.Day) ([]run.Spend, error)
	Stock(ctx context.Context) (store.Stock, error)
	Parked(ctx context.Context) (map[run.Status]int, error)
}

type rowKeeper interface {
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
}

type jobKeeper interface {
	Jobs(ctx context.Context, limit int) ([]run.Job, error)
	FinishJob(ctx context.Context, id int64) error
	RetryJob(ctx context.Context, id int64, due time.Time) error
	OnJobs(poke func())
}

type pastKeeper interface {
	Past(ctx context.Context, project string, ended time.Time, after run.ID, limit int) ([]run.Summary, error)
	Purge(ctx context.Context, runs []run.ID, most int) (removed int, err error)
	Kinds(ctx context.Context, project string) ([]string, error)
	LooseJobs(ctx context.Context, after int64, limit int) ([]run.Job, error)
}

type searchKeeper interface {
	Search(ctx context.Context, q run.RunSearch) (run.RunFound, error)
	AuditsBy(ctx context.Context, q run.AuditQuery) ([]run.Audit, error)
}

type healthKeeper interface {
	Ping(ctx context.Context) error
	Stats() store.Stats
	Close() error
}

// openStore opens the store that the settings name.
func (a *assembly) openStore(ctx context.Context) (recorded, error) {
	if !a.cfg.Postgres() {
		return openRecorded(ctx, sqlite.Config{Dir: a.cfg.Data, Now: a.now, Logger: a.logger, Wrote: a.metrics.Wrote})
	}
	// What belongs to the node stays beside the database: the key that seals credentials,
	// files on their way in.
	if err := os.MkdirAll(a.cfg.Data, 0o700); err != nil {
		return recorded{}, fmt.Errorf("making the data directory: %w", err)
	}
	c, err := a.openCluster(ctx)
	if err != nil {
		return recorded{}, err
	}
	a.cluster = c
	opened := c.store
	if err := sameKey(ctx, opened, a.cfg.Data); err != nil {
		c.hangUp()
		return recorded{}, errors.Join(err, opened.Close())
	}
	return recorded{opened, a.now, feed.New(rand.Uint64()), project.NewGate()}, nil
}

// sealKind is the kind of the row that was sealed with the key of the first node.
const sealKind = "seal"

// sameKey refuses a node whose key can't open what the others have sealed: it would
// find out at the first call of a tool that needs a credential.
func sameKey(ctx context.Context, s keeper, dir string) error {
	box, err := seal.Load(dir)
	if err != nil {
		return err
	}
	first := run.RowWrite{Row: run.Row{Kind: sealKind, ID: "first", Data: box.Seal([]byte("the same key"), sealKind)}, Expect: run.MustNotExist}
	var conflict *run.RowConflict
	if err := s.Append(ctx, run.Commit{Rows: []run.RowWrite{first}}); err != nil && !errors.As(err, &conflict) {
		return err
	}
	row, err := s.Row(ctx, sealKind, "", "first")
	if err != nil {
		return err
	}
	if _, err := box.Open(row.Data, sealKind); err != nil {
		return problem.New(problem.Conflict, "The key in %s is not that of the nodes which share this database: copy %s from one of them.",
			filepath.Join(dir, seal.KeyFile), seal.KeyFile).Because(err)
	}
	return nil
}
