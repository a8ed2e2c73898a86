//go:build unix

package postgres

import (
	"context"
	"testing"
	"time"

	"errand/internal/index"
	"errand/internal/problem"
	store "errand/internal/store/postgres"
	"errand/internal/store/postgres/pgtest"
)

// TestHangs has all connections of the index wait for what does not come, as those to a
// server that hangs: who asks next is told so in its time, too.
func TestHangs(t *testing.T) {
	keeper, err := store.Open(t.Context(), store.Config{DSN: pgtest.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keeper.Close(); err != nil {
			t.Error(err)
		}
	})
	b := New(keeper.Pool())
	b.readTime, b.writeTime = 50*time.Millisecond, 50*time.Millisecond
	sleep := func(ctx context.Context, at index.Tx) error {
		_, err := at.(*tx).at.Exec(ctx, "SELECT pg_sleep(600)")
		return err
	}
	defer func(began time.Time) { // before the server itself ends a statement
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
	}(time.Now())
	if err := b.Write(t.Context(), "p", sleep); !problem.Is(err, problem.Overloaded) {
		t.Errorf("a change without an end ends with %v", err)
	}
	if err := b.query(t.Context(), nil, "SELECT pg_sleep(600)"); !problem.Is(err, problem.Overloaded) {
		t.Errorf("a statement without an end ends with %v", err)
	}
	for range cap(b.room) {
		b.room <- struct{}{}
	}
	if err := b.query(t.Context(), nil, "SELECT 1"); !problem.Is(err, problem.Overloaded) {
		t.Errorf("whose turn does not come is told %v", err)
	}
	if err := b.Write(t.Context(), "p", sleep); !problem.Is(err, problem.Overloaded) {
		t.Errorf("whose turn to change does not come is told %v", err)
	}
}
