package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
)

// rememberedLines bounds the lines that the writer remembers: all runs that its node
// drives, and some that wait.
const rememberedLines = 4096

// session is the writer's connection as the server knows it.
type session struct {
	pid   int32
	began string
	// timeline is the server's history: one that takes over from another begins a new one,
	// which need not have all that the old one had. Empty = the server does not say.
	timeline string
}

// whoAmI asks the server for the session, by which its end can be found out later.
func whoAmI(ctx context.Context, conn *pgx.Conn) (s session, err error) {
	const sql = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
	if err := conn.QueryRow(ctx, sql).Scan(&s.pid, &s.began); err != nil {
		return s, err
	}
	err = conn.QueryRow(ctx, "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)").Scan(&s.timeline)
	switch code(err) {
	case "":
		return s, err
	case "55000":
		// It is in recovery: what its primary has not told it yet may be there all the same.
		return s, &lost{err}
	}
	return s, nil // some that are not PostgreSQL's own don't tell
}

// quick is a transaction that takes one round trip: it locks nothing beforehand, checks
// the group against the lines that the writer remembers, and writes on the condition
// that they are still so. A node is nearly always the only one that appends to the runs
// it drives. Nil when the group needs more than that: rows, lines for the audit log, a
// place in a lane, jobs for others, runs that are not remembered, or a commit that is refused, which must
// not be for what may be long past.
func (w *writer) quick(group []*item) *transaction {
	t := w.newTransaction(group)
	t.blind = true
	for _, it := range group {
		if it.err != nil {
			continue
		}
		if len(it.commit.Rows) > 0 || len(it.commit.Audit) > 0 {
			return nil
		}
		for i := range it.commit.Runs {
			a := &it.commit.Runs[i]
			if a.Bound != nil {
				return nil
			}
			if t.heads[a.ID] != nil {
				continue
			}
			line, known := w.lines[a.ID]
			if !known && a.Expected > 0 {
				return nil
			}
			t.heads[a.ID] = &head{line: line, exists: known, stored: line, filed: known}
		}
	}
	t.admit()
	for _, it := range group {
		if it.verdict != nil || w.cfg.Jobs != nil && len(it.jobs) > 0 {
			return nil
		}
	}
	if t.firstEvent() == nil {
		return nil // nothing would tell, after an answer that got lost, whether it is there
	}
	return t
}

// attemptQuick writes a quick transaction. done is false when it has found out that the
// group must be looked at closely; nothing is written then.
func (w *writer) attemptQuick(ctx context.Context, t *transaction) (done bool, err error) {
	if err = t.finish(ctx); err == nil {
		w.remember(t)
		w.quicks.Add(1)
		return true, nil
	}
	w.forget(t)
	if isDoubt(err) {
		return true, err
	}
	w.abandon(err)
	return false, nil
}

// remember keeps the lines that a transaction has written, of runs that go on.
func (w *writer) remember(t *transaction) {
	for id, h := range t.heads {
		if !h.exists || h.line.Status.Terminal() || h.line.Deleted {
			delete(w.lines, id)
		} else {
			w.lines[id] = h.line
		}
	}
	for id := range w.lines {
		if len(w.lines) <= rememberedLines {
			break
		}
		delete(w.lines, id)
	}
}

func (w *writer) forget(t *transaction) {
	for id := range t.heads {
		delete(w.lines, id)
	}
}

// conditions are what quick lines must still be like, one array per column.
type conditions struct {
	seqs, epochs []int64
	drivers      []string
}

func (c *conditions) add(line *run.Summary) {
	c.seqs, c.epochs, c.drivers = append(c.seqs, line.Seq), append(c.epochs, line.Epoch), append(c.drivers, line.Driver)
}
