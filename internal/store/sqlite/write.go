package sqlite

import (
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/run"
	"errand/internal/store"
)

// statements are the writer's, prepared once per connection.
type statements struct {
	begin, commit                       *sqlite.Stmt
	insertEvent, hasEvent, deleteEvents *sqlite.Stmt
	insertLine, updateProgress          *sqlite.Stmt
	updateStand, updateLine             *sqlite.Stmt
	selectRow, selectName               *sqlite.Stmt
	putRow, deleteRow, freeName, sweep  *sqlite.Stmt
	insertJob, finishJob, retryJob      *sqlite.Stmt
	selectJob, addSpend, addAudit       *sqlite.Stmt
	purgeJobs, purgeEvents, purgeLine   *sqlite.Stmt
}

// sweepRows bounds the expired rows that one group deletes, and sweepEvery how
// often one does: 500 a second are more than a busy server writes.
const (
	sweepRows  = 500
	sweepEvery = 1000 // milliseconds
)

const rowColumns = "kind, project, id, name, version, created, expires, data"

func prepare(conn *sqlite.Conn) (statements, error) {
	var s statements
	const oneRow = " WHERE kind = ? AND project = ? AND id = ?"
	for _, one := range []struct {
		stmt **sqlite.Stmt
		sql  string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.insertEvent, "INSERT INTO events (run, seq, id, at, type, data) VALUES (?, ?, ?, ?, ?, ?)"},
		{&s.hasEvent, "SELECT 1 FROM events WHERE run = ? AND seq = ? AND id = ?"},
		{&s.deleteEvents, "DELETE FROM events WHERE run = ?"},
		{&s.insertLine, insertLineSQL()},
		{&s.updateProgress, updateLineSQL(progressColumns)},
		{&s.updateStand, updateLineSQL(standColumns + ", " + progressColumns)},
		{&s.updateLine, updateLineSQL(fixedColumns + ", " + standColumns + ", " + progressColumns)},
		{&s.selectRow, "SELECT version, name FROM rows" + oneRow + unexpired},
		{&s.selectName, "SELECT id FROM rows WHERE kind = ? AND project = ? AND name = ? AND name <> ''" + unexpired},
		{&s.putRow, "INSERT INTO rows (" + rowColumns + ") VALUES (" + marks(rowColumns) + ") " +
			"ON CONFLICT (kind, project, id) DO UPDATE SET name = excluded.name, version = excluded.version, " +
			"created = excluded.created, expires = excluded.expires, data = excluded.data"},
		{&s.deleteRow, "DELETE FROM rows" + oneRow},
		{&s.freeName, "DELETE FROM rows WHERE kind = ? AND project = ? AND name = ? AND name <> '' AND expires > 0 AND expires <= ?"},
		{&s.sweep, fmt.Sprintf("DELETE FROM rows WHERE (kind, project, id) IN (SELECT kind, project, id FROM rows "+
			"WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT %d)", sweepRows)},
		{&s.insertJob, "INSERT INTO jobs (id, due, kind, run, tries, data) VALUES (?, ?, ?, ?, 0, ?)"},
		{&s.finishJob, "DELETE FROM jobs WHERE id = ?"},
		{&s.retryJob, "UPDATE jobs SET tries = tries + 1, due = ? WHERE id = ?"},
		{&s.selectJob, "SELECT due FROM jobs WHERE id = ?"},
		{&s.addSpend, addSpendSQL},
		{&s.addAudit, addAuditSQL},
		{&s.purgeJobs, "DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE run = ? LIMIT ?)"},
		{&s.purgeEvents, "DELETE FROM events WHERE (run, seq) IN (SELECT run, seq FROM events WHERE run = ? ORDER BY seq LIMIT ?)"},
		{&s.purgeLine, "DELETE FROM runs WHERE id = ? AND ? > 0"},
	} {
		stmt, err := conn.Prepare(one.sql)
		if err != nil {
			return s, err
		}
		*one.stmt = stmt
	}
	return s, nil
}

// write puts what was admitted into the transaction: events, rows and jobs in
// the order of the items, then each run's line once, however often it changed.
func (w *writer) write(group []*item) error {
	if w.moment >= w.nextSweep {
		w.nextSweep = w.moment + sweepEvery
		w.stmts.sweep.BindInt64(1, w.moment)
		if err := w.exec("sweep", w.stmts.sweep); err != nil {
			return err
		}
	}
	for _, it := range group {
		if !it.admitted() {
			continue
		}
		if err := w.writeItem(it); err != nil {
			return err
		}
	}
	for _, h := range w.dirty {
		if err := w.writeLine(h); err != nil {
			return err
		}
	}
	if err := w.writeSpend(group); err != nil {
		return err
	}
	return w.writeAudit(group)
}

func (w *writer) writeItem(it *item) error {
	if it.purge != nil {
		return w.writePurge(it.purge)
	}
	bodies := it.bodies
	for i := range it.commit.Runs {
		a := &it.commit.Runs[i]
		if err := w.writeEvents(a, bodies[:len(a.Events)]); err != nil {
			return err
		}
		bodies = bodies[len(a.Events):]
	}
	for i := range it.commit.Rows {
		if err := w.writeRow(&it.commit.Rows[i], it.versions[i]); err != nil {
			return err
		}
	}
	return w.writeJobs(it)
}

func (w *writer) writeEvents(a *run.Append, bodies [][]byte) error {
	if a.Summary.Deleted {
		w.stmts.deleteEvents.BindBytes(1, a.ID[:])
		return w.exec("delete events", w.stmts.deleteEvents)
	}
	stmt := w.stmts.insertEvent
	for i := range a.Events {
		e := &a.Events[i]
		stmt.BindBytes(1, a.ID[:])
		stmt.BindInt64(2, e.Seq)
		stmt.BindInt64(3, int64(e.ID))
		stmt.BindInt64(4, store.Millis(e.At))
		stmt.BindText(5, string(e.Type))
		stmt.BindBytes(6, bodies[i])
		if err := w.exec("insert event", stmt); err != nil {
			return err
		}
	}
	return nil
}

// writeLine writes the columns that have changed since the line was last stored.
func (w *writer) writeLine(h *head) error {
	switch {
	case !h.exists, h.filed && h.line == h.stored:
		return nil // only an item that was taken back has touched it
	case !h.filed:
		stmt := w.stmts.insertLine
		stmt.BindBytes(1, h.line.ID[:])
		bindProgress(stmt, bindStand(stmt, bindFixed(stmt, 2, &h.line), &h.line), &h.line)
		return w.exec("insert line", stmt)
	case sameStand(&h.line, &h.stored):
		stmt := w.stmts.updateProgress
		stmt.BindBytes(bindProgress(stmt, 1, &h.line), h.line.ID[:])
		return w.exec("update progress", stmt)
	case sameFixed(&h.line, &h.stored):
		stmt := w.stmts.updateStand
		stmt.BindBytes(bindProgress(stmt, bindStand(stmt, 1, &h.line), &h.line), h.line.ID[:])
		return w.exec("update stand", stmt)
	default:
		stmt := w.stmts.updateLine
		at := bindProgress(stmt, bindStand(stmt, bindFixed(stmt, 1, &h.line), &h.line), &h.line)
		stmt.BindBytes(at, h.line.ID[:])
		return w.exec("update line", stmt)
	}
}

func (w *writer) writeRow(row *run.RowWrite, version int64) error {
	key := rowKey{row.Kind, row.Project, row.ID}
	switch {
	case row.Check:
		return nil
	case row.Delete:
		bindKey(w.stmts.deleteRow, 1, key)
		return w.exec("delete row", w.stmts.deleteRow)
	}
	if row.Name != "" {
		stmt := w.stmts.freeName
		stmt.BindText(1, row.Kind)
		stmt.BindText(2, row.Project)
		stmt.BindText(3, row.Name)
		stmt.BindInt64(4, w.moment)
		if err := w.exec("free name", stmt); err != nil {
			return err
		}
	}
	stmt := w.stmts.putRow
	bindKey(stmt, 1, key)
	stmt.BindText(4, row.Name)
	stmt.BindInt64(5, version)
	stmt.BindInt64(6, store.Millis(row.Created))
	stmt.BindInt64(7, store.Millis(row.Expires))
	stmt.BindBytes(8, row.Data)
	return w.exec("put row", stmt)
}

func (w *writer) writeJobs(it *item) error {
	it.firstJob = w.nextJob
	for i := range it.commit.Jobs {
		job := &it.commit.Jobs[i]
		stmt := w.stmts.insertJob
		stmt.BindInt64(1, w.nextJob)
		stmt.BindInt64(2, store.Millis(job.Due))
		stmt.BindText(3, job.Kind)
		if job.Run.IsZero() {
			stmt.BindBytes(4, nil)
		} else {
			stmt.BindBytes(4, job.Run[:])
		}
		stmt.BindBytes(5, job.Data)
		w.nextJob++
		if err := w.exec("insert job", stmt); err != nil {
			return err
		}
	}
	if it.finish != 0 {
		w.stmts.finishJob.BindInt64(1, it.finish)
		return w.exec("finish job", w.stmts.finishJob)
	}
	if it.retry != 0 {
		w.stmts.retryJob.BindInt64(1, store.Millis(it.due))
		w.stmts.retryJob.BindInt64(2, it.retry)
		return w.exec("retry job", w.stmts.retryJob)
	}
	return nil
}

// lastJob returns an id above those of all jobs. Ids are given out by the writer,
// so that it knows after a failed commit what to look for.
func lastJob(conn *sqlite.Conn) (int64, error) {
	stmt, err := conn.Prepare("SELECT coalesce(max(id), 0) + 1 FROM jobs")
	if err != nil {
		return 0, err
	}
	return sqlitex.ResultInt64(stmt)
}
