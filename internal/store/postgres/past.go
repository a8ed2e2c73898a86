package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// Past lists runs of one project, oldest first, behind the given id, deleted ones
// included: those that ended before a time, or with the zero time all of them; limit
// 0 = all.
func (s *Store) Past(ctx context.Context, project string, ended time.Time, after run.ID, limit int) (list []run.Summary, err error) {
	sql, arguments := pastSQL(project, ended, after, limit)
	if err := s.query(ctx, collect(&list), sql, arguments...); err != nil {
		return nil, fmt.Errorf("listing past runs: %w", err)
	}
	return list, nil
}

// pastSQL walks up two indexes, because deleted runs have one of their own.
func pastSQL(project string, ended time.Time, after run.ID, limit int) (string, []any) {
	where, arguments := " AND project = $1 AND id > $2", []any{store.Text(project), [16]byte(after), most(limit)}
	if !ended.IsZero() {
		// A run that was made after the time has not ended before it, so that the walk
		// ends there: what is kept costs nothing.
		where += " AND id < $4 AND ended_at > 0 AND ended_at < $5"
		arguments = append(arguments, [16]byte(run.NewID(ended.Add(idSlack), 0, 0)), store.Millis(ended))
	}
	const end = " ORDER BY id LIMIT $3"
	const columns = "SELECT " + lineColumns + " FROM runs WHERE "
	return "(" + columns + "NOT deleted" + where + end + ") UNION ALL (" + columns + "deleted" + where + end + ")" + end, arguments
}

// kindsSQL steps from kind to kind down the index, however many rows each has.
const kindsSQL = "WITH RECURSIVE k (kind) AS ((SELECT kind FROM rows ORDER BY kind LIMIT 1) UNION ALL " +
	"SELECT (SELECT rows.kind FROM rows WHERE rows.kind > k.kind ORDER BY rows.kind LIMIT 1) FROM k WHERE k.kind IS NOT NULL) " +
	"SELECT kind FROM k WHERE kind IS NOT NULL AND EXISTS (SELECT FROM rows WHERE rows.kind = k.kind AND project = $1 AND (expires = 0 OR expires > $2)) ORDER BY kind"

// Kinds names the kinds of rows that a project has.
func (s *Store) Kinds(ctx context.Context, project string) (kinds []string, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		var kind string
		err := rows.Scan(&kind)
		kinds = append(kinds, kind)
		return err
	}, kindsSQL, store.Text(project), s.cfg.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("listing the kinds of rows of %s: %w", project, err)
	}
	return kinds, nil
}

// Queue knows the jobs that Config.Jobs has written. queue/river's Writer is one.
type Queue interface {
	queueLists
	// Forget deletes jobs of a run, as part of tx, and no more than most of them; it
	// returns how many. One that is being done stays.
	Forget(ctx context.Context, tx pgx.Tx, id run.ID, most int) (int, error)
	// Drop deletes a job that nobody is doing, as part of tx.
	Drop(ctx context.Context, tx pgx.Tx, id int64) error
}

type queueLists interface {
	// Loose lists jobs that belong to no run, by id, behind the given one; limit 0 = all.
	Loose(ctx context.Context, tx pgx.Tx, after int64, limit int) ([]run.Job, error)
	// Waiting lists jobs that nobody is doing, those that are due first, due or not; limit
	// 0 = all.
	Waiting(ctx context.Context, tx pgx.Tx, limit int) ([]run.Job, error)
	// Strays counts jobs of runs that are not there.
	Strays(ctx context.Context, tx pgx.Tx) (int, error)
}

// LooseJobs lists jobs that belong to no run, by id, behind the given one.
func (s *Store) LooseJobs(ctx context.Context, after int64, limit int) (jobs []run.Job, err error) {
	if s.cfg.Queue != nil {
		err = s.ask(ctx, s.readTime, func(ctx context.Context, tx pgx.Tx) error {
			jobs, err = s.cfg.Queue.Loose(ctx, tx, after, limit)
			return err
		})
		return jobs, err
	}
	err = s.query(ctx, collectJobs(&jobs), "SELECT "+jobColumns+" FROM jobs WHERE run = $1 AND id > $2 ORDER BY id LIMIT $3", [16]byte{}, after, most(limit))
	if err != nil {
		return nil, fmt.Errorf("reading jobs of no run: %w", err)
	}
	return jobs, nil
}

// Purge removes runs that have ended, in the given order: their events, their jobs,
// their lines, and no more than most of these in this one commit. It returns how many
// went; fewer than most say that nothing is left of the runs. From the commit on in
// which its first event goes a run is deleted to whoever looks. One that is not there
// is no error; one that has not ended is run.ErrConflict, and then nothing goes.
func (s *Store) Purge(ctx context.Context, runs []run.ID, most int) (removed int, err error) {
	if s.writer == nil || s.closed.Load() {
		return 0, store.ErrClosed
	}
	for try := 0; ; try++ {
		err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			removed = 0
			return s.purge(ctx, tx, runs, most, &removed)
		})
		switch {
		case err == nil:
			return removed, nil
		case isContended(err) && try < contended:
			continue // another node was at it
		case err == run.ErrConflict:
			return 0, err
		}
		return 0, explain(sent(err))
	}
}

func (s *Store) purge(ctx context.Context, tx pgx.Tx, runs []run.ID, most int, removed *int) error {
	there, err := lockEnded(ctx, tx, runs)
	if err != nil {
		return err
	}
	// The log goes from its beginning, so that nobody takes what is left of it for a
	// run; the line goes last, because it says that there was one.
	for _, id := range runs {
		if s.cfg.Queue != nil {
			gone, err := s.cfg.Queue.Forget(ctx, tx, id, most-*removed)
			if err != nil {
				return err
			}
			*removed += gone
		}
		for _, part := range []string{
			"DELETE FROM events WHERE run = $1 AND seq IN (SELECT seq FROM events WHERE run = $1 ORDER BY seq LIMIT $2)",
			"DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE run = $1 LIMIT $2)",
			"DELETE FROM runs WHERE id = $1 AND $2 > 0",
		} {
			left := most - *removed
			tag, err := tx.Exec(ctx, part, [16]byte(id), left)
			if err != nil {
				return err
			}
			*removed += int(tag.RowsAffected())
		}
		if *removed == most {
			// Whether anything is left of this one is found out the next time.
			return markDeleted(ctx, tx, id, there)
		}
	}
	return nil
}

// lockEnded locks the lines of the runs and returns which are there.
func lockEnded(ctx context.Context, tx pgx.Tx, runs []run.ID) (there []run.ID, err error) {
	ids := make([][16]byte, len(runs))
	for i, id := range runs {
		ids[i] = id
	}
	rows, err := tx.Query(ctx, "SELECT "+lineColumns+" FROM runs WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		line, err := scanLine(rows)
		if err != nil {
			return nil, err
		}
		if !line.Deleted && !line.Status.Terminal() {
			return nil, run.ErrConflict
		}
		there = append(there, line.ID)
	}
	return there, rows.Err()
}

func markDeleted(ctx context.Context, tx pgx.Tx, id run.ID, there []run.ID) error {
	if !slices.Contains(there, id) {
		return nil
	}
	_, err := tx.Exec(ctx, "UPDATE runs SET deleted = true, live = false WHERE id = $1", [16]byte(id))
	return err
}

// Owners names all projects that have runs or rows. It is for checks.
func (s *Store) Owners(ctx context.Context) (owners []string, err error) {
	err = s.survey(ctx, func(rows pgx.Rows) error {
		var owner string
		err := rows.Scan(&owner)
		owners = append(owners, owner)
		return err
	}, "SELECT DISTINCT project FROM runs WHERE project <> '' UNION SELECT DISTINCT project FROM rows WHERE project <> '' AND (expires = 0 OR expires > $1) ORDER BY 1", s.cfg.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("listing the owners of what is stored: %w", err)
	}
	return owners, nil
}

// Strays counts jobs of runs that are not there. It is for checks.
func (s *Store) Strays(ctx context.Context) (count int, err error) {
	err = s.ask(ctx, surveyTime, func(ctx context.Context, tx pgx.Tx) error {
		const own = "SELECT count(*) FROM jobs WHERE run <> $1 AND NOT EXISTS (SELECT FROM runs WHERE id = jobs.run)"
		if err := tx.QueryRow(ctx, own, [16]byte{}).Scan(&count); err != nil || s.cfg.Queue == nil {
			return err
		}
		more, err := s.cfg.Queue.Strays(ctx, tx)
		count += more
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting jobs of no run: %w", err)
	}
	return count, nil
}
