package index

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/problem"
)

// Kinds of sources.
const (
	Directory = "directory" // files that a client has sent
	PageKind  = "page"      // one page of the web
)

// Source is a directory or a page that was added.
type Source struct {
	ID        string // the same whenever it is added again
	Kind      string
	Name      string // of a directory, as in its documents' addresses; of a page, its address
	URL       string // index://NAME/, or the page's
	Origin    string // where a directory's files came from, as whoever sent them says
	Documents int
	Bytes     int64 // of text
	Created   time.Time
	Updated   time.Time
}

// Document is a file or page in a list.
type Document struct {
	Path     string // within its source
	URL      string
	Title    string
	Digest   string
	Bytes    int64 // of text
	Modified string
}

// sourceID is an id that anyone can compute again: the index can be lost and the
// ids that people have written down still hold.
func sourceID(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	return "idx_" + hex.EncodeToString(sum[:10])
}

const columns = `s.id, s.kind, s.name, s.url, s.origin, s.created, s.updated,
	(SELECT count(*) FROM documents d WHERE d.project = s.project AND d.source = s.id),
	(SELECT coalesce(sum(d.bytes), 0) FROM documents d WHERE d.project = s.project AND d.source = s.id)`

func scanSource(stmt *sqlite.Stmt) Source {
	return Source{
		ID: stmt.ColumnText(0), Kind: stmt.ColumnText(1), Name: stmt.ColumnText(2), URL: stmt.ColumnText(3), Origin: stmt.ColumnText(4),
		Created: time.UnixMilli(stmt.ColumnInt64(5)).UTC(), Updated: time.UnixMilli(stmt.ColumnInt64(6)).UTC(),
		Documents: stmt.ColumnInt(7), Bytes: stmt.ColumnInt64(8),
	}
}

// Sources lists a project's sources in order of id.
func (x *Index) Sources(ctx context.Context, project, after string, limit int) ([]Source, error) {
	var found []Source
	err := x.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT "+columns+" FROM sources s WHERE s.project = ? AND s.id > ? ORDER BY s.id LIMIT ?", func(stmt *sqlite.Stmt) error {
			found = append(found, scanSource(stmt))
			return nil
		}, project, after, limit)
	})
	return found, err
}

// Source returns one by its id, its name, or a page's address.
func (x *Index) Source(ctx context.Context, project, idOrName string) (found Source, err error) {
	err = x.read(ctx, func(conn *sqlite.Conn) error { return one(conn, project, idOrName, &found) })
	if err == nil && found.ID == "" {
		err = unknown(idOrName)
	}
	return found, err
}

func one(conn *sqlite.Conn, project, idOrName string, into *Source) error {
	return query(conn, "SELECT "+columns+" FROM sources s WHERE s.project = ? AND (s.id = ? OR s.name = ?)", func(stmt *sqlite.Stmt) error {
		*into = scanSource(stmt)
		return nil
	}, project, idOrName, idOrName)
}

func unknown(idOrName string) error {
	return problem.New(problem.NotFound, "There is no source %q in this project's index: GET /v1/index lists them.", idOrName)
}

// Documents lists what a source has, in order of path.
func (x *Index) Documents(ctx context.Context, project, idOrName, after string, limit int) ([]Document, error) {
	source, err := x.Source(ctx, project, idOrName)
	if err != nil {
		return nil, err
	}
	var found []Document
	err = x.read(ctx, func(conn *sqlite.Conn) error {
		const statement = "SELECT path, url, title, digest, bytes, modified FROM documents WHERE project = ? AND source = ? AND path > ? ORDER BY path LIMIT ?"
		return query(conn, statement, func(stmt *sqlite.Stmt) error {
			found = append(found, Document{
				Path: stmt.ColumnText(0), URL: stmt.ColumnText(1), Title: whole(stmt.ColumnText(2)), Digest: stmt.ColumnText(3),
				Bytes: stmt.ColumnInt64(4), Modified: stmt.ColumnText(5),
			})
			return nil
		}, project, source.ID, after, limit)
	})
	return found, err
}

// Clear removes up to limit documents of a project, and its sources with the last of
// them, and returns how many of both there were.
func (x *Index) Clear(ctx context.Context, project string, limit int) (count int, err error) {
	pool, err := x.open(ctx, false)
	if err != nil || pool == nil {
		return 0, err
	}
	err = x.write(ctx, func(conn *sqlite.Conn) error {
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

// Projects names those that have something in the index.
func (x *Index) Projects(ctx context.Context) (found []string, err error) {
	err = x.read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, "SELECT project FROM sources UNION SELECT project FROM documents ORDER BY 1", func(stmt *sqlite.Stmt) error {
			found = append(found, stmt.ColumnText(0))
			return nil
		})
	})
	return found, err
}

// Remove drops a source with all that it has.
func (x *Index) Remove(ctx context.Context, project, idOrName string) (Source, error) {
	found, err := x.Source(ctx, project, idOrName) // before anything makes a file
	if err != nil {
		return found, err
	}
	err = x.write(ctx, func(conn *sqlite.Conn) error {
		if err := exec(conn, "DELETE FROM documents WHERE project = ? AND source = ?", project, found.ID); err != nil {
			return err
		}
		return exec(conn, "DELETE FROM sources WHERE project = ? AND id = ?", project, found.ID)
	})
	return found, err
}
