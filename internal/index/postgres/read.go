package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/index"
)

// Text returns the document at an address, or nil.
func (b *Backing) Text(ctx context.Context, project, address string) (found *index.Found, err error) {
	const sql = `SELECT title, url, modified, (SELECT string_agg(body, '' ORDER BY part) FROM index_texts WHERE document = d.id)
		FROM index_documents d WHERE project = $1 AND url = $2 ORDER BY id DESC LIMIT 1`
	err = b.query(ctx, func(rows pgx.Rows) error {
		found = &index.Found{}
		return rows.Scan(&found.Title, &found.URL, &found.Modified, &found.Text)
	}, sql, text(project), text(address))
	return found, err
}

const sourceColumns = `s.id, s.kind, s.name, s.url, s.origin, s.created, s.updated,
	(SELECT count(*) FROM index_documents d WHERE d.project = s.project AND d.source = s.id),
	(SELECT coalesce(sum(d.bytes), 0)::bigint FROM index_documents d WHERE d.project = s.project AND d.source = s.id)`

func scanSource(rows pgx.Rows) (s index.Source, err error) {
	var created, updated int64
	err = rows.Scan(&s.ID, &s.Kind, &s.Name, &s.URL, &s.Origin, &created, &updated, &s.Documents, &s.Bytes)
	s.Created, s.Updated = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	return s, err
}

// Sources lists a project's sources in order of id.
func (b *Backing) Sources(ctx context.Context, project, after string, limit int) (found []index.Source, err error) {
	err = b.query(ctx, func(rows pgx.Rows) error {
		one, err := scanSource(rows)
		found = append(found, one)
		return err
	}, "SELECT "+sourceColumns+" FROM index_sources s WHERE project = $1 AND id > $2 ORDER BY id LIMIT $3", text(project), text(after), limit)
	return found, err
}

// Source returns the one with that id or name.
func (b *Backing) Source(ctx context.Context, project, idOrName string) (found index.Source, err error) {
	err = b.query(ctx, func(rows pgx.Rows) error {
		found, err = scanSource(rows)
		return err
	}, "SELECT "+sourceColumns+" FROM index_sources s WHERE project = $1 AND (id = $2 OR name = $2) LIMIT 1", text(project), text(idOrName))
	return found, err
}

// Documents lists what a source has, in order of path.
func (b *Backing) Documents(ctx context.Context, project, source, after string, limit int) (found []index.Document, err error) {
	const sql = `SELECT path, url, title, digest, bytes, modified FROM index_documents
		WHERE project = $1 AND source = $2 AND path > $3 ORDER BY path LIMIT $4`
	err = b.query(ctx, func(rows pgx.Rows) error {
		var d index.Document
		err := rows.Scan(&d.Path, &d.URL, &d.Title, &d.Digest, &d.Bytes, &d.Modified)
		found = append(found, d)
		return err
	}, sql, text(project), text(source), text(after), limit)
	return found, err
}

// Projects names those that have something in the index.
func (b *Backing) Projects(ctx context.Context) (found []string, err error) {
	err = b.survey(ctx, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		found = append(found, name)
		return err
	}, "SELECT project FROM index_sources UNION SELECT project FROM index_documents UNION SELECT project FROM index_projects ORDER BY 1")
	return found, err
}

// Drift names projects whose line says something else than what they have: quotas and
// ranks are worked out of it.
func (b *Backing) Drift(ctx context.Context) (found []string, err error) {
	const sql = `WITH has AS (SELECT project, count(*) AS documents, sum(bytes) AS bytes, sum(words) AS words FROM index_documents GROUP BY project)
		SELECT coalesce(s.project, h.project) FROM index_projects s FULL JOIN has h ON h.project = s.project
		WHERE (coalesce(s.documents, -1), coalesce(s.bytes, -1), coalesce(s.words, -1)) <> (coalesce(h.documents, 0), coalesce(h.bytes, 0), coalesce(h.words, 0))
		ORDER BY 1`
	err = b.survey(ctx, func(rows pgx.Rows) error {
		var name string
		err := rows.Scan(&name)
		found = append(found, name)
		return err
	}, sql)
	return found, err
}
