package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"

	"errand/internal/run"
)

// kept fills a log: of each hundred lines one is by ada, of each thousand one is about
// run_7.
func keptLog(t testing.TB, s *Store, lines int) {
	t.Helper()
	at := time.UnixMilli(1_800_000_000_000).UTC()
	var c run.Commit
	for n := range lines {
		line := run.Audit{
			At: at.Add(time.Duration(n) * time.Second), Project: []string{"default", "other"}[n%2], Actor: "key_1", ActorName: "ci",
			Action: []string{"approval.decided", "agent.changed", "tool.changed"}[n%3], Target: fmt.Sprint("run_", n%1000),
		}
		if n%100 == 0 {
			line.Actor, line.ActorName = "key_2", "ada"
		}
		if n%700 == 0 { // a key that is called like another one's id
			line.Actor, line.ActorName = "key_3", "key_2"
		}
		if c.Audit = append(c.Audit, line); len(c.Audit) == 1000 || n == lines-1 {
			if err := s.Append(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			c.Audit = nil
		}
	}
}

func auditQueries() map[string]run.AuditQuery {
	return map[string]run.AuditQuery{
		"all":               {},
		"a project":         {Project: "other"},
		"a target":          {Target: "run_7"},
		"an actor by id":    {Actor: "key_2"},
		"an actor by name":  {Actor: "ada"},
		"an action":         {Action: "tool.changed"},
		"nobody":            {Actor: "key_9"},
		"no such action":    {Action: "key.created"},
		"nothing of that":   {Target: "run_1000"},
		"of a project":      {Project: "default", Actor: "ada", Action: "agent.changed"},
		"all of it":         {Project: "default", Actor: "ada", Action: "approval.decided", Target: "run_300", Since: time.UnixMilli(1_800_000_900_000)},
		"behind a line":     {Actor: "key_2", After: 1500},
		"from a time on":    {Action: "agent.changed", Since: time.UnixMilli(1_800_002_000_000)},
		"behind everything": {After: 1 << 40},
	}
}

// What is selected is what a look at each line would select, and each query of one
// field is answered by its index, in the index's order.
func TestAuditsBy(t *testing.T) {
	s := open(t, Config{})
	keptLog(t, s, 2500)
	all, err := s.Audits(t.Context(), "", 0, 0)
	if err != nil || len(all) != 2500 {
		t.Fatalf("%d lines, %v", len(all), err)
	}
	for name, q := range auditQueries() {
		for _, q.Limit = range []int{1, 10, 5000} {
			var want []run.Audit
			for i := range all {
				if q.Takes(&all[i]) && len(want) < q.Limit {
					want = append(want, all[i])
				}
			}
			got, err := s.AuditsBy(t.Context(), q)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s, %d: %v (-want +got):\n%s", name, q.Limit, err, diff)
			}
		}
	}
	for index, q := range map[string]run.AuditQuery{
		"audit_target": {Target: "x", Project: "p", Action: "a"}, "audit_actor": {Actor: "x", Project: "p"}, "audit_action": {Action: "x", Project: "p"}, "audit_project": {Project: "p"},
	} {
		for i, p := range picks(&q) {
			if i == 1 {
				index = "audit_actor_name"
			}
			if plan := planOf(t, s, p.sql()); plan != "SEARCH audit USING INDEX "+index {
				t.Errorf("%s: %s", p.sql(), plan)
			}
		}
	}
}

// planOf is what SQLite means to do, without the conditions.
func planOf(t *testing.T, s *Store, sql string) (plan string) {
	t.Helper()
	err := s.readers.use(t.Context(), func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("EXPLAIN QUERY PLAN " + sql)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			step := stmt.ColumnText(3)
			for i := range step {
				if step[i] == '(' {
					step = step[:i-1]
					break
				}
			}
			plan += step
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// BenchmarkAuditsBy asks a log of 100,000 lines for a page of each.
func BenchmarkAuditsBy(b *testing.B) {
	s := open(b, Config{})
	keptLog(b, s, 100_000)
	for name, q := range auditQueries() {
		q.Limit = 100
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.AuditsBy(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
