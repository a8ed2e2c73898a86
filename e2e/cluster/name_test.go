//go:build unix

package cluster

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/e2e/rig"
)

// TestNameLostWithTheDatabase has a node find itself declared dead in a moment in which
// the database does not let it work on jobs: it joins the others when it does, and then
// works on them; also on one that was left by a node which nobody knows any more.
func TestNameLostWithTheDatabase(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	node := f.members[0]
	const name = "SELECT coalesce(max(id), '') FROM nodes"
	old := ask[string](f, name)
	const job = `INSERT INTO river_job (args, kind, max_attempts, queue, state, attempted_by)
		VALUES ('{"kind":"deadline","run":"00000000000000000000000000000001"}', 'errand', 25, 'timer', '%s', '{%s}')`
	f.order(fmt.Sprintf(job, "running", "somebody who is no more"))
	f.order("ALTER TABLE river_job RENAME TO away", "DELETE FROM nodes")
	f.soon("the news of its death", rig.Patience, func() bool { return strings.Contains(node.Log(), "declared dead") })
	rig.Pause(1500 * time.Millisecond) // it may join at any time, and must not
	if now := ask[string](f, name); now != "" {
		t.Errorf("it has joined as %s, was %s, and works on no jobs", now, old)
	}
	f.order("ALTER TABLE away RENAME TO river_job")
	f.soon("a new name", rig.Patience, func() bool { now := ask[string](f, name); return now != "" && now != old })
	f.order(fmt.Sprintf(job, "available", ""))
	f.soon("the end of both jobs", rig.Patience, func() bool {
		return ask[int](f, "SELECT count(*) FROM river_job WHERE args->>'kind' = 'deadline' AND state = 'completed'") == 2
	})
}

// order has the database do something, behind the nodes' backs.
func (f *fleet) order(statements ...string) {
	f.T.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), rig.Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, f.dsn)
	if err != nil {
		f.T.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			f.T.Fatal(err)
		}
	}
}
