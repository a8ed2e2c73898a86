//go:build unix

package rig

import (
	"os"
	"testing"

	"errand/internal/store/postgres/pgtest"
)

// useStore puts the world's servers on PostgreSQL, a database for each world, where
// ERRAND_E2E_STORE=postgres says so. What only SQLite has is then skipped or fails.
func (w *World) useStore(t testing.TB) {
	if os.Getenv("ERRAND_E2E_STORE") == "postgres" {
		w.Env["ERRAND_STORE"] = pgtest.Database(t)
	}
}
