package river

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// migrating is the key of the lock under which one node at a time brings River's
// tables up to date: River takes none, and of two that begin together one would
// fail. The number is arbitrary and must never change.
const migrating = 0x657272616e64_0001

// patient lifts the limits that a pool's sessions may have: who waits for the lock, or
// holds it, does so for as long as the migrations take.
const patient = `SELECT set_config(name, '0', true) FROM
	unnest('{lock_timeout,statement_timeout,idle_in_transaction_session_timeout}'::text[]) AS name`

// Migrate brings River's tables up to this release, and is done at every start. Old
// nodes go on meanwhile: River's migrations are made for that. It takes two
// connections of the pool at a time.
func Migrate(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: calm(logger)})
	if err != nil {
		return fmt.Errorf("preparing River's tables: %w", err)
	}
	// The lock belongs to a transaction that changes nothing: it ends with the
	// connection, and poolers keep it together. The migrations can't be in it, for
	// one uses a value of a type that the one before it adds.
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, patient); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrating)); err != nil {
			return err
		}
		if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
			return err
		}
		return index(ctx, pool)
	})
	if err != nil {
		return fmt.Errorf("preparing River's tables: %w", err)
	}
	return nil
}

// index makes the one index that is ours. River's leader asks every five seconds for
// what becomes due, and has only an index by state and queue to find it: it would
// read the entry of each job that waits, and there is one for each run that waits for
// a person. To make an index holds up writers, even one that is there already.
func index(ctx context.Context, pool *pgxpool.Pool) error {
	var there bool
	if err := pool.QueryRow(ctx, "SELECT to_regclass('river_job_errand_due') IS NOT NULL").Scan(&there); err != nil || there {
		return err
	}
	_, err := pool.Exec(ctx, "CREATE INDEX river_job_errand_due ON river_job (scheduled_at) WHERE state IN ('retryable', 'scheduled')")
	return err
}
