package postgres

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// sweepRows bounds the expired rows that one group deletes, and sweepEvery how
// often one does: 500 a second are more than a busy server writes.
const (
	sweepRows  = 500
	sweepEvery = 1000 // milliseconds
)

const rowColumns = "kind, project, id, name, version, created, expires, data"

// queueWrites puts what was admitted into the batch: one statement per table, but
// for rows, whose order within the group matters.
func (t *transaction) queueWrites(batch *pgx.Batch) {
	t.writeLines(batch) // first, because other nodes lock them first
	t.writeEvents(batch)
	for _, it := range t.group {
		if !it.admitted() {
			continue
		}
		for i := range it.commit.Rows {
			writeRow(batch, &it.commit.Rows[i], &it.rows[i], t.moment)
		}
	}
	t.writeJobs(batch)
	t.writeAudit(batch)
	t.writeSpend(batch)
	if t.moment >= t.w.nextSweep {
		t.w.nextSweep = t.moment + sweepEvery
		// What another node is about to write anew is left alone.
		batch.Queue("DELETE FROM rows WHERE (kind, project, id) IN (SELECT kind, project, id FROM rows "+
			"WHERE expires > 0 AND expires <= $1 ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)", t.moment, sweepRows)
	}
}

func (t *transaction) writeEvents(batch *pgx.Batch) {
	var (
		runs, deleted [][16]byte
		seqs, ids, at []int64
		types         []string
		data          [][]byte
	)
	for _, it := range t.group {
		if !it.admitted() {
			continue
		}
		bodies := it.bodies
		for i := range it.commit.Runs {
			a := &it.commit.Runs[i]
			mine := bodies[:len(a.Events)]
			bodies = bodies[len(a.Events):]
			if a.Summary.Deleted {
				deleted = append(deleted, a.ID)
				continue
			}
			for j := range a.Events {
				e := &a.Events[j]
				runs, seqs, ids, at = append(runs, a.ID), append(seqs, e.Seq), append(ids, int64(e.ID)), append(at, store.Millis(e.At))
				types, data = append(types, string(e.Type)), append(data, blob(mine[j]))
			}
		}
	}
	if runs != nil {
		batch.Queue("INSERT INTO events (run, seq, id, at, type, data) SELECT * FROM "+
			unnest("uuid", "bigint", "bigint", "bigint", "text", "bytea"), runs, seqs, ids, at, types, data)
	}
	if deleted != nil { // nothing is admitted behind a deletion, so it may come last
		batch.Queue("DELETE FROM events WHERE run = ANY($1)", deleted)
	}
}

// writeLines writes each line once, however often it changed.
func (t *transaction) writeLines(batch *pgx.Batch) {
	slices.SortFunc(t.dirty, byID)
	var fresh, changed lines
	var known conditions
	for _, h := range t.dirty {
		switch {
		case !h.exists, h.filed && h.line == h.stored && !t.blind:
			// Only an item that was taken back has touched it, or it changes nothing.
		case h.filed:
			changed.add(&h.line)
			known.add(&h.stored)
		default:
			fresh.add(&h.line)
		}
	}
	switch {
	case changed.ids == nil:
	case t.blind:
		batch.Queue(updateKnownSQL(), append(changed.arguments(), known.seqs, known.epochs, known.drivers)...)
	default:
		batch.Queue(updateLinesSQL(), changed.arguments()...)
	}
	if fresh.ids != nil {
		batch.Queue(insertLinesSQL(), fresh.arguments()...)
	}
}

func writeRow(batch *pgx.Batch, row *run.RowWrite, change *rowChange, moment int64) {
	key := keyOf(row)
	switch {
	case row.Check:
		return
	case row.Delete:
		batch.Queue("DELETE FROM rows WHERE kind = $1 AND project = $2 AND id = $3", key.kind, key.project, key.id)
		return
	}
	if change.evicts != "" {
		batch.Queue("DELETE FROM rows WHERE kind = $1 AND project = $2 AND id = $3 AND expires > 0 AND expires <= $4",
			key.kind, key.project, change.evicts, moment)
	}
	// A row that another node makes meanwhile fails the insertion, and the group is
	// checked again; one that is there was locked.
	statement := "UPDATE rows SET name = $4, version = $5, created = $6, expires = $7, data = $8 WHERE kind = $1 AND project = $2 AND id = $3"
	if change.insert {
		statement = "INSERT INTO rows (" + rowColumns + ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	}
	batch.Queue(statement, key.kind, key.project, key.id, store.Text(row.Name), change.version, store.Millis(row.Created), store.Millis(row.Expires), blob(row.Data))
}

// writeJobs puts jobs into the store's own table, unless another queue has them, and
// ends and delays those that are there.
func (t *transaction) writeJobs(batch *pgx.Batch) {
	var (
		dues, finished, retried, again []int64
		kinds                          []string
		runs                           [][16]byte
		data                           [][]byte
	)
	for _, it := range t.group {
		if !it.admitted() {
			continue
		}
		for i := range it.jobs {
			job := &it.jobs[i]
			dues, kinds, runs = append(dues, store.Millis(job.Due)), append(kinds, store.Text(job.Kind)), append(runs, job.Run)
			data = append(data, blob(job.Data))
		}
		if it.finish != 0 {
			finished = append(finished, it.finish)
		}
		if it.retry != 0 {
			retried, again = append(retried, it.retry), append(again, store.Millis(it.due))
		}
	}
	if dues != nil && t.w.cfg.Jobs == nil {
		batch.Queue("INSERT INTO jobs (due, kind, run, data) SELECT * FROM "+unnest("bigint", "text", "uuid", "bytea"), dues, kinds, runs, data)
	}
	if finished != nil {
		batch.Queue("DELETE FROM jobs WHERE id = ANY($1)", finished)
	}
	if retried != nil {
		batch.Queue("UPDATE jobs SET tries = tries + 1, due = n.due FROM "+unnest("bigint", "bigint")+" AS n (id, due) WHERE jobs.id = n.id", retried, again)
	}
}
