package river

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Takeover makes what a dead node was doing available to all others, at once, and
// returns how many jobs that were. It also ends the node's time as River's leader,
// which would otherwise run for another quarter of a minute. Any number of nodes may
// call it for the same one; each job is taken over once.
//
// The jobs get new ids. River lets whoever names a running row's id end it, so a
// node that was only frozen could otherwise end the job under the hands of its
// successor; as it is, what it says of the old id is about nothing.
//
// A node is to be called dead before what says that it lives is deleted: if the
// caller dies in between, the next one must see it again.
func (q *Queue) Takeover(ctx context.Context, dead string) (int, error) {
	var count int
	err := pgx.BeginFunc(ctx, q.cfg.Pool, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, release, dead)
		if err != nil {
			return err
		}
		freed, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return err
		}
		for _, n := range freed {
			count += n
		}
		_, err = tx.Exec(ctx, depose, dead)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("taking over the jobs of node %s: %w", dead, err)
	}
	if count > 0 {
		q.cfg.Logger.Info("took over the jobs of a dead node", "node", dead, "jobs", count)
	}
	return count, nil
}

// Holders names the nodes that are doing a job, or were when they died. Those among
// them that don't live are for Takeover.
func (q *Queue) Holders(ctx context.Context) ([]string, error) {
	rows, err := q.cfg.Pool.Query(ctx, `SELECT DISTINCT attempted_by[cardinality(attempted_by)] FROM river_job WHERE state = 'running'`)
	if err != nil {
		return nil, fmt.Errorf("asking who does jobs: %w", err)
	}
	nodes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("asking who does jobs: %w", err)
	}
	return nodes, nil
}

const (
	// release writes what a node holds anew, as it is, and tells all nodes which
	// queues got jobs. It knows nothing of what is in them: they may be a newer
	// release's. It answers with the number of jobs in each queue.
	release = `
		WITH held AS (
			DELETE FROM river_job
			WHERE state = 'running' AND attempted_by[cardinality(attempted_by)] = $1
			RETURNING *
		), freed AS (
			INSERT INTO river_job (args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, tags)
			SELECT args, created_at, kind, max_attempts, metadata, priority, queue, scheduled_at, tags FROM held
			RETURNING queue
		), each AS (
			SELECT queue, count(*)::int AS jobs FROM freed GROUP BY queue
		)
		SELECT jobs FROM each, pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text)`
	// depose ends a node's time as leader and tells the others, in River's words.
	depose = `
		WITH deposed AS (DELETE FROM river_leader WHERE leader_id = $1 RETURNING leader_id)
		SELECT pg_notify(current_schema() || '.river_leadership',
			json_build_object('leader_id', leader_id, 'action', 'resigned')::text) FROM deposed`
)
