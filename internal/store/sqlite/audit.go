package sqlite

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

const (
	auditColumns = "seq, at, project, actor, actor_name, source, request, action, target, data, hash"
	addAuditSQL  = "INSERT INTO audit (" + auditColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

// auditEnd is the last line of the log.
type auditEnd struct {
	seq  int64
	hash [32]byte
}

// lastAudit reads the end of the log, from which the writer counts on.
func lastAudit(conn *sqlite.Conn) (end auditEnd, err error) {
	stmt, err := conn.Prepare("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
	if err != nil {
		return end, err
	}
	defer stmt.Reset()
	if found, err := stmt.Step(); err != nil || !found {
		return end, err
	}
	end.seq = stmt.ColumnInt64(0)
	stmt.ColumnBytes(1, end.hash[:])
	return end, nil
}

// writeAudit appends the group's lines to the log. If the transaction fails, the
// lines have not been counted.
func (w *writer) writeAudit(group []*item) error {
	w.auditing = w.audited
	for _, it := range group {
		for i := range it.commit.Audit {
			if !it.admitted() {
				break
			}
			line := it.commit.Audit[i]
			line.Seq = w.auditing.seq + 1
			line.Hash = store.Chain(w.auditing.hash, &line)
			w.auditing = auditEnd{line.Seq, line.Hash}
			bindAudit(w.stmts.addAudit, &line)
			if err := w.exec("add audit", w.stmts.addAudit); err != nil {
				return err
			}
		}
	}
	return nil
}

func bindAudit(stmt *sqlite.Stmt, a *run.Audit) {
	stmt.BindInt64(1, a.Seq)
	stmt.BindInt64(2, store.Millis(a.At))
	for i, text := range []string{a.Project, a.Actor, a.ActorName, a.From, a.Request, a.Action, a.Target} {
		stmt.BindText(i+3, text)
	}
	stmt.BindBytes(10, a.Data)
	stmt.BindBytes(11, a.Hash[:])
}

// Audits returns lines of the audit log, oldest first, behind the given seq; of all
// projects where none is named; limit 0 = all.
func (s *Store) Audits(ctx context.Context, project string, after int64, limit int) (all []run.Audit, err error) {
	where := "seq > ?"
	if project != "" {
		where = "project = ? AND seq > ?"
	}
	if limit <= 0 {
		limit = math.MaxInt32
	}
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT " + auditColumns + " FROM audit WHERE " + where + " ORDER BY seq LIMIT ?")
		if err != nil {
			return err
		}
		defer stmt.Reset()
		at := 1
		if project != "" {
			stmt.BindText(at, project)
			at++
		}
		stmt.BindInt64(at, after)
		stmt.BindInt64(at+1, int64(limit))
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			all = append(all, scanAudit(stmt))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return all, nil
}

func scanAudit(stmt *sqlite.Stmt) run.Audit {
	a := run.Audit{
		Seq: stmt.ColumnInt64(0), At: store.Time(stmt.ColumnInt64(1)), Project: stmt.ColumnText(2),
		Actor: stmt.ColumnText(3), ActorName: stmt.ColumnText(4), From: stmt.ColumnText(5), Request: stmt.ColumnText(6),
		Action: stmt.ColumnText(7), Target: stmt.ColumnText(8), Data: columnBytes(stmt, 9),
	}
	stmt.ColumnBytes(10, a.Hash[:])
	return a
}
