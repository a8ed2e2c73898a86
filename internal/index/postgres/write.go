package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"errand/internal/index"
)

// limits of a change: a batch may take seconds, and one that waits for another node's
// longer than its lock does. A node that is frozen meanwhile keeps the project's line,
// and nothing else, for as long as it may be idle.
const limits = "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '25s'; SET LOCAL idle_in_transaction_session_timeout = '15s'"

// sendBytes is about how much text is sent before its answers are read.
const sendBytes = 1 << 20

// Write calls change in a transaction that has the project's line locked.
func (b *Backing) Write(ctx context.Context, project string, change func(context.Context, index.Tx) error) error {
	return b.transact(ctx, func(ctx context.Context, at pgx.Tx) error { return Within(at).Write(ctx, project, change) })
}

// transact runs f in a transaction, again if that may help.
func (b *Backing) transact(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	changing, cancel := context.WithTimeout(ctx, b.writeTime)
	defer cancel()
	if err := b.enter(changing); err != nil {
		return explain(ctx, err)
	}
	defer b.leave()
	for try := 1; ; try++ {
		begun := false
		err := pgx.BeginFunc(changing, b.pool, func(at pgx.Tx) error {
			begun = true
			if _, err := at.Exec(changing, limits); err != nil {
				return err
			}
			return f(changing, at)
		})
		again := !begun && lost(ctx, err) || code(err) == "40P01"
		if err == nil {
			return nil
		}
		if !again || try == tries || changing.Err() != nil {
			return explain(ctx, err)
		}
	}
}

// Within changes an index as part of a transaction that somebody else commits.
func Within(at pgx.Tx) Guest { return Guest{at} }

// Guest is an index within another one's transaction. Make one with Within.
type Guest struct{ at pgx.Tx }

// Write calls change with the project's line locked, until the transaction ends.
func (g Guest) Write(ctx context.Context, project string, change func(context.Context, index.Tx) error) error {
	t := &tx{at: g.at, project: text(project)}
	if err := t.lock(ctx); err != nil {
		return err
	}
	if err := change(ctx, t); err != nil {
		return err
	}
	return t.settle(ctx)
}

// tx is an index.Tx.
type tx struct {
	at      pgx.Tx
	project string
	share
}

// lock takes the project's line, and makes it where there is none.
func (t *tx) lock(ctx context.Context) error {
	found, err := rows(ctx, t.at, t.scan, "SELECT "+shareColumns+" FROM index_projects WHERE project = $1 FOR UPDATE", t.project)
	if err != nil || found {
		return err
	}
	// Another node may make it at this moment: then this one waits, and has it next.
	const make = "INSERT INTO index_projects (project) VALUES ($1) ON CONFLICT (project) DO UPDATE SET bytes = index_projects.bytes RETURNING "
	_, err = rows(ctx, t.at, t.scan, make+shareColumns, t.project)
	return err
}

// settle writes what the project has now. A line with nothing goes.
func (t *tx) settle(ctx context.Context) error {
	const keep = "UPDATE index_projects SET documents = $2, bytes = $3, words = $4 WHERE project = $1"
	if _, err := t.at.Exec(ctx, keep, t.project, t.documents, t.bytes, t.words); err != nil || t.documents > 0 {
		return err
	}
	_, err := t.at.Exec(ctx, "DELETE FROM index_projects WHERE project = $1 AND NOT EXISTS (SELECT FROM index_sources WHERE project = $1)", t.project)
	return err
}

// Bytes is how much text the project has.
func (t *tx) Bytes(context.Context) (int64, error) { return t.bytes, nil }

// Keep writes a source.
func (t *tx) Keep(ctx context.Context, s *index.Source) error {
	const keep = `INSERT INTO index_sources (project, id, kind, name, url, origin, created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (project, id) DO UPDATE SET url = excluded.url, origin = excluded.origin, updated = excluded.updated`
	_, err := t.at.Exec(ctx, keep, t.project, s.ID, s.Kind, s.Name, s.URL, s.Origin, s.Created.UnixMilli(), s.Updated.UnixMilli())
	return err
}

// Read returns a source with what it has now.
func (t *tx) Read(ctx context.Context, id string) (found index.Source, err error) {
	_, err = rows(ctx, t.at, func(rows pgx.Rows) (err error) {
		found, err = scanSource(rows)
		return err
	}, "SELECT "+sourceColumns+" FROM index_sources s WHERE project = $1 AND id = $2", t.project, id)
	return found, err
}

// Drop removes a source with all that it has.
func (t *tx) Drop(ctx context.Context, id string) error {
	if _, err := t.remove(ctx, "project = $1 AND source = $2", t.project, id); err != nil {
		return err
	}
	if _, err := t.at.Exec(ctx, "DELETE FROM index_sources WHERE project = $1 AND id = $2", t.project, id); err != nil {
		return err
	}
	return t.recount(ctx)
}

// recount counts what the project has. All changes book what they do; now and then it is
// looked whether that is so, and mended where it is not.
func (t *tx) recount(ctx context.Context) error {
	_, err := rows(ctx, t.at, func(rows pgx.Rows) error { return rows.Scan(&t.documents, &t.bytes, &t.words) },
		"SELECT count(*), coalesce(sum(bytes), 0)::bigint, coalesce(sum(words), 0)::bigint FROM index_documents WHERE project = $1", t.project)
	return err
}

// Digests returns those of the documents at these paths.
func (t *tx) Digests(ctx context.Context, source string, paths []string) (map[string]string, error) {
	known := map[string]string{}
	_, err := rows(ctx, t.at, func(rows pgx.Rows) error {
		var path, digest string
		err := rows.Scan(&path, &digest)
		known[path] = digest
		return err
	}, "SELECT path, digest FROM index_documents WHERE project = $1 AND source = $2 AND path = ANY ($3)", t.project, source, texts(paths))
	return known, err
}

// Remove removes documents and returns how many there were.
func (t *tx) Remove(ctx context.Context, source string, paths []string) (int, error) {
	if len(paths) == 0 {
		return 0, nil
	}
	return t.remove(ctx, "project = $1 AND source = $2 AND path = ANY ($3)", t.project, source, texts(paths))
}

// remove removes the documents for which a condition holds, with their parts.
func (t *tx) remove(ctx context.Context, which string, arguments ...any) (count int, err error) {
	var bytes, words int64
	_, err = rows(ctx, t.at, func(rows pgx.Rows) error { return rows.Scan(&count, &bytes, &words) },
		"WITH gone AS (DELETE FROM index_documents WHERE "+which+" RETURNING bytes, words) "+
			"SELECT count(*), coalesce(sum(bytes), 0)::bigint, coalesce(sum(words), 0)::bigint FROM gone", arguments...)
	t.documents, t.bytes, t.words = t.documents-int64(count), t.bytes-bytes, t.words-words
	return count, err
}

// Put writes documents, in place of those with their paths.
func (t *tx) Put(ctx context.Context, source string, documents []index.Entry) error {
	if len(documents) == 0 {
		return nil
	}
	paths := make([]string, len(documents))
	for i := range documents {
		paths[i] = documents[i].Path
	}
	if _, err := t.remove(ctx, "project = $1 AND source = $2 AND path = ANY ($3)", t.project, source, paths); err != nil {
		return err
	}
	var ids []int64
	_, err := rows(ctx, t.at, func(rows pgx.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT nextval(pg_get_serial_sequence('index_documents', 'id')) FROM generate_series(1, $1)", len(documents))
	if err != nil {
		return err
	}
	batch, bytes := &pgx.Batch{}, 0
	for i := range documents {
		bytes += t.queue(batch, ids[i], source, &documents[i])
		if bytes < sendBytes && i < len(documents)-1 {
			continue
		}
		if err := t.at.SendBatch(ctx, batch).Close(); err != nil {
			return err
		}
		batch, bytes = &pgx.Batch{}, 0
	}
	return nil
}

// queue adds a document to what is sent, and says how much that is.
func (t *tx) queue(batch *pgx.Batch, id int64, source string, d *index.Entry) (bytes int) {
	const (
		document = `INSERT INTO index_documents (id, project, source, path, url, digest, bytes, words, modified, title)
			OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`
		piece  = "INSERT INTO index_texts (document, part, body) VALUES ($1, $2, $3)"
		vector = "INSERT INTO index_vectors (document, part, words, lexemes) VALUES ($1, $2, $3, $4::text::tsvector)"
	)
	parts, words := divide(t.mark, d)
	batch.Queue(document, id, t.project, source, d.Path, d.URL, d.Digest, d.Bytes, words, d.Modified, d.Title)
	for i := range parts {
		batch.Queue(piece, id, i, parts[i].body)
		batch.Queue(vector, id, i, words, parts[i].lexemes)
		bytes += len(parts[i].body)
	}
	t.documents, t.bytes, t.words = t.documents+1, t.bytes+d.Bytes, t.words+int64(words)
	return bytes
}

// Clear removes up to limit documents of a project, and its sources with the last.
func (b *Backing) Clear(ctx context.Context, project string, limit int) (count int, err error) {
	there, err := b.share(ctx, project)
	if err != nil || there.mark == 0 {
		return 0, err
	}
	err = b.transact(ctx, func(ctx context.Context, at pgx.Tx) error {
		t := &tx{at: at, project: text(project)}
		if err := t.lock(ctx); err != nil {
			return err
		}
		var err error
		count, err = t.remove(ctx, "id IN (SELECT id FROM index_documents WHERE project = $1 ORDER BY id LIMIT $2)", t.project, limit)
		if err == nil && count < limit {
			var gone pgconn.CommandTag
			gone, err = at.Exec(ctx, "DELETE FROM index_sources WHERE project = $1", t.project)
			count += int(gone.RowsAffected())
		}
		if err != nil {
			return err
		}
		return t.settle(ctx)
	})
	return count, err
}
