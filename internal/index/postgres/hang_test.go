//go:build unix

package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/problem"
	"errand/internal/store/postgres/pgtest"
)

// TestHangs has all connections of the index wait for what does not come, as those to a
// server that hangs: who asks next is told so in its time, too.
func TestHangs(t *testing.T) {
	pool, err := pgxpool.New(t.Context(), pgtest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	b := New(pool)
	b.readTime = 50 * time.Millisecond
	if err := b.query(t.Context(), nil, "SELECT pg_sleep(600)"); !problem.Is(err, problem.Overloaded) {
		t.Errorf("a statement without an end ends with %v", err)
	}
	for range cap(b.room) {
		b.room <- struct{}{}
	}
	if err := b.query(t.Context(), nil, "SELECT 1"); !problem.Is(err, problem.Overloaded) {
		t.Errorf("whose turn does not come is told %v", err)
	}
}
