package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
)

// Look opens the store for reading alone, beside the nodes that work on it: it changes
// no table, and every commit fails with store.ErrClosed. A database without tables is a
// not_found problem.
func Look(ctx context.Context, cfg Config) (*Store, error) {
	cfg = withDefaults(cfg)
	parsed, err := parse(cfg.DSN)
	if err != nil {
		return nil, err
	}
	withSettings(parsed.ConnConfig, map[string]string{"default_transaction_read_only": "on"})
	pool, err := connect(ctx, parsed)
	if err != nil {
		return nil, err
	}
	var needs, version int
	err = pool.QueryRow(ctx, "SELECT coalesce(max(needs), 0), coalesce(max(version), 0) FROM errand_schema").Scan(&needs, &version)
	steps, err2 := schemaSteps(schemaFiles)
	var said *pgconn.PgError
	switch {
	case errors.As(err, &said) && said.Code == "42P01": // there is no such table
		err = problem.New(problem.NotFound, "The database has no tables of Errand's: the first start makes them.").Because(err)
	case err == nil && needs > len(steps):
		err = problem.New(problem.Conflict, "The database was changed by a newer version of Errand, and only such a version can read it.")
	case err == nil && version < len(steps):
		err = problem.New(problem.Conflict, "The database has the tables of an older version of Errand "+
			"(schema %d; this version reads %d): the first start of this version adds to them.", version, len(steps))
	}
	if err = errors.Join(err, err2); err != nil {
		pool.Close()
		return nil, unreachable(parsed.ConnConfig, err)
	}
	return &Store{cfg: cfg, pool: pool, readTime: readTime}, nil
}

// Served reports whether a node works on the store.
func (s *Store) Served(ctx context.Context) (served bool, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error { return rows.Scan(&served) }, "SELECT EXISTS (SELECT FROM nodes WHERE expires_at > now())")
	if err != nil {
		return false, fmt.Errorf("looking for nodes: %w", err)
	}
	return served, nil
}

// Where says which server has the database, for people: never the password.
func (s *Store) Where(ctx context.Context) (string, error) {
	var version string
	err := s.query(ctx, func(rows pgx.Rows) error { return rows.Scan(&version) }, "SHOW server_version")
	if err != nil {
		return "", fmt.Errorf("asking for the server's version: %w", err)
	}
	at := s.pool.Config().ConnConfig
	return fmt.Sprintf("PostgreSQL %s at %s:%d, database %s", version, at.Host, at.Port, at.Database), nil
}

// Stock counts what is in the store. It reads all of it: it is for checks, not for
// requests.
func (s *Store) Stock(ctx context.Context) (h store.Stock, err error) {
	h.Runs, h.Rows = map[run.Status]int{}, map[string]int{}
	err = errors.Join(
		s.survey(ctx, countInto(h.Runs), "SELECT status, count(*) FROM runs WHERE NOT deleted GROUP BY status"),
		s.survey(ctx, countInto(h.Rows), "SELECT kind, count(*) FROM rows GROUP BY kind"),
		s.survey(ctx, func(rows pgx.Rows) error { return rows.Scan(&h.Events, &h.Jobs, &h.Orphans) },
			"SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM jobs), "+
				"(SELECT count(*) FROM events e WHERE NOT EXISTS (SELECT FROM runs r WHERE r.id = e.run AND NOT r.deleted))"),
	)
	if err != nil {
		return h, fmt.Errorf("counting what is stored: %w", err)
	}
	return h, nil
}
