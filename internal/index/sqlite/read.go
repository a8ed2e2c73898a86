package sqlite

import (
	"context"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/index"
)

// Find returns the documents that have any of the terms, best first, whole.
func (b *Backing) Find(ctx context.Context, project string, q *index.Query, limit int) (found []index.Found, err error) {
	// Texts are read of the best documents only: that takes longer than ranking.
	const statement = `
		SELECT d.title, d.url, d.modified, d.body FROM (
			SELECT words.rowid AS id, words.rank AS rank FROM words JOIN documents d ON d.id = words.rowid
			WHERE words MATCH ? AND d.project = ? ORDER BY words.rank LIMIT ?
		) best JOIN documents d ON d.id = best.id ORDER BY best.rank, d.id`
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, statement, func(stmt *sqlite.Stmt) error {
			found = append(found, index.Found{
				Title: whole(stmt.ColumnText(0)), URL: stmt.ColumnText(1), Modified: stmt.ColumnText(2), Text: whole(stmt.ColumnText(3)),
			})
			return nil
		}, match(q), project, limit)
	})
	return found, err
}

// match writes a query in FTS5's language: any of the terms, each quoted, so that
// nothing in them is syntax.
func match(q *index.Query) string {
	var quoted []string
	for _, term := range q.Terms {
		quoted = append(quoted, `"`+strings.ReplaceAll(apart(term.Text), index.Seam, " ")+`"`)
	}
	return strings.Join(quoted, " OR ")
}

// Text returns the document at an address, or nil.
func (b *Backing) Text(ctx context.Context, project, address string) (found *index.Found, err error) {
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT title, url, modified, body FROM documents WHERE project = ? AND url = ?", func(stmt *sqlite.Stmt) error {
			found = &index.Found{Title: whole(stmt.ColumnText(0)), URL: stmt.ColumnText(1), Modified: stmt.ColumnText(2), Text: whole(stmt.ColumnText(3))}
			return nil
		}, project, address)
	})
	return found, err
}

const columns = `s.id, s.kind, s.name, s.url, s.origin, s.created, s.updated,
	(SELECT count(*) FROM documents d WHERE d.project = s.project AND d.source = s.id),
	(SELECT coalesce(sum(d.bytes), 0) FROM documents d WHERE d.project = s.project AND d.source = s.id)`

func scanSource(stmt *sqlite.Stmt) index.Source {
	return index.Source{
		ID: stmt.ColumnText(0), Kind: stmt.ColumnText(1), Name: stmt.ColumnText(2), URL: stmt.ColumnText(3), Origin: stmt.ColumnText(4),
		Created: time.UnixMilli(stmt.ColumnInt64(5)).UTC(), Updated: time.UnixMilli(stmt.ColumnInt64(6)).UTC(),
		Documents: stmt.ColumnInt(7), Bytes: stmt.ColumnInt64(8),
	}
}

// Sources lists a project's sources in order of id.
func (b *Backing) Sources(ctx context.Context, project, after string, limit int) (found []index.Source, err error) {
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+columns+" FROM sources s WHERE s.project = ? AND s.id > ? ORDER BY s.id LIMIT ?", func(stmt *sqlite.Stmt) error {
			found = append(found, scanSource(stmt))
			return nil
		}, project, after, limit)
	})
	return found, err
}

// Source returns the one with that id or name.
func (b *Backing) Source(ctx context.Context, project, idOrName string) (found index.Source, err error) {
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+columns+" FROM sources s WHERE s.project = ? AND (s.id = ? OR s.name = ?)", func(stmt *sqlite.Stmt) error {
			found = scanSource(stmt)
			return nil
		}, project, idOrName, idOrName)
	})
	return found, err
}

// Documents lists what a source has, in order of path.
func (b *Backing) Documents(ctx context.Context, project, source, after string, limit int) (found []index.Document, err error) {
	const statement = "SELECT path, url, title, digest, bytes, modified FROM documents WHERE project = ? AND source = ? AND path > ? ORDER BY path LIMIT ?"
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, statement, func(stmt *sqlite.Stmt) error {
			found = append(found, index.Document{
				Path: stmt.ColumnText(0), URL: stmt.ColumnText(1), Title: whole(stmt.ColumnText(2)), Digest: stmt.ColumnText(3),
				Bytes: stmt.ColumnInt64(4), Modified: stmt.ColumnText(5),
			})
			return nil
		}, project, source, after, limit)
	})
	return found, err
}

// Projects names those that have something in the index.
func (b *Backing) Projects(ctx context.Context) (found []string, err error) {
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT project FROM sources UNION SELECT project FROM documents ORDER BY 1", func(stmt *sqlite.Stmt) error {
			found = append(found, stmt.ColumnText(0))
			return nil
		})
	})
	return found, err
}

// apart puts seams around the characters of scripts without spaces, which makes a
// word of each for FTS5; whole takes them out.
func apart(text string) string {
	if !strings.ContainsFunc(text, index.Spaceless) {
		return text
	}
	var out strings.Builder
	for _, r := range text {
		if index.Spaceless(r) {
			out.WriteString(index.Seam)
			out.WriteRune(r)
			out.WriteString(index.Seam)
			continue
		}
		out.WriteRune(r)
	}
	return strings.ReplaceAll(out.String(), index.Seam+index.Seam, index.Seam)
}

func whole(text string) string { return strings.ReplaceAll(text, index.Seam, "") }

// Entries returns a source's documents as they were put, in the order of their paths.
func (b *Backing) Entries(ctx context.Context, project, source, after string, limit int) (found []index.Entry, err error) {
	const statement = "SELECT path, url, title, body, digest, modified, bytes FROM documents WHERE project = ? AND source = ? AND path > ? ORDER BY path LIMIT ?"
	err = b.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, statement, func(stmt *sqlite.Stmt) error {
			found = append(found, index.Entry{
				Path: stmt.ColumnText(0), URL: stmt.ColumnText(1), Title: whole(stmt.ColumnText(2)), Text: whole(stmt.ColumnText(3)),
				Digest: stmt.ColumnText(4), Modified: stmt.ColumnText(5), Bytes: stmt.ColumnInt64(6),
			})
			return nil
		}, project, source, after, limit)
	})
	return found, err
}
