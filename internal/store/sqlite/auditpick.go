package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// auditWindow is how many lines one statement looks at, so that no read lasts: what is
// asked for may be rare, and the log long.
const auditWindow = 100_000

// AuditsBy returns the lines that a query selects, oldest first.
func (s *Store) AuditsBy(ctx context.Context, q run.AuditQuery) (found []run.Audit, err error) {
	for from := q.After; len(found) < q.Limit; from += auditWindow {
		last := int64(0)
		var seen []run.Audit
		err := s.readers.use(ctx, func(conn *sqlite.Conn) error {
			end, err := lastAudit(conn)
			if last = end.seq; err != nil || from >= last {
				return err
			}
			for _, picked := range picks(&q) {
				if err := picked.read(conn, from, q.Limit, &seen); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading the audit log: %w", err)
		}
		// By an actor's id and by its name are two statements, and one line may be in both.
		slices.SortFunc(seen, func(a, b run.Audit) int { return cmp.Compare(a.Seq, b.Seq) })
		found = append(found, slices.CompactFunc(seen, func(a, b run.Audit) bool { return a.Seq == b.Seq })...)
		if from+auditWindow >= last {
			break
		}
	}
	return found[:min(len(found), q.Limit)], nil
}

// pick is one statement: its conditions, and their values.
type pick struct {
	where  []string
	values []string
	since  *int64
}

// picks are the statements that find what a query asks for. Of its conditions only the
// one that leaves the fewest lines may choose the index; a + keeps the others from it.
// That is a target before an actor before an action before a project.
func picks(q *run.AuditQuery) []pick {
	var base pick
	free := true
	add := func(column, value string) {
		if value == "" {
			return
		}
		if !free {
			column = "+" + column
		}
		free = false
		base.where, base.values = append(base.where, column+" = ?"), append(base.values, value)
	}
	add("target", q.Target)
	byActor := q.Actor != "" && free
	if q.Actor != "" && !byActor {
		base.where, base.values = append(base.where, "(+actor = ? OR +actor_name = ?)"), append(base.values, q.Actor, q.Actor)
	}
	free = free && !byActor
	add("action", q.Action)
	add("project", q.Project)
	if !q.Since.IsZero() {
		at := store.Millis(q.Since)
		base.where, base.since = append(base.where, "at >= ?"), &at
	}
	if !byActor {
		return []pick{base}
	}
	var both []pick
	for _, column := range []string{"actor", "actor_name"} {
		both = append(both, pick{append([]string{column + " = ?"}, base.where...), append([]string{q.Actor}, base.values...), base.since})
	}
	return both
}

func (p *pick) sql() string {
	where := append([]string{"seq > ?", "seq <= ?"}, p.where...)
	return "SELECT " + auditColumns + " FROM audit WHERE " + strings.Join(where, " AND ") + " ORDER BY seq LIMIT ?"
}

// read appends up to limit lines of one window.
func (p *pick) read(conn *sqlite.Conn, from int64, limit int, into *[]run.Audit) error {
	stmt, err := conn.Prepare(p.sql())
	if err != nil {
		return err
	}
	defer stmt.Reset()
	stmt.BindInt64(1, from)
	stmt.BindInt64(2, from+auditWindow)
	at := 3
	for _, value := range p.values {
		stmt.BindText(at, value)
		at++
	}
	if p.since != nil {
		stmt.BindInt64(at, *p.since)
		at++
	}
	stmt.BindInt64(at, int64(limit))
	for {
		if found, err := stmt.Step(); err != nil || !found {
			return err
		}
		*into = append(*into, scanAudit(stmt))
	}
}
