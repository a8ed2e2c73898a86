//go:build unix

package local_test

import (
	"testing"

	"errand/internal/queue/queuetest"
	"errand/internal/store/postgres"
	"errand/internal/store/postgres/pgtest"
)

func TestOverPostgres(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{NoSync: true})
	h := harness(func(t *testing.T) jobStore {
		s, err := postgres.Open(t.Context(), postgres.Config{DSN: server.Database(t)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	h.Real = true
	queuetest.Run(t, h)
}
