package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// besideLock is the key of the advisory lock under which one node at a time makes an
// index: not schemaLock's, because a node that starts waits for that one in a
// transaction, and an index is not done before all transactions have ended that began
// before it. Each would wait for the other.
const besideLock = schemaLock + 1

// besidePause is how often a node that waits for another one's index looks again. It
// can't wait in a statement, for the same reason.
const besidePause = 200 * time.Millisecond

// beside makes the index that comes after so many steps, while others read and write
// the table: nobody waits for it, and it waits for whoever has begun before. What an
// attempt has left that was broken off, PostgreSQL keeps as an index that is not valid:
// that is dropped, and begun anew. So it may be broken off, and be begun by any number
// of nodes at once.
func beside(ctx context.Context, pool *pgxpool.Pool, steps []migration, done int) error {
	// A session of its own: its lock and its settings end with it.
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// It takes as long as it takes, and locks that it waits for keep no writer waiting.
	if _, err := conn.Exec(ctx, "SET statement_timeout = 0; SET lock_timeout = 0"); err != nil {
		return err
	}
	if err := waitBeside(ctx, conn); err != nil {
		return err
	}
	step := steps[done]
	var there, valid bool
	err = conn.QueryRow(ctx, `SELECT (SELECT max(version) FROM errand_schema) > $1
		OR EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass($2) AND indisvalid), to_regclass($2) IS NOT NULL`,
		done, step.index).Scan(&valid, &there)
	if err != nil {
		return err
	}
	if there && !valid {
		if _, err := conn.Exec(ctx, "DROP INDEX CONCURRENTLY "+step.index); err != nil {
			return fmt.Errorf("step %d: %w", done+1, err)
		}
	}
	if !valid {
		if _, err := conn.Exec(ctx, step.sql); err != nil {
			return fmt.Errorf("step %d: %w", done+1, err)
		}
	}
	_, err = conn.Exec(ctx, "INSERT INTO errand_schema (version, needs) VALUES ($1, $2) ON CONFLICT DO NOTHING", done+1, step.needs)
	return err
}

// waitBeside waits until no other node makes an index.
func waitBeside(ctx context.Context, conn *pgx.Conn) error {
	again := time.NewTicker(besidePause)
	defer again.Stop()
	for {
		var ours bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(besideLock)).Scan(&ours); err != nil || ours {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
