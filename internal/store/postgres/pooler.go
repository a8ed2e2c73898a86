package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
)

// heardWithin is how long a session waits to hear what another one has told: a server
// takes a millisecond.
const heardWithin = time.Second

// keepsSessions fails with a problem where a pooler stands before the server that lends
// its connections for single transactions. Who listens there hears nothing, locks and
// settings are those of whoever comes next, and much else seems to work for a while.
// That is found out by what nodes need: one session hears what another one tells, while
// it asks for nothing itself. Neither has the settings of the store's other sessions,
// which would be left there for strangers.
func keepsSessions(ctx context.Context, address *pgx.ConnConfig) error {
	plain := address.Copy()
	plain.AfterConnect = nil
	listener, err := pgx.ConnectConfig(ctx, plain)
	if err != nil {
		return err
	}
	defer hangUp(listener)
	teller, err := pgx.ConnectConfig(ctx, plain)
	if err != nil {
		return err
	}
	defer hangUp(teller)
	channel := "errand_" + rand.Text()
	if err := simply(ctx, listener, `LISTEN "`+channel+`"`); code(err) == "25006" {
		return nil // a standby, on which nobody listens and no node works
	} else if err != nil {
		return err
	}
	// That need not be on disk.
	tell := "SELECT set_config('synchronous_commit', 'off', true), pg_notify('" + channel + "', '')"
	if err := simply(ctx, teller, tell); err != nil {
		return err
	}
	heard, err := hears(ctx, listener)
	if err != nil {
		return err
	}
	if !heard {
		return problem.New(problem.InvalidRequest, "The database %s at %s:%d is behind a pooler that lends connections for single transactions, such as PgBouncer "+
			"with pool_mode=transaction: nodes would not hear of each other there. Name PostgreSQL itself in the store's address, or a pool with pool_mode=session.",
			plain.Database, plain.Host, plain.Port)
	}
	return nil
}

// hears reports whether a session hears what it listens for and was told by now. The
// time alone does not decide: before a session answers a second time, its server has told
// it all that came before the first one, however slow the machine is.
func hears(ctx context.Context, conn *pgx.Conn) (bool, error) {
	for try := 0; ; try++ {
		waiting, cancel := context.WithTimeout(ctx, heardWithin)
		_, err := conn.WaitForNotification(waiting)
		cancel()
		switch {
		case err == nil:
			return true, nil
		case ctx.Err() != nil, !errors.Is(err, context.DeadlineExceeded):
			return false, fmt.Errorf("waiting for a notification: %w", err)
		case try > 0:
			return false, nil
		}
		for range 3 {
			if err := simply(ctx, conn, "SELECT 1"); err != nil {
				return false, err
			}
		}
	}
}

// simply runs a statement without preparing it, which poolers may have no memory for.
func simply(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}
