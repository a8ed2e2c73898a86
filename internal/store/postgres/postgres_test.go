//go:build unix

package postgres

import (
	"testing"
	"time"

	"errand/internal/store/postgres/pgtest"
	"errand/internal/store/storetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// open opens a store that the test's end closes.
func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.DSN == "" {
		cfg.DSN = pgtest.Database(t)
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, storetest.Harness{
		Open: func(t *testing.T, now func() time.Time) storetest.Store {
			return open(t, Config{Now: now})
		},
		Reopen: func(t *testing.T, s storetest.Store) storetest.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return open(t, s.(*Store).cfg)
		},
		Shared: true,
		Enter: func(t *testing.T, s storetest.Store, node string) {
			const sql = "INSERT INTO nodes (id, address, version, epoch, started_at, expires_at) VALUES ($1, '', '', 0, now(), now() + interval '1 hour')"
			if _, err := s.(*Store).pool.Exec(t.Context(), sql, node); err != nil {
				t.Fatal(err)
			}
		},
	})
}
