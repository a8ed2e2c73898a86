//go:build unix

package postgres

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// TestUpgrade takes up databases with what is stored in the tables of each version of
// the schema: every step is made with runs there, and all of them read as before, take
// new events and are found.
func TestUpgrade(t *testing.T) {
	const runs = 1000
	today := pgtest.Database(t)
	s := open(t, Config{DSN: today})
	fill(t, s, runs)
	newest := run.RunQuery{Project: "p", Limit: 20}
	events := map[run.ID][]run.Event{}
	list, err := s.Runs(t.Context(), newest)
	if err != nil || len(list) != 20 {
		t.Fatalf("%d runs, %v", len(list), err)
	}
	for _, line := range list {
		if events[line.ID], err = s.Load(t.Context(), line.ID, 0, 100); err != nil || len(events[line.ID]) == 0 {
			t.Fatalf("%d events of %s, %v", len(events[line.ID]), line.ID, err)
		}
	}
	steps, err := schemaSteps(schemaFiles)
	if err != nil {
		t.Fatal(err)
	}
	for version := 1; version < len(steps); version++ {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			earlier := pgtest.Database(t)
			copied(t, today, earlier, steps[:version])
			s := open(t, Config{DSN: earlier})
			now, err := s.Runs(t.Context(), newest)
			if err != nil || !cmp.Equal(list, now) {
				t.Errorf("%v: %s", err, cmp.Diff(list, now))
			}
			for id, was := range events {
				if is, err := s.Load(t.Context(), id, 0, 100); err != nil || !cmp.Equal(was, is) {
					t.Errorf("%v: %s", err, cmp.Diff(was, is))
				}
			}
			next := created(runs)
			commit(t, s, run.Commit{Runs: []run.Append{next, message(runs-1, 1, 7)}})
			if now, err = s.Runs(t.Context(), newest); err != nil || len(now) == 0 || now[0].ID != next.ID {
				t.Errorf("%v, %v", now, err)
			}
		})
	}
}

// copied makes the tables of an earlier version, and gives them what a database of
// today has, as far as they have room for it.
func copied(t *testing.T, from, to string, steps []migration) {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := migrate(t.Context(), pool, steps); err != nil {
		t.Fatal(err)
	}
	const columns = "SELECT table_name, string_agg(quote_ident(column_name), ', ') FROM information_schema.columns " +
		"WHERE table_schema = 'public' AND table_name NOT IN ('errand_schema', 'nodes') GROUP BY table_name"
	rows, err := pool.Query(t.Context(), columns)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowToStructByPos[struct{ Name, Columns string }])
	if err != nil || len(tables) < 5 {
		t.Fatalf("%v, %v", tables, err)
	}
	source, err := pgx.Connect(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close(t.Context())
	target, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer target.Release()
	for _, table := range tables {
		var data bytes.Buffer
		where := "COPY " + table.Name + " (" + table.Columns + ")"
		if _, err := source.PgConn().CopyTo(t.Context(), &data, where+" TO STDOUT"); err != nil {
			t.Fatal(err)
		}
		// Steps begin some tables with a line of their own.
		if _, err := target.Exec(t.Context(), "DELETE FROM "+table.Name); err != nil {
			t.Fatal(err)
		}
		if _, err := target.Conn().PgConn().CopyFrom(t.Context(), &data, where+" FROM STDIN"); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
	}
}
