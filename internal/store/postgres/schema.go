package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/problem"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemaLock is the key of the advisory lock under which one node at a time brings
// the tables up to date: "Errd".
const schemaLock = 0x45727264

// migration is a step of the schema.
type migration struct {
	sql string
	// needs is the first version of the program's schema that can serve on what this
	// step makes. A step that only adds needs what the step before it needed.
	needs int
}

// Migrate brings the tables to this program's version, while nodes of the version
// before may serve. A database that only newer programs can serve is refused.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	steps, err := schemaSteps()
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		// It takes what it takes, and waits for another node that is at it, unless that
		// one has stopped.
		const patient = "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = '30s'; SET LOCAL lock_timeout = 0"
		if _, err := tx.Exec(ctx, patient); err != nil {
			return err
		}
		var encoding string
		if err := tx.QueryRow(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
			return err
		}
		if encoding != "UTF8" {
			return problem.New(problem.Conflict, "The database holds text as %s: make one with the encoding UTF8.", encoding)
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", int64(schemaLock)); err != nil {
			return err
		}
		// A change of a table that is in use must not wait long: all who come after it
		// would wait as well.
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = "+millis(lockTimeout)); err != nil {
			return err
		}
		return apply(ctx, tx, steps)
	})
	var known *problem.Error
	if errors.As(err, &known) {
		return err
	}
	if err != nil {
		return fmt.Errorf("bringing the database up to date: %w", err)
	}
	return nil
}

// apply runs the steps that are missing, in one transaction with what it writes
// down about them.
func apply(ctx context.Context, tx pgx.Tx, steps []migration) error {
	_, err := tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS errand_schema "+
		"(version int PRIMARY KEY, needs int NOT NULL, applied timestamptz NOT NULL DEFAULT now())")
	if err != nil {
		return err
	}
	var version, needs int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0), coalesce(max(needs), 0) FROM errand_schema").Scan(&version, &needs); err != nil {
		return err
	}
	if needs > len(steps) {
		return problem.New(problem.Conflict, "The database was changed by a newer version of Errand "+
			"(schema %d; this version knows %d). Use that version, or restore a backup.", version, len(steps))
	}
	for i := version; i < len(steps); i++ {
		if _, err := tx.Exec(ctx, steps[i].sql); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO errand_schema (version, needs) VALUES ($1, $2)", i+1, steps[i].needs); err != nil {
			return err
		}
	}
	return nil
}

// schemaSteps returns the migrations in the order of their file names.
func schemaSteps() ([]migration, error) {
	files, err := schemaFiles.ReadDir("schema")
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	var steps []migration
	for _, file := range files {
		body, err := schemaFiles.ReadFile("schema/" + file.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		step := migration{sql: string(body)}
		first, _, _ := strings.Cut(step.sql, "\n")
		if _, err := fmt.Sscanf(first, "-- needs %d", &step.needs); err != nil {
			return nil, fmt.Errorf("reading the schema: %s does not say what it needs: %w", file.Name(), err)
		}
		steps = append(steps, step)
	}
	return steps, nil
}
