//go:build unix

package docs

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"errand/internal/store/postgres/pgtest"
)

// TestCluster types the guide to several nodes, over a database of its own.
func TestCluster(t *testing.T) {
	t.Parallel()
	store := "ERRAND_STORE=" + pgtest.Database(t)
	first := filepath.Join(t.TempDir(), "data")
	a := serve(t, []string{store}, "--data", first)
	second := filepath.Join(t.TempDir(), "data")
	if err := os.CopyFS(second, os.DirFS(first)); err != nil { // its seal.key
		t.Fatal(err)
	}
	b := serve(t, []string{store}, "--data", second)
	typeIn(t, "guides/cluster.md", a, "http://127.0.0.1:8421", b)
}

// postgresTroubles are those of a database that is there.
func postgresTroubles(t *testing.T, start func([]string, ...string) string, said func(*testing.T, string)) {
	dsn := pgtest.Database(t)
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Exec(t.Context(), "CREATE ROLE crowded LOGIN CONNECTION LIMIT 0"); err != nil {
		t.Fatal(err)
	}
	defer db.Exec(t.Context(), "DROP ROLE crowded") // the server goes anyway
	crowded, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	crowded.User = url.User("crowded")
	said(t, line(t, start(nil, "--store", crowded.String()), "too many"))
	const newer = "CREATE TABLE errand_schema (version integer PRIMARY KEY, needs integer NOT NULL, at timestamptz NOT NULL DEFAULT now()); INSERT INTO errand_schema (version, needs) VALUES (101, 101)"
	if _, err := db.Exec(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	said(t, line(t, start(nil, "--store", dsn), "newer"))
}

// stopPostgres ends the server that the tests have shared.
func stopPostgres() { pgtest.Stop() }
