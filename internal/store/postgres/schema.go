package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
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
	// index is what the step makes if it is one that makes an index beside those who
	// write: see beside. Empty = it is part of a transaction.
	index string
}

// Migrate brings the tables to this program's version, while nodes of the version
// before may serve. A database that only newer programs can serve is refused.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	steps, err := schemaSteps(schemaFiles)
	if err != nil {
		return err
	}
	return migrate(ctx, pool, steps)
}

// migrate runs the steps that are missing, in their order: those in a row that can be
// in a transaction in one.
func migrate(ctx context.Context, pool *pgxpool.Pool, steps []migration) error {
	for {
		reached, err := together(ctx, pool, steps)
		if err == nil && reached < len(steps) {
			err = beside(ctx, pool, steps, reached)
		}
		var known *problem.Error
		switch {
		case errors.As(err, &known):
			return err
		case err != nil:
			return fmt.Errorf("bringing the database up to date: %w", err)
		case reached == len(steps):
			return nil
		}
	}
}

// together runs the steps that are missing up to the first one that can't be in a
// transaction, and returns how many have been done.
func together(ctx context.Context, pool *pgxpool.Pool, steps []migration) (reached int, err error) {
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
		reached, err = apply(ctx, tx, steps)
		return err
	})
	return reached, err
}

// apply runs the steps that are missing and can be in a transaction, with what it
// writes down about them, and returns how many have been done.
func apply(ctx context.Context, tx pgx.Tx, steps []migration) (reached int, err error) {
	_, err = tx.Exec(ctx, "CREATE TABLE IF NOT EXISTS errand_schema "+
		"(version int PRIMARY KEY, needs int NOT NULL, applied timestamptz NOT NULL DEFAULT now())")
	if err != nil {
		return 0, err
	}
	var needs int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0), coalesce(max(needs), 0) FROM errand_schema").Scan(&reached, &needs); err != nil {
		return 0, err
	}
	if needs > len(steps) {
		return 0, problem.New(problem.Conflict, "The database was changed by a newer version of Errand "+
			"(schema %d; this version knows %d). Use that version, or restore a backup.", reached, len(steps))
	}
	for ; reached < len(steps) && steps[reached].index == ""; reached++ {
		if _, err := tx.Exec(ctx, steps[reached].sql); err != nil {
			return 0, fmt.Errorf("step %d: %w", reached+1, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO errand_schema (version, needs) VALUES ($1, $2)", reached+1, steps[reached].needs); err != nil {
			return 0, err
		}
	}
	return min(reached, len(steps)), nil
}

// makesIndex is a step that makes an index beside those who write, and its name.
var makesIndex = regexp.MustCompile(`(?m)\A(?:--.*\n)*CREATE (?:UNIQUE )?INDEX CONCURRENTLY ([a-z_]+) ON [^;]*;?\s*\z`)

// schemaSteps returns the migrations in a folder schema, in the order of their names.
// The first line of each says what it needs. A file that has nothing but one CREATE
// INDEX CONCURRENTLY is a step outside of transactions, where alone PostgreSQL takes
// that statement; all other files are in one.
func schemaSteps(folder fs.FS) ([]migration, error) {
	files, err := fs.ReadDir(folder, "schema")
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	var steps []migration
	for _, file := range files {
		body, err := fs.ReadFile(folder, "schema/"+file.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		step := migration{sql: string(body)}
		first, _, _ := strings.Cut(step.sql, "\n")
		if _, err := fmt.Sscanf(first, "-- needs %d", &step.needs); err != nil {
			return nil, fmt.Errorf("reading the schema: %s does not say what it needs: %w", file.Name(), err)
		}
		if found := makesIndex.FindStringSubmatch(step.sql); found != nil {
			step.index = found[1]
		}
		steps = append(steps, step)
	}
	return steps, nil
}
