package sqlite

import (
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
)

// rollback ends a transaction that failed before its commit: none of it is
// written. After an I/O error the connection is not trusted again.
func (w *writer) rollback(cause error) {
	w.forget()
	if w.conn == nil {
		return
	}
	if !w.conn.AutocommitEnabled() { // SQLite has not rolled back by itself
		if err := sqlitex.ExecuteTransient(w.conn, "ROLLBACK", nil); err != nil {
			w.disconnect()
			return
		}
	}
	if isIOError(cause) {
		w.disconnect()
	}
}

// settle finds out what became of a COMMIT that reported an error. It may have
// been written all the same, so the file is asked for the group's own traces:
// event ids, row versions, job ids. One transaction holds them all, so one trace
// answers for the group. nil means that it was written.
func (w *writer) settle(group []*item, cause error) error {
	defer w.kept.clear()
	w.suspect = w.suspect || isIOError(cause)
	w.rollback(cause)
	if err := w.connect(); err != nil {
		return unknown(errors.Join(cause, err))
	}
	written, err := w.landed(group)
	if err != nil {
		w.rollback(err)
		return unknown(errors.Join(cause, err))
	}
	if !written {
		return w.explain(cause)
	}
	w.audited = w.auditing
	w.logger.Warn("a commit reported an error but was written", "error", cause)
	return nil
}

func (w *writer) disconnect() {
	if err := w.conn.Close(); err != nil {
		w.logger.Warn("closing a database connection after an error", "error", err)
	}
	w.conn = nil
}

// trace is what the file says about one item.
type trace int

const (
	noTrace trace = iota // the item leaves none
	absent
	present
)

// landed reports whether the group's transaction is in the file.
func (w *writer) landed(group []*item) (bool, error) {
	decided := false
	for _, it := range group {
		if !it.admitted() {
			continue
		}
		found, err := w.trace(it)
		if err != nil || found == present {
			return err == nil, err
		}
		decided = decided || found == absent
	}
	if decided {
		return false, nil
	}
	// Nothing but removals: they are done when the things are gone, whoever
	// removed them.
	for _, it := range group {
		if !it.admitted() {
			continue
		}
		if gone, err := w.gone(it); err != nil || !gone {
			return false, err
		}
	}
	return true, nil
}

func (w *writer) trace(it *item) (trace, error) {
	for i := range it.commit.Runs {
		a := &it.commit.Runs[i]
		if a.Summary.Deleted {
			line, _, err := readLine(w.conn, a.ID)
			return found(line.Deleted), err
		}
		if len(a.Events) > 0 {
			return w.hasEvent(a.ID, &a.Events[0])
		}
	}
	for i := range it.commit.Rows {
		if row := &it.commit.Rows[i]; !row.Check && !row.Delete {
			clear(w.rows) // they hold what was meant to be written
			state, err := w.row(rowKey{row.Kind, row.Project, row.ID})
			return found(state.version >= it.versions[i]), err
		}
	}
	if len(it.commit.Jobs) > 0 {
		_, there, err := w.job(it.firstJob)
		return found(there), err
	}
	if len(it.commit.Audit) > 0 {
		end, err := lastAudit(w.conn)
		return found(end == w.auditing), err
	}
	if len(it.commit.Spend) > 0 {
		return absent, nil // a sum shows nobody's trace: better booked twice than not at all
	}
	return noTrace, nil
}

func found(there bool) trace {
	if there {
		return present
	}
	return absent
}

func (w *writer) hasEvent(id run.ID, e *run.Event) (trace, error) {
	stmt := w.stmts.hasEvent
	defer stmt.Reset()
	stmt.BindBytes(1, id[:])
	stmt.BindInt64(2, e.Seq)
	stmt.BindInt64(3, int64(e.ID))
	there, err := stmt.Step()
	return found(there), err
}

// gone reports whether what the item removes is not there, or a job that it puts
// off has its new time.
func (w *writer) gone(it *item) (bool, error) {
	clear(w.rows)
	if it.purge != nil && len(it.purge.runs) > 0 {
		line, there, err := readLine(w.conn, it.purge.runs[0])
		return !there || line.Deleted, err // what is left goes with the next one
	}
	for i := range it.commit.Rows {
		if row := &it.commit.Rows[i]; row.Delete {
			if state, err := w.row(rowKey{row.Kind, row.Project, row.ID}); err != nil || state.version != 0 {
				return false, err
			}
		}
	}
	if it.finish != 0 {
		_, there, err := w.job(it.finish)
		return !there, err
	}
	if it.retry != 0 {
		due, there, err := w.job(it.retry)
		return !there || due.Equal(it.due.Truncate(time.Millisecond)), err
	}
	return true, nil
}

func (w *writer) job(id int64) (due time.Time, there bool, err error) {
	stmt := w.stmts.selectJob
	defer stmt.Reset()
	stmt.BindInt64(1, id)
	there, err = stmt.Step()
	if there {
		due = time.UnixMilli(stmt.ColumnInt64(0))
	}
	return due, there, err
}

// explain makes an error of the transaction one that callers can act on.
func (w *writer) explain(cause error) error {
	switch {
	case isFull(cause), isIOError(cause) && diskFull(w.dir()):
		return problem.New(problem.StorageFull, "The disk of this server is full: nothing was written. "+
			"Reading still works; writing will when there is space again.").Because(cause)
	case sqlite.ErrCode(cause).ToPrimary() == sqlite.ResultBusy:
		busy := problem.New(problem.Overloaded, "Another program holds the database of this server: nothing was written. Try again.")
		busy.RetryAfter = time.Second
		return busy.Because(cause)
	}
	return problem.New(problem.Internal, "The database of this server failed: nothing was written. "+
		"Its log has the cause.").Because(cause)
}

// unknown says the truth when even looking failed.
func unknown(cause error) error {
	return problem.New(problem.Internal, "The database of this server failed, and whether this was written "+
		"is not known. Look before you try again.").Because(cause)
}

func isFull(err error) bool { return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull }

func isIOError(err error) bool { return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultIOErr }
