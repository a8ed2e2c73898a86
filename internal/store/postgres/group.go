package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"errand/internal/run"
	"errand/internal/store"
)

// groupTimeout bounds one attempt to write a group, for a server that does not even
// end its connections. It is above what the server waits for locks.
const groupTimeout = 12 * time.Second

// transaction is one attempt to write a group.
type transaction struct {
	w       *writer
	conn    *pgx.Conn
	group   []*item
	moment  int64 // Unix milliseconds
	blind   bool  // nothing is locked: lines are written if they are as they were known
	xid     string
	heads   map[run.ID]*head
	dirty   []*head
	rows    map[rowKey]rowState
	names   map[nameKey]holder
	undone  []undo
	audited auditEnd
	lanes   map[run.LaneID]*run.Places // those in which somebody wants a place, without who is in none
	nodes   map[string]bool            // that have not been buried, if there are lanes
}

// transact writes what is admitted of a group: all of it or, when it returns an
// error, nothing, unless the error is a doubt.
func (w *writer) transact(group []*item) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), groupTimeout)
	defer cancel()
	if err := w.connect(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.abandon(err)
		}
	}()
	if t := w.quick(group); t != nil {
		done, err := w.attemptQuick(ctx, t)
		if done {
			return err
		}
		if err := w.connect(ctx); err != nil {
			return err
		}
		for _, it := range group {
			it.verdict = nil
		}
	}
	t := w.newTransaction(group)
	defer func() {
		if err == nil {
			w.remember(t)
		} else {
			w.forget(t)
		}
	}()
	if err := t.lock(ctx); err != nil {
		return err
	}
	t.admit()
	if err := t.handOver(ctx); err != nil {
		return err
	}
	return t.finish(ctx)
}

func (w *writer) newTransaction(group []*item) *transaction {
	return &transaction{
		w: w, conn: w.conn, group: group, moment: w.cfg.Now().UnixMilli(),
		heads: map[run.ID]*head{}, rows: map[rowKey]rowState{}, names: map[nameKey]holder{},
	}
}

// connect opens the writer's connection when it has none.
func (w *writer) connect(ctx context.Context) error {
	if w.conn != nil {
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, w.address)
	w.down = err != nil
	if err != nil {
		return &lost{fmt.Errorf("connecting: %w", err)}
	}
	if w.session, err = whoAmI(ctx, conn); err != nil {
		hangUp(conn)
		return sent(err)
	}
	w.conn = conn
	return nil
}

// abandon ends a transaction that failed. A connection that may hold more than a
// failed transaction is not used again.
func (w *writer) abandon(cause error) {
	if w.conn == nil {
		return
	}
	if !w.conn.IsClosed() && !isLost(cause) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := w.conn.Exec(ctx, "rollback"); err == nil {
			return
		}
	}
	hangUp(w.conn)
	w.conn = nil
}

// lock begins the transaction, locks what the group checks and reads it, in one round
// trip. Every node locks in this order: lanes by their keys, runs by id, rows by key, the
// audit log's end.
func (t *transaction) lock(ctx context.Context) error {
	batch := &pgx.Batch{}
	batch.Queue("begin")
	batch.Queue("SELECT pg_current_xact_id()::text").QueryRow(func(row pgx.Row) error { return row.Scan(&t.xid) })
	t.lockLanes(batch)
	t.lockRuns(batch)
	t.lockRows(batch)
	t.lockAudit(batch)
	t.fault("lock")
	return sent(t.conn.SendBatch(ctx, batch).Close())
}

func (t *transaction) lockRuns(batch *pgx.Batch) {
	for _, it := range t.group {
		for i := range it.commit.Runs {
			t.heads[it.commit.Runs[i].ID] = &head{}
		}
	}
	if len(t.heads) == 0 {
		return
	}
	ids := make([][16]byte, 0, len(t.heads))
	for id := range t.heads {
		ids = append(ids, id)
	}
	batch.Queue("SELECT "+lineColumns+" FROM runs WHERE id = ANY($1) ORDER BY id FOR UPDATE", ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			line, err := scanLine(rows)
			if err != nil {
				return err
			}
			*t.heads[line.ID] = head{line: line, exists: true, stored: line, filed: true}
		}
		return rows.Err()
	})
}

// lockRows locks rows that are to change, then those that are only held to their
// version, which several transactions may do at once.
func (t *transaction) lockRows(batch *pgx.Batch) {
	modes, names := map[rowKey]string{}, map[nameKey]bool{}
	for _, it := range t.group {
		for i := range it.commit.Rows {
			write := &it.commit.Rows[i]
			key := keyOf(write)
			if !write.Check {
				modes[key] = "UPDATE"
			} else if modes[key] == "" {
				modes[key] = "SHARE"
			}
			if write.Name != "" && !write.Check && !write.Delete {
				names[nameKey{key.kind, key.project, store.Text(write.Name)}] = true
			}
		}
	}
	for _, mode := range []string{"UPDATE", "SHARE"} {
		var kinds, projects, ids []string
		for key, its := range modes {
			if its == mode {
				kinds, projects, ids = append(kinds, key.kind), append(projects, key.project), append(ids, key.id)
			}
		}
		if ids == nil {
			continue
		}
		batch.Queue("SELECT r.kind, r.project, r.id, r.name, r.version, r.expires FROM rows r JOIN "+unnest("text", "text", "text")+
			" AS k (kind, project, id) ON (r.kind, r.project, r.id) = (k.kind, k.project, k.id) ORDER BY r.kind, r.project, r.id FOR "+mode+" OF r",
			kinds, projects, ids).Query(t.scanStates)
	}
	t.readNames(batch, names)
}

func (t *transaction) scanStates(rows pgx.Rows) error {
	for rows.Next() {
		var key rowKey
		var expires int64
		state := rowState{filed: true}
		if err := rows.Scan(&key.kind, &key.project, &key.id, &state.name, &state.version, &expires); err != nil {
			return err
		}
		if t.expired(expires) {
			state.version = 0
		}
		t.rows[key] = state
	}
	return rows.Err()
}

func (t *transaction) readNames(batch *pgx.Batch, names map[nameKey]bool) {
	if len(names) == 0 {
		return
	}
	var kinds, projects, wanted []string
	for key := range names {
		kinds, projects, wanted = append(kinds, key.kind), append(projects, key.project), append(wanted, key.name)
	}
	batch.Queue("SELECT r.kind, r.project, r.name, r.id, r.expires FROM rows r JOIN "+unnest("text", "text", "text")+
		" AS k (kind, project, name) ON (r.kind, r.project, r.name) = (k.kind, k.project, k.name) WHERE r.name <> ''",
		kinds, projects, wanted).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var key nameKey
			var who holder
			var expires int64
			if err := rows.Scan(&key.kind, &key.project, &key.name, &who.id, &expires); err != nil {
				return err
			}
			who.expired = t.expired(expires)
			t.names[key] = who
		}
		return rows.Err()
	})
}

func (t *transaction) expired(expires int64) bool { return expires > 0 && expires <= t.moment }

// handOver gives the group's new jobs to whom Config names.
func (t *transaction) handOver(ctx context.Context) error {
	var jobs []run.Job
	for _, it := range t.group {
		if it.admitted() {
			jobs = append(jobs, it.jobs...)
		}
	}
	if len(jobs) == 0 || t.w.cfg.Jobs == nil {
		return nil
	}
	// The transaction is open: what begins and ends here is a part of it.
	tx, err := t.conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: "savepoint errand_jobs", CommitQuery: "release savepoint errand_jobs"})
	if err != nil {
		return sent(err)
	}
	if err = t.w.cfg.Jobs(ctx, tx, jobs); err == nil {
		err = tx.Commit(ctx)
	}
	if err != nil && t.conn.IsClosed() {
		return &lost{err}
	}
	if err != nil {
		return fmt.Errorf("inserting jobs: %w", err)
	}
	return nil
}

// finish writes and commits, in one round trip.
func (t *transaction) finish(ctx context.Context) error {
	batch := &pgx.Batch{}
	if t.blind {
		batch.Queue("begin")
	}
	t.queueWrites(batch)
	committed := false
	batch.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == "COMMIT"
		return nil
	})
	t.fault("commit")
	err := t.conn.SendBatch(ctx, batch).Close()
	t.fault("committed")
	switch {
	case committed:
		return nil // whatever became of the connection afterwards
	case err == nil:
		return errors.New("the transaction was rolled back in place of being committed")
	case isLost(sent(err)):
		return &doubt{cause: err, xid: t.xid, session: t.w.session, event: t.firstEvent()}
	}
	return sent(err)
}

// firstEvent is what the group would leave in the database; nil when it has none.
func (t *transaction) firstEvent() *trace {
	for _, it := range t.group {
		for i := range it.commit.Runs {
			if a := &it.commit.Runs[i]; it.admitted() && len(a.Events) > 0 && !a.Summary.Deleted {
				return &trace{run: a.ID, seq: a.Events[0].Seq, id: int64(a.Events[0].ID)}
			}
		}
	}
	return nil
}

func (t *transaction) fault(point string) {
	if t.w.fault != nil {
		t.w.fault(point, t.conn)
	}
}

// sorted returns the keys of m in an order that all nodes share, so that they lock
// in it.
func sorted[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	return slices.SortedFunc(maps.Keys(m), compare)
}

func byID(a, b *head) int { return bytes.Compare(a.line.ID[:], b.line.ID[:]) }

func byAccount(a, b run.Account) int {
	return cmp.Or(cmp.Compare(a.Project, b.Project), cmp.Compare(a.Day, b.Day), cmp.Compare(a.Agent, b.Agent),
		cmp.Compare(a.Under, b.Under), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Model, b.Model))
}
