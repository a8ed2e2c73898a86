//go:build unix

package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// TestSchema opens an empty database by several nodes at once, and one that a newer
// version has changed: as long as it only added, this one serves on it.
func TestSchema(t *testing.T) {
	dsn := pgtest.Database(t)
	if _, err := Look(t.Context(), Config{DSN: dsn}); !problem.Is(err, problem.NotFound) {
		t.Errorf("looking at an empty database: %v", err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { commit(t, open(t, Config{DSN: dsn}), run.Commit{}) })
	}
	wait.Wait()
	s := open(t, Config{DSN: dsn})
	commit(t, s, run.Commit{Runs: []run.Append{created(1)}})
	exec := func(sql string) {
		t.Helper()
		if _, err := s.pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("ALTER TABLE runs ADD COLUMN later text; INSERT INTO errand_schema (version, needs) VALUES (100, 1)")
	commit(t, s, run.Commit{Runs: []run.Append{message(1, 1, 5)}}) // it serves on
	commit(t, open(t, Config{DSN: dsn}), run.Commit{Runs: []run.Append{created(2)}})
	looked, err := Look(t.Context(), Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer looked.Close()
	if stock, err := looked.Stock(t.Context()); err != nil || stock.Runs[run.Running] != 2 || stock.Events != 3 || stock.Orphans != 0 {
		t.Errorf("stock %+v, error %v", stock, err)
	}
	if where, err := looked.Where(t.Context()); err != nil || !strings.Contains(where, "PostgreSQL") {
		t.Errorf("it is at %q, error %v", where, err)
	}
	if err := looked.Append(t.Context(), run.Commit{}); err == nil {
		t.Error("a store that only reads takes commits")
	}
	exec("INSERT INTO errand_schema (version, needs) VALUES (101, 101)")
	if _, err := Open(t.Context(), Config{DSN: dsn}); !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a database that only newer versions can serve: %v", err)
	}
	for _, from := range []func(Config) (*Store, error){
		func(cfg Config) (*Store, error) { return Open(t.Context(), cfg) }, func(cfg Config) (*Store, error) { return Look(t.Context(), cfg) },
	} {
		_, err := from(Config{DSN: "postgres://u:hush@127.0.0.1:1/d"})
		if !problem.Is(err, problem.Overloaded) || !strings.Contains(err.Error(), "127.0.0.1:1") || strings.Contains(err.Error(), "hush") || errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a server that is not there: %v", err)
		}
	}
	if _, err := Open(t.Context(), Config{DSN: "postgres://u:hush@h:x/d"}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a wrong address: %v", err)
	}
}

// TestSettings: each session has the limits of this package, or those of the DSN.
func TestSettings(t *testing.T) {
	s := open(t, Config{DSN: pgtest.Database(t) + "&lock_timeout=7000"})
	commit(t, s, run.Commit{Runs: []run.Append{created(1)}})
	for name, want := range map[string]string{
		"lock_timeout": "7s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "2s", "jit": "off", "application_name": "errand",
		"enable_seqscan": "on", "synchronous_commit": "on",
	} {
		var got string
		if err := s.pool.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, want %q (error %v)", name, got, want, err)
		}
	}
	const other = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = serializable', current_database()); END $$"
	if _, err := s.pool.Exec(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), s.writer.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for name, want := range map[string]string{"default_transaction_isolation": "read committed", "lock_timeout": "7s", "enable_seqscan": "off", "plan_cache_mode": "force_generic_plan", "jit": "off"} {
		var got string
		if err := conn.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
			t.Errorf("the writer's %s is %q, want %q (error %v)", name, got, want, err)
		}
	}
}

// TestPlans asks PostgreSQL how it answers each list of a hundred thousand runs: down
// an index in the order of the list, without sorting what it then cuts off.
func TestPlans(t *testing.T) {
	s := open(t, Config{DSN: pgtest.Database(t)})
	fill(t, s, 100_000)
	explain := func(name, sql string, arguments ...any) {
		t.Helper()
		var plan strings.Builder
		rows, err := s.pool.Query(t.Context(), "EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) "+sql, arguments...)
		if err != nil {
			t.Fatal(name, err)
		}
		var text string
		if _, err := pgx.ForEachRow(rows, []any{&text}, func() error { plan.WriteString(text + "\n"); return nil }); err != nil {
			t.Fatal(name, err)
		}
		for _, bad := range []string{"Seq Scan", "Sort  ", "Sort Method: external", "Sort Method: quicksort"} {
			if strings.Contains(plan.String(), bad) {
				t.Errorf("%s: %s\n%s", name, bad, plan.String())
			}
		}
		for line := range strings.Lines(plan.String()) {
			var removed int
			if n, _ := fmt.Sscanf(strings.TrimSpace(line), "Rows Removed by Filter: %d", &removed); n == 1 && removed > 2000 {
				t.Errorf("%s: %d lines are read in vain\n%s", name, removed, plan.String())
			}
		}
	}
	oldest, arguments0 := runsSQL(&run.RunQuery{Project: "p", Before: runID(500), Limit: 20}, true)
	for name, q := range map[string]run.RunQuery{
		"all": {}, "one status": {Statuses: []run.Status{run.Running}}, "statuses": {Statuses: []run.Status{run.Running, run.Queued, run.Completed}},
		"none": {Dialect: "you"}, "agent": {Agent: "agt_1"}, "agent and status": {Agent: "agt_1", Statuses: []run.Status{run.Running}},
		"pending": {Pending: true}, "page": {Before: runID(50_000)}, "page of an agent": {Agent: "agt_1", Before: runID(50_000)},
		"since": {After: runID(99_000).Time()}, "between": {After: runID(20_000).Time(), Until: runID(20_500).Time()},
	} {
		q.Project, q.Limit = "p", 20
		sql, arguments := runsSQL(&q, false)
		explain(name, sql, arguments...)
	}
	explain("oldest first", "SELECT * FROM ("+oldest+") AS list", arguments0...)
	sql, arguments := pastSQL("p", runID(500).Time(), runID(100), 50)
	explain("past", sql, arguments...)
	explain("live", "SELECT id FROM runs WHERE live AND NOT deleted ORDER BY id")
	explain("log", loadSQL, [16]byte(runID(7)), int64(0), 500)
	explain("rows", "SELECT "+rowColumns+" FROM rows WHERE kind = $1 AND project = $2 AND id > $3 AND (expires = 0 OR expires > $4) ORDER BY id ASC LIMIT $5", "tool", "p", "x", int64(0), 20)
	explain("jobs", "SELECT "+jobColumns+" FROM jobs ORDER BY due, id LIMIT $1", 20)
	explain("parked", parkedSQL)
	for name, q := range map[string]run.AuditQuery{"by actor": {Actor: "k"}, "by target": {Target: "r", Project: "p"}, "by action": {Action: "b"}} {
		q.Limit = 20
		sql, arguments := auditsSQL(&q)
		explain("audit "+name, sql, arguments...)
	}
	explain("audit", "SELECT "+auditColumns+" FROM audit WHERE seq > $1 AND project = $3 ORDER BY seq LIMIT $2", int64(0), 20, "p")
}

// fill makes many runs: few are running, a tenth belongs to an agent.
func fill(t testing.TB, s *Store, count int) {
	t.Helper()
	for n := 0; n < count; n += 1000 {
		var c run.Commit
		for m := n; m < n+1000; m++ {
			a := created(m)
			if m%1000 != 0 {
				a.Summary.Status, a.Summary.Live, a.Summary.EndedAt = run.Completed, false, a.Summary.CreatedAt
			}
			if m%10 == 0 {
				a.Summary.Agent = "agt_1"
			}
			c.Runs = append(c.Runs, a)
			if m%100 == 0 {
				c.Rows = append(c.Rows, run.RowWrite{Row: run.Row{Kind: "tool", Project: "p", ID: fmt.Sprint(m)}})
				c.Jobs = append(c.Jobs, run.Job{Kind: "k", Run: a.ID})
				c.Audit = append(c.Audit, run.Audit{Project: "p", Action: "a"})
			}
		}
		commit(t, s, c)
	}
	for _, table := range []string{"runs", "events", "rows", "jobs", "audit"} {
		if _, err := s.pool.Exec(t.Context(), "ANALYZE "+table); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPasswordBesideTheURL: in PGPASSWORD a password may have characters that mean
// something in a URL.
func TestPasswordBesideTheURL(t *testing.T) {
	const password = "p@ss/w:rd#%"
	t.Setenv("PGPASSWORD", password)
	cfg, err := parse("postgres://errand@127.0.0.1:5432/errand")
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.ConnConfig.Password; got != password {
		t.Errorf("the password is %q", got)
	}
	if _, err := parse("postgres://errand:" + password + "@127.0.0.1:5432/errand"); err == nil || strings.Contains(err.Error(), "w:rd") {
		t.Errorf("of a password that a URL can't have it says %v", err)
	}
}
