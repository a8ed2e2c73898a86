//go:build unix

package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/index"
	"errand/internal/index/indextest"
	"errand/internal/index/postgres"
	"errand/internal/problem"
	store "errand/internal/store/postgres"
	"errand/internal/store/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// place makes a database, to which each node that opens it has connections of its own.
// At the end what its projects are said to have is what they have.
func place(t testing.TB, server *pgtest.Server) indextest.Place {
	dsn := server.Database(t)
	keep := postgres.New(pool(t, dsn))
	t.Cleanup(func() {
		if found, err := keep.Drift(context.WithoutCancel(t.Context())); err != nil || len(found) > 0 {
			t.Errorf("the lines of %q are wrong (%v)", found, err)
		}
	})
	return func(t testing.TB) index.Backing { return postgres.New(pool(t, dsn)) }
}

func pool(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Pool()
}

func TestIndex(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{NoSync: true}) // what is committed here need not last
	fresh := func(t testing.TB) indextest.Place { return place(t, server) }
	indextest.Test(t, fresh)
	indextest.Shared(t, fresh)
	t.Run("PhraseOverParts", func(t *testing.T) { phraseOverParts(t, fresh(t)) })
	t.Run("Close", func(t *testing.T) { closing(t, fresh(t)) })
}

// phraseOverParts: what begins in one part of a document and ends in the next is
// found, and shown whole.
func phraseOverParts(t *testing.T, place indextest.Place) {
	x := index.New(index.Config{Keep: place(t)})
	var text strings.Builder
	for i := range 9000 {
		fmt.Fprintf(&text, "n%d ", i)
	}
	if _, _, err := x.Put(t.Context(), "p", index.Batch{Name: "a", Files: indextest.Files("x.txt", text.String())}); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 3998, 3999, 4000, 4049, 7999, 8998} {
		phrase := fmt.Sprintf("n%d n%d", i, i+1)
		found, err := x.Search(t.Context(), "p", strings.ReplaceAll(phrase, " ", "-"), 1)
		if err != nil || len(found) != 1 || !strings.Contains(found[0].Snippet, phrase) {
			t.Errorf("%s: %+v %v", phrase, found, err)
		} else if before, after := strings.HasPrefix(found[0].Snippet, "…"), strings.HasSuffix(found[0].Snippet, "…"); before != (i > 0) || after != (i < 8998) {
			t.Errorf("%s: there is more before it %v, behind it %v: %s", phrase, before, after, found[0].Snippet)
		}
	}
	if found, err := x.Search(t.Context(), "p", "n4000-n3999", 1); err != nil || len(found) != 0 {
		t.Errorf("%+v %v", found, err)
	}
}

// TestRestart: a search after the server was restarted finds new connections.
func TestRestart(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{NoSync: true})
	x := index.New(index.Config{Keep: postgres.New(pool(t, server.Database(t)))})
	put := func() {
		t.Helper()
		if _, _, err := x.Put(t.Context(), "p", index.Batch{Name: "a", Files: indextest.Files("x.txt", "first")}); err != nil {
			t.Fatal(err)
		}
	}
	put()
	for _, after := range []func(){put, func() {}} {
		server.Crash(t)
		if _, err := x.Search(t.Context(), "p", "first", 1); err == nil {
			t.Error("a search finds something where there is no server")
		}
		if _, _, err := x.Put(t.Context(), "p", index.Batch{Name: "b"}); !problem.Is(err, problem.Overloaded) {
			t.Errorf("%v", err)
		}
		server.Up(t)
		after()
		if found, err := x.Search(t.Context(), "p", "first", 1); err != nil || len(found) != 1 {
			t.Error(found, err)
		}
	}
}

// closing: what is under way ends, and nothing begins after it.
func closing(t *testing.T, place indextest.Place) {
	x := index.New(index.Config{Keep: place(t)})
	if err := errors.Join(x.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Sources(t.Context(), "p", "", 1); err == nil {
		t.Error("a closed index is read")
	}
	if _, _, err := x.Put(t.Context(), "p", index.Batch{Name: "b"}); !problem.Is(err, problem.Overloaded) {
		t.Errorf("%v", err)
	}
}
