package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

const auditColumns = "seq, at, project, actor, actor_name, source, request, action, target, data, hash"

// auditEnd is the last line of the log.
type auditEnd struct {
	seq  int64
	hash [32]byte
}

// lockAudit locks the end of the log, if the group appends to it.
func (t *transaction) lockAudit(batch *pgx.Batch) {
	for _, it := range t.group {
		if len(it.commit.Audit) > 0 {
			batch.Queue("SELECT seq, hash FROM audit_head FOR UPDATE").QueryRow(func(row pgx.Row) error {
				var hash []byte
				err := row.Scan(&t.audited.seq, &hash)
				copy(t.audited.hash[:], hash)
				return err
			})
			return
		}
	}
}

// writeAudit appends the group's lines to the log.
func (t *transaction) writeAudit(batch *pgx.Batch) {
	var (
		seqs, at     []int64
		words        [7][]string
		data, hashes [][]byte
	)
	for _, it := range t.group {
		for i := range it.commit.Audit {
			if !it.admitted() {
				break
			}
			line := it.commit.Audit[i]
			line.Seq = t.audited.seq + 1
			// The hash is over what reads back.
			for j, word := range auditWords(&line) {
				*word = store.Text(*word)
				words[j] = append(words[j], *word)
			}
			line.Hash = store.Chain(t.audited.hash, &line)
			t.audited = auditEnd{line.Seq, line.Hash}
			seqs, at = append(seqs, line.Seq), append(at, store.Millis(line.At))
			data, hashes = append(data, blob(line.Data)), append(hashes, line.Hash[:])
		}
	}
	if seqs == nil {
		return
	}
	batch.Queue("INSERT INTO audit ("+auditColumns+") SELECT * FROM "+
		unnest("bigint", "bigint", "text", "text", "text", "text", "text", "text", "text", "bytea", "bytea"),
		seqs, at, words[0], words[1], words[2], words[3], words[4], words[5], words[6], data, hashes)
	batch.Queue("UPDATE audit_head SET seq = $1, hash = $2", t.audited.seq, t.audited.hash[:])
}

// auditWords are the texts of a line, in the order of their columns.
func auditWords(a *run.Audit) [7]*string {
	return [7]*string{&a.Project, &a.Actor, &a.ActorName, &a.From, &a.Request, &a.Action, &a.Target}
}

// Audits returns lines of the audit log, oldest first, behind the given seq; of all
// projects where none is named; limit 0 = all.
func (s *Store) Audits(ctx context.Context, project string, after int64, limit int) ([]run.Audit, error) {
	return s.AuditsBy(ctx, run.AuditQuery{Project: project, After: after, Limit: limit})
}

// AuditsBy returns the lines that a query selects, oldest first.
func (s *Store) AuditsBy(ctx context.Context, q run.AuditQuery) (all []run.Audit, err error) {
	sql, arguments := auditsSQL(&q)
	err = s.query(ctx, func(rows pgx.Rows) error {
		line, err := scanAudit(rows)
		all = append(all, line)
		return err
	}, sql, arguments...)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return all, nil
}

// scanAudit reads auditColumns.
func scanAudit(rows pgx.Rows) (a run.Audit, err error) {
	var at int64
	var data, hash []byte
	into := []any{&a.Seq, &at}
	for _, word := range auditWords(&a) {
		into = append(into, word)
	}
	err = rows.Scan(append(into, &data, &hash)...)
	a.At = store.Time(at)
	if len(data) > 0 {
		a.Data = data
	}
	copy(a.Hash[:], hash)
	return a, err
}

// auditsSQL is the query as a statement. Who did something is named by id or by name:
// two walks, merged, because no index has both.
func auditsSQL(q *run.AuditQuery) (string, []any) {
	arguments := []any{q.After, most(q.Limit)}
	walk := "SELECT " + auditColumns + " FROM audit WHERE seq > $1"
	bind := func(condition string, value any) string {
		arguments = append(arguments, value)
		return fmt.Sprintf(condition, len(arguments))
	}
	if q.Project != "" {
		walk += bind(" AND project = $%d", store.Text(q.Project))
	}
	if q.Action != "" {
		walk += bind(" AND action = $%d", store.Text(q.Action))
	}
	if q.Target != "" {
		walk += bind(" AND target = $%d", store.Text(q.Target))
	}
	if !q.Since.IsZero() {
		walk += bind(" AND at >= $%d", store.Millis(q.Since))
	}
	const end = " ORDER BY seq LIMIT $2"
	if q.Actor == "" {
		return walk + end, arguments
	}
	return bind("("+walk+" AND actor = $%[1]d"+end+") UNION ALL ("+walk+" AND actor_name = $%[1]d AND actor <> $%[1]d"+end+")"+end, store.Text(q.Actor)), arguments
}

// most is a limit as SQL has it: 0 = all.
func most(limit int) int64 {
	if limit <= 0 {
		return math.MaxInt64
	}
	return int64(limit)
}
