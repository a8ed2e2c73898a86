package index

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

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

// Sources lists a project's sources in order of id.
func (x *Index) Sources(ctx context.Context, project, after string, limit int) ([]Source, error) {
	return x.keep.Sources(ctx, project, after, limit)
}

// Source returns one by its id, its name, or a page's address.
func (x *Index) Source(ctx context.Context, project, idOrName string) (Source, error) {
	found, err := x.keep.Source(ctx, project, idOrName)
	if err == nil && found.ID == "" {
		err = problem.New(problem.NotFound, "There is no source %q in this project's index: GET /v1/index lists them.", idOrName)
	}
	return found, err
}

// Documents lists what a source has, in order of path.
func (x *Index) Documents(ctx context.Context, project, idOrName, after string, limit int) ([]Document, error) {
	source, err := x.Source(ctx, project, idOrName)
	if err != nil {
		return nil, err
	}
	return x.keep.Documents(ctx, project, source.ID, after, limit)
}

// Clear removes up to limit documents of a project, and its sources with the last of
// them, and returns how many of both there were.
func (x *Index) Clear(ctx context.Context, project string, limit int) (count int, err error) {
	return x.keep.Clear(ctx, project, limit)
}

// Projects names those that have something in the index.
func (x *Index) Projects(ctx context.Context) ([]string, error) { return x.keep.Projects(ctx) }

// Remove drops a source with all that it has.
func (x *Index) Remove(ctx context.Context, project, idOrName string) (Source, error) {
	found, err := x.Source(ctx, project, idOrName) // before anything makes a file
	if err != nil {
		return found, err
	}
	return found, x.keep.Write(ctx, project, func(ctx context.Context, tx Tx) error { return tx.Drop(ctx, found.ID) })
}
