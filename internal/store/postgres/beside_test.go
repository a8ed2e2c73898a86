//go:build unix

package postgres

import (
	"context"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/store/postgres/pgtest"
)

// laterSchema is what a later version might bring: an index on a table that is in use.
var laterSchema = fstest.MapFS{
	"schema/001_begin.sql": {Data: []byte("-- needs 1\nCREATE TABLE things (id int, name text);\nINSERT INTO things SELECT n, 'x' FROM generate_series(1, 1000) AS n;\n")},
	"schema/002_index.sql": {Data: []byte("-- needs 1\n-- Names are unique.\nCREATE UNIQUE INDEX CONCURRENTLY things_id ON things (id)\n  WHERE id > 0;\n")},
	"schema/003_more.sql":  {Data: []byte("-- needs 1\nALTER TABLE things ADD COLUMN more text;\n")},
}

// changing is a database with the first of these steps, and a program that knows all.
type changing struct {
	*testing.T
	pool  *pgxpool.Pool
	steps []migration
}

func newChanging(t *testing.T) *changing {
	steps, err := schemaSteps(laterSchema)
	if err != nil || len(steps) != 3 || steps[0].index+steps[2].index != "" || steps[1].index != "things_id" {
		t.Fatalf("%+v, %v", steps, err)
	}
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c := &changing{T: t, pool: pool, steps: steps}
	if err := migrate(t.Context(), pool, steps[:1]); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *changing) exec(sql string) {
	c.Helper()
	if _, err := c.pool.Exec(c.Context(), sql); err != nil {
		c.Fatalf("%s: %v", sql, err)
	}
}

func (c *changing) ask(sql string) (n int) {
	c.Helper()
	if err := c.pool.QueryRow(c.Context(), sql).Scan(&n); err != nil {
		c.Fatal(err)
	}
	return n
}

// until waits for a query to say something.
func (c *changing) until(sql string, want int) {
	c.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(2 * time.Minute); c.ask(sql) != want; <-ticker.C {
		if time.Now().After(deadline) {
			c.Fatalf("%s is not %d", sql, want)
		}
	}
}

// done holds that all steps have been made, once.
func (c *changing) done() {
	c.Helper()
	const valid = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('things_id') AND indisvalid"
	if n := c.ask(valid); n != 1 {
		c.Error("the index is not there, or not valid")
	}
	if n, m := c.ask("SELECT count(*) FROM errand_schema"), c.ask("SELECT max(version) FROM errand_schema"); n != 3 || m != 3 {
		c.Errorf("%d steps are written down, to %d", n, m)
	}
	if n := c.ask("SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname = 'more'"); n != 1 {
		c.Error("the step behind the index was not made")
	}
}

// writer is a transaction of another node's, which has begun to write.
func (c *changing) writer() pgx.Tx {
	c.Helper()
	tx, err := c.pool.Begin(c.Context())
	if err == nil {
		_, err = tx.Exec(c.Context(), "INSERT INTO things VALUES (5000, 'y')")
	}
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(c.Context())) }) // mostly it has ended
	return tx
}

const underWay = "SELECT count(*)::int FROM pg_stat_progress_create_index WHERE datname = current_database()"

// TestIndexBesideWriters: four nodes of a later version start while others write. The
// index waits for who has begun, and nobody waits for it: neither those who write nor a
// node of the version before that starts in the middle.
func TestIndexBesideWriters(t *testing.T) {
	c := newChanging(t)
	busy := c.writer()
	var starting sync.WaitGroup
	failed := make(chan error, 4)
	for range 4 {
		starting.Go(func() { failed <- migrate(t.Context(), c.pool, c.steps) })
	}
	c.until(underWay, 1)
	c.exec("SET lock_timeout = 2000; INSERT INTO things VALUES (6000, 'z'); UPDATE things SET name = 'w' WHERE id = 7; DELETE FROM things WHERE id = 8; RESET lock_timeout")
	if err := migrate(t.Context(), c.pool, c.steps[:1]); err != nil {
		t.Errorf("a node of the version before does not start: %v", err)
	}
	if n := c.ask(underWay); n != 1 || len(failed) != 0 {
		t.Errorf("%d make an index, %d nodes have started, and somebody writes", n, len(failed))
	}
	if err := busy.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	starting.Wait()
	for range 4 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	c.done()
}

// TestIndexBrokenOff: whoever makes the index is told to end in the middle, finds that
// it can't be made, or ends before it is written down. The next one to start makes it.
func TestIndexBrokenOff(t *testing.T) {
	c := newChanging(t)
	busy := c.writer()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- migrate(ctx, c.pool, c.steps) }()
	c.until(underWay, 1)
	const left = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass('things_id') AND NOT indisvalid"
	c.until(left, 1) // it has got as far as to leave something
	cancel()
	if err := <-ended; err == nil {
		t.Error("what was broken off has succeeded")
	}
	c.until(underWay, 0)
	if n := c.ask(left); n != 1 {
		t.Fatal("nothing is left of what was broken off: this tests nothing")
	}
	if err := busy.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.exec("INSERT INTO things VALUES (5000, 'twice')")
	if err := migrate(t.Context(), c.pool, c.steps); err == nil {
		t.Error("a unique index was made over what is there twice")
	}
	if n := c.ask("SELECT max(version) FROM errand_schema"); n != 1 || c.ask(left) != 1 {
		t.Errorf("%d steps are written down", n)
	}
	c.exec("DELETE FROM things WHERE name = 'twice'")
	if err := migrate(t.Context(), c.pool, c.steps); err != nil {
		t.Fatal(err)
	}
	c.done()
	made := c.ask("SELECT to_regclass('things_id')::oid::int")
	c.exec("DELETE FROM errand_schema WHERE version > 1; ALTER TABLE things DROP COLUMN more")
	if err := migrate(t.Context(), c.pool, c.steps); err != nil {
		t.Fatal(err)
	}
	c.done()
	if again := c.ask("SELECT to_regclass('things_id')::oid::int"); again != made {
		t.Error("an index that was there and valid was made again")
	}
}
