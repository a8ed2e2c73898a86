package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/run"
	"errand/internal/store"
)

// Past lists runs of one project, oldest first, behind the given id, deleted ones
// included: those that ended before a time, or with the zero time all of them; limit
// 0 = all.
func (s *Store) Past(ctx context.Context, project string, ended time.Time, after run.ID, limit int) ([]run.Summary, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	var lines []run.Summary
	for _, deleted := range []int{0, 1} { // each has an index of its own
		walk := walk{project: project, deleted: deleted, ended: ended, after: after, limit: limit}
		for more := true; more; {
			err := s.readers.use(ctx, func(conn *sqlite.Conn) (err error) {
				more, err = walk.chunk(conn)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("listing past runs: %w", err)
			}
		}
		lines = append(lines, walk.found...)
	}
	slices.SortFunc(lines, func(a, b run.Summary) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return lines[:min(len(lines), limit)], nil
}

// walk goes up an index, oldest run first.
type walk struct {
	project string
	deleted int
	ended   time.Time
	after   run.ID
	limit   int
	found   []run.Summary
}

// chunk looks at up to scanRows lines in one transaction, and reports whether there
// are more to look at. A run that was made after the time has not ended before it,
// so that the walk ends there: what is kept costs nothing.
func (w *walk) chunk(conn *sqlite.Conn) (more bool, err error) {
	stmt, err := conn.Prepare(fmt.Sprintf("SELECT "+lineColumns+" FROM runs WHERE deleted = %d AND project = ? AND id > ? AND id < ? ORDER BY id", w.deleted))
	if err != nil {
		return false, err
	}
	defer stmt.Reset()
	below := bytes.Repeat([]byte{0xff}, len(run.ID{})+1) // above every id
	if !w.ended.IsZero() {
		last := run.NewID(w.ended.Add(idSlack), 0, 0)
		below = last[:]
	}
	stmt.BindText(1, w.project)
	stmt.BindBytes(2, w.after[:])
	stmt.BindBytes(3, below)
	for range scanRows {
		if there, err := stmt.Step(); err != nil || !there {
			return false, err
		}
		line := scanLine(stmt)
		w.after = line.ID
		if !store.EndedBefore(&line, w.ended) {
			continue
		}
		if w.found = append(w.found, line); len(w.found) == w.limit {
			return false, nil
		}
	}
	return true, nil
}

const kindsSQL = "SELECT kind FROM rows WHERE kind > ? ORDER BY kind LIMIT 1"

// Kinds names the kinds of rows that a project has.
func (s *Store) Kinds(ctx context.Context, project string) (kinds []string, err error) {
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		has, err := conn.Prepare("SELECT 1 FROM rows WHERE kind = ? AND project = ?" + unexpired + " LIMIT 1")
		if err != nil {
			return err
		}
		var all []string
		if err := walkTexts(conn, kindsSQL, nil, func(kind string) { all = append(all, kind) }); err != nil {
			return err
		}
		for _, kind := range all {
			has.BindInt64(3, s.cfg.Now().UnixMilli())
			if there, err := textOf(has, nil, kind, project); err != nil {
				return err
			} else if there {
				kinds = append(kinds, kind)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the kinds of rows of %s: %w", project, err)
	}
	return kinds, nil
}

// textOf runs a statement with texts as its first parameters, and puts the first
// column of its first row into into, unless that is nil.
func textOf(stmt *sqlite.Stmt, into *string, args ...string) (there bool, err error) {
	for i, arg := range args {
		stmt.BindText(i+1, arg)
	}
	if there, err = stmt.Step(); there && into != nil {
		*into = stmt.ColumnText(0)
	}
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	return there, err
}

// LooseJobs lists jobs that belong to no run, by id, behind the given one.
func (s *Store) LooseJobs(ctx context.Context, after int64, limit int) (jobs []run.Job, err error) {
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT " + jobColumns + " FROM jobs WHERE run = x'' AND id > ? ORDER BY id LIMIT ?")
		if err != nil {
			return err
		}
		defer stmt.Reset()
		stmt.BindInt64(1, after)
		stmt.BindInt64(2, int64(limit))
		jobs, err = scanJobs(stmt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading jobs of no run: %w", err)
	}
	return jobs, nil
}

// Purge removes runs that have ended, in the given order: their jobs, their events,
// their lines, and no more than most rows in this one commit. It returns how many
// went; fewer than most say that nothing is left of the runs. From the first commit
// on a run is deleted to whoever looks. One that is not there is no error; one that
// has not ended is run.ErrConflict, and then nothing goes.
func (s *Store) Purge(ctx context.Context, runs []run.ID, most int) (int, error) {
	if s.writer == nil {
		return 0, store.ErrClosed
	}
	if len(runs) == 0 {
		return 0, nil
	}
	purge := &purge{runs: runs, most: most}
	err := store.Wait(ctx, func(done func(error)) { s.writer.push(&item{purge: purge, done: done}) })
	return purge.gone(), err
}

// Owners names all projects that have runs or rows. It is for checks.
func (s *Store) Owners(ctx context.Context) (owners []string, err error) {
	found := map[string]bool{}
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		for _, walk := range []string{
			"SELECT project FROM runs WHERE deleted = 0 AND project > ? ORDER BY project LIMIT 1",
			"SELECT project FROM runs WHERE deleted = 1 AND project > ? ORDER BY project LIMIT 1",
		} {
			if err := walkTexts(conn, walk, nil, func(project string) { found[project] = true }); err != nil {
				return err
			}
		}
		var kinds []string
		if err := walkTexts(conn, kindsSQL, nil, func(kind string) { kinds = append(kinds, kind) }); err != nil {
			return err
		}
		for _, kind := range kinds {
			next := "SELECT project FROM rows WHERE kind = ? AND project > ?" + unexpired + " ORDER BY project LIMIT 1"
			args := []string{kind}
			if err := walkTexts(conn, next, args, func(project string) { found[project] = true }, s.cfg.Now().UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the owners of what is stored: %w", err)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// walkTexts passes the texts that a statement returns one by one, each time asked for
// the one above the last. Its parameters are the given texts, the last text, numbers.
func walkTexts(conn *sqlite.Conn, query string, args []string, take func(string), numbers ...int64) error {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	for last := ""; ; take(last) {
		for i, number := range numbers {
			stmt.BindInt64(len(args)+2+i, number)
		}
		if there, err := textOf(stmt, &last, append(slices.Clip(args), last)...); err != nil || !there {
			return err
		}
	}
}

// Strays counts jobs of runs that are not there. It is for checks.
func (s *Store) Strays(ctx context.Context) (count int, err error) {
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT count(*) FROM jobs WHERE run <> x'' AND NOT EXISTS (SELECT 1 FROM runs WHERE id = jobs.run)")
		if err != nil {
			return err
		}
		count, err = sqlitex.ResultInt(stmt)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("counting jobs of no run: %w", err)
	}
	return count, nil
}
