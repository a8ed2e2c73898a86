package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/run"
	"errand/internal/store"
)

// Leases says which nodes live, by the server's clock, and takes from the dead ones
// the runs that they drove.
type Leases struct {
	s    *Store
	job  string
	pool *pgxpool.Pool
}

// leaseConns is how many connections leases have of their own: one is enough, and a
// second one renews while a takeover takes long. A lease must not run out because all
// others are at work.
const leaseConns = 2

// Leases returns the leases of the nodes that work on this store. job is the kind of
// job that asks for a driver. Close them before the store.
func (s *Store) Leases(ctx context.Context, job string) (*Leases, error) {
	parsed, err := parse(s.cfg.DSN)
	if err != nil {
		return nil, err
	}
	parsed.MaxConns, parsed.MinConns = leaseConns, 0
	pool, err := pgxpool.NewWithConfig(ctx, parsed)
	if err != nil {
		return nil, fmt.Errorf("opening connections for leases: %w", err)
	}
	return &Leases{s: s, job: job, pool: pool}, nil
}

// Close lets the connections go.
func (l *Leases) Close() { l.pool.Close() }

// Enter makes a node known, for the length of the lease.
func (l *Leases) Enter(ctx context.Context, name, address, version string, lease time.Duration) error {
	_, err := l.pool.Exec(ctx, `INSERT INTO nodes (id, address, version, epoch, started_at, expires_at)
		VALUES ($1, $2, $3, 0, now(), now() + $4 * interval '1 second')`, name, address, version, lease.Seconds())
	if err != nil {
		return fmt.Errorf("entering node %s: %w", name, err)
	}
	return nil
}

// Renew prolongs a lease, run out or not, to end that long from now, which it also
// returns, with the time at which the first lease of another node ends; zero = there is
// no other. Now is zero if the node has been buried.
func (l *Leases) Renew(ctx context.Context, name string, lease time.Duration) (now, next time.Time, err error) {
	var first *time.Time
	err = l.pool.QueryRow(ctx, `UPDATE nodes SET expires_at = now() + $2 * interval '1 second' WHERE id = $1
		RETURNING now(), (SELECT min(expires_at) FROM nodes WHERE id <> $1)`, name, lease.Seconds()).Scan(&now, &first)
	if errors.Is(err, pgx.ErrNoRows) {
		return now, next, nil
	}
	if err != nil {
		return now, next, fmt.Errorf("renewing the lease of node %s: %w", name, err)
	}
	if first != nil {
		next = *first
	}
	return now, next, nil
}

// runOut is true of a lease that ended $2 seconds ago or earlier, or that ends later
// than any could that was renewed since the clock was set back.
const runOut = ` (expires_at <= now() - $2 * interval '1 second' OR expires_at > now() + ($2 + 10) * interval '1 second') `

// Dead names the nodes whose lease ran out that long ago or longer, and those that
// have runs and are not known: an append of theirs came after they were buried.
func (l *Leases) Dead(ctx context.Context, grace time.Duration) ([]string, error) {
	rows, err := l.pool.Query(ctx, deadSQL, "", grace.Seconds())
	if err != nil {
		return nil, fmt.Errorf("looking for dead nodes: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("looking for dead nodes: %w", err)
	}
	return names, nil
}

// The drivers are found by going from one to the next in the index, however many runs
// each has.
const deadSQL = `WITH RECURSIVE drivers AS (
	SELECT min(driver) AS id FROM runs WHERE live AND driver > $1
	UNION ALL
	SELECT (SELECT min(driver) FROM runs WHERE live AND driver > drivers.id) FROM drivers WHERE drivers.id IS NOT NULL
)
SELECT id FROM nodes WHERE` + runOut + `
UNION
SELECT id FROM drivers WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM nodes WHERE nodes.id = drivers.id)`

// Living names the nodes that have not been buried.
func (l *Leases) Living(ctx context.Context) ([]string, error) {
	rows, err := l.pool.Query(ctx, "SELECT id FROM nodes ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("listing the nodes: %w", err)
	}
	return names, nil
}

// takenAtOnce is how many runs of a dead node one transaction gives away: however many
// there are, and however slow the server, what has been given away stays so when time
// is up. Who comes next goes on with the rest.
const takenAtOnce = 200

// Bury forgets a node that is dead still, and gives its runs to whoever comes: the job
// that asks for a driver is in the transaction in which a run loses its own. It returns
// how many runs those were, also with an error: the rest is found by Dead. A run that
// needs no driver keeps the name; it is found when it needs one.
func (l *Leases) Bury(ctx context.Context, name string, grace time.Duration) (runs int, err error) {
	alive := false
	if _, err = l.pool.Exec(ctx, "DELETE FROM nodes WHERE id = $1 AND"+runOut, name, grace.Seconds()); err == nil {
		err = l.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM nodes WHERE id = $1)", name).Scan(&alive)
	}
	for more := true; more && err == nil && !alive; {
		taken := 0
		taken, err = l.take(ctx, name)
		runs, more = runs+taken, taken > 0
	}
	if runs > 0 {
		l.s.writer.pokeJobs()
	}
	if err != nil {
		return runs, fmt.Errorf("burying node %s: %w", name, err)
	}
	return runs, nil
}

// take takes a node's name out of some of its runs, with jobs that ask for others, and
// returns how many. The lines are locked in the order in which commits lock them.
func (l *Leases) take(ctx context.Context, name string) (taken int, err error) {
	err = pgx.BeginFunc(ctx, l.pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, "SELECT id FROM runs WHERE live AND driver = $1 ORDER BY id LIMIT $2 FOR UPDATE", name, takenAtOnce)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[[16]byte])
		if err != nil || len(ids) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, "UPDATE runs SET driver = '' WHERE id = ANY($1)", ids); err != nil {
			return err
		}
		jobs, now := make([]run.Job, len(ids)), l.s.cfg.Now()
		for i, id := range ids {
			jobs[i] = run.Job{Kind: l.job, Run: id, Due: now}
		}
		taken = len(ids)
		return l.insert(ctx, tx, jobs)
	})
	if err != nil {
		return 0, err
	}
	return taken, nil
}

// insert gives the jobs to whom Config names, or to the store's own table.
func (l *Leases) insert(ctx context.Context, tx pgx.Tx, jobs []run.Job) error {
	if l.s.cfg.Jobs != nil {
		return l.s.cfg.Jobs(ctx, tx, jobs)
	}
	ids := make([][16]byte, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].Run
	}
	_, err := tx.Exec(ctx, "INSERT INTO jobs (due, kind, run, data) SELECT $1, $2, run, '' FROM unnest($3::uuid[]) AS run",
		store.Millis(jobs[0].Due), l.job, ids)
	return err
}

// Seqs returns how far the logs of runs reach; runs that are not there are left out.
func (s *Store) Seqs(ctx context.Context, ids []run.ID) (map[run.ID]int64, error) {
	seqs, keys := make(map[run.ID]int64, len(ids)), make([][16]byte, len(ids))
	for i, id := range ids {
		keys[i] = id
	}
	err := s.query(ctx, func(rows pgx.Rows) error {
		var id [16]byte
		var seq int64
		err := rows.Scan(&id, &seq)
		seqs[id] = seq
		return err
	}, "SELECT id, seq FROM runs WHERE id = ANY($1) AND NOT deleted", keys)
	if err != nil {
		return nil, fmt.Errorf("asking how far %d logs reach: %w", len(ids), err)
	}
	return seqs, nil
}
