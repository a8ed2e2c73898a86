package sqlite

import (
	"context"

	"zombiezen.com/go/sqlite"

	"errand/internal/index"
)

// Write calls change in a transaction.
func (b *Backing) Write(ctx context.Context, project string, change func(context.Context, index.Tx) error) error {
	return b.write(ctx, func(conn *sqlite.Conn) error { return change(ctx, &tx{conn, project}) })
}

// tx is an index.Tx.
type tx struct {
	conn    *sqlite.Conn
	project string
}

// Bytes is how much text the project has: an index has the sum without the documents.
func (t *tx) Bytes(context.Context) (bytes int64, err error) {
	err = query(t.conn, "SELECT coalesce(sum(bytes), 0) FROM documents WHERE project = ?", func(stmt *sqlite.Stmt) error {
		bytes = stmt.ColumnInt64(0)
		return nil
	}, t.project)
	return bytes, err
}

// Keep writes a source.
func (t *tx) Keep(_ context.Context, s *index.Source) error {
	const keep = `INSERT INTO sources (project, id, kind, name, url, origin, created, updated) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, id) DO UPDATE SET url = excluded.url, origin = excluded.origin, updated = excluded.updated`
	return exec(t.conn, keep, t.project, s.ID, s.Kind, s.Name, s.URL, s.Origin, s.Created.UnixMilli(), s.Updated.UnixMilli())
}

// Read returns a source with what it has now.
func (t *tx) Read(_ context.Context, id string) (found index.Source, err error) {
	err = query(t.conn, "SELECT "+columns+" FROM sources s WHERE s.project = ? AND s.id = ?", func(stmt *sqlite.Stmt) error {
		found = scanSource(stmt)
		return nil
	}, t.project, id)
	return found, err
}

// Drop removes a source with all that it has.
func (t *tx) Drop(_ context.Context, id string) error {
	if err := exec(t.conn, "DELETE FROM documents WHERE project = ? AND source = ?", t.project, id); err != nil {
		return err
	}
	return exec(t.conn, "DELETE FROM sources WHERE project = ? AND id = ?", t.project, id)
}

// Digests returns those of the documents at these paths.
func (t *tx) Digests(_ context.Context, source string, paths []string) (map[string]string, error) {
	known := map[string]string{}
	for _, path := range paths {
		err := query(t.conn, "SELECT digest FROM documents WHERE project = ? AND source = ? AND path = ?", func(stmt *sqlite.Stmt) error {
			known[path] = stmt.ColumnText(0)
			return nil
		}, t.project, source, path)
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// Put writes documents. The words follow by triggers.
func (t *tx) Put(_ context.Context, source string, documents []index.Entry) error {
	const put = `INSERT INTO documents (project, source, path, url, digest, bytes, modified, title, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (project, source, path) DO UPDATE SET url = excluded.url, digest = excluded.digest, bytes = excluded.bytes,
		modified = excluded.modified, title = excluded.title, body = excluded.body`
	for i := range documents {
		d := &documents[i]
		if err := exec(t.conn, put, t.project, source, d.Path, d.URL, d.Digest, d.Bytes, d.Modified, apart(d.Title), apart(d.Text)); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes documents and returns how many there were.
func (t *tx) Remove(_ context.Context, source string, paths []string) (count int, err error) {
	for _, path := range paths {
		if err := exec(t.conn, "DELETE FROM documents WHERE project = ? AND source = ? AND path = ?", t.project, source, path); err != nil {
			return count, err
		}
		count += t.conn.Changes()
	}
	return count, nil
}

// Clear removes up to limit documents of a project, and its sources with the last.
func (b *Backing) Clear(ctx context.Context, project string, limit int) (count int, err error) {
	pool, err := b.open(ctx, false)
	if err != nil || pool == nil {
		return 0, err
	}
	err = b.write(ctx, func(conn *sqlite.Conn) error {
		if err := exec(conn, "DELETE FROM documents WHERE id IN (SELECT id FROM documents WHERE project = ? LIMIT ?)", project, limit); err != nil {
			return err
		}
		if count = conn.Changes(); count == limit {
			return nil
		}
		err := exec(conn, "DELETE FROM sources WHERE project = ?", project)
		count += conn.Changes()
		return err
	})
	return count, err
}
