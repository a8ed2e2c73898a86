package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/store"
)

// What Draw counts with: this moment, and how many of those wanted there are.
const (
	nowSQL     = "(extract(epoch FROM now()) * 1000000)::float8"
	grantedSQL = "least($3::bigint, greatest(0, floor($2::bigint - greatest(0, r.full_at - " + nowSQL + ") / $4::float8 + 1e-6))::bigint)"
)

// drawSQL is store.Draw by the server's clock, for the key $1 with its limit $2, of which
// $3 are wanted and each takes $4 microseconds to come back. The line's lock is all that
// nodes wait for: nothing goes to the disk before the answer, as the table is unlogged.
// A fraction that sums lack of a whole request is no matter.
const drawSQL = "INSERT INTO rates AS r (key, full_at, granted) " +
	"VALUES ($1, " + nowSQL + " + least($3::bigint, $2::bigint) * $4::float8, least($3::bigint, $2::bigint)) " +
	"ON CONFLICT (key) DO UPDATE SET granted = " + grantedSQL + ", full_at = greatest(r.full_at, " + nowSQL + ") + " + grantedSQL + " * $4::float8 " +
	"RETURNING granted, full_at - " + nowSQL

// Draw takes up to want requests of a key that may make limit a minute. It returns how
// many there were, and the time until the key has all of them again.
func (s *Store) Draw(ctx context.Context, key string, limit, want int) (granted int, full time.Duration, err error) {
	each := float64(time.Minute.Microseconds()) / float64(limit)
	var micros float64
	err = s.query(ctx, func(rows pgx.Rows) error { return rows.Scan(&granted, &micros) }, drawSQL, store.Text(key), limit, want, each)
	if err != nil {
		return 0, 0, fmt.Errorf("counting requests of a key: %w", err)
	}
	return granted, time.Duration(micros * float64(time.Microsecond)), nil
}
