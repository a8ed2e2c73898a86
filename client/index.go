package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// IndexSource is a directory or a page of the server's search index.
type IndexSource struct {
	ID        string       `json:"id"`
	Kind      string       `json:"kind"` // directory, page
	Name      string       `json:"name"` // of a page, its address
	URL       string       `json:"url"`
	Origin    string       `json:"origin"` // where a directory's files came from
	Documents int          `json:"documents"`
	Bytes     int64        `json:"bytes"` // of text
	CreatedAt time.Time    `json:"created_at"`
	UpdatedAt time.Time    `json:"updated_at"`
	Change    *IndexChange `json:"change"` // in the answer to Put and Add

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (s *IndexSource) UnmarshalJSON(text []byte) error {
	type plain IndexSource
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	s.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// IndexChange says what came of a batch.
type IndexChange struct {
	Added     int            `json:"added"`
	Changed   int            `json:"changed"`
	Unchanged int            `json:"unchanged"`
	Removed   int            `json:"removed"`
	Refused   []IndexRefusal `json:"refused"`
}

// IndexRefusal is a file that the server did not take.
type IndexRefusal struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// IndexBatch changes a directory: at most 1,000 files and 1,000 paths at once.
type IndexBatch struct {
	Name   string      `json:"name"`
	Origin string      `json:"origin,omitempty"`
	Files  []IndexFile `json:"documents,omitempty"`
	Remove []string    `json:"remove,omitempty"` // paths
}

// IndexFile is a text, Markdown or HTML file, as UTF-8. Its path's ending says
// which.
type IndexFile struct {
	Path     string `json:"path"` // relative, with slashes
	Content  string `json:"content"`
	Digest   string `json:"digest,omitempty"`   // by which it is known again; empty = the content's SHA-256
	Modified string `json:"modified,omitempty"` // a day, 2006-01-02
}

// IndexDocument is a file or page that is in the index.
type IndexDocument struct {
	Path     string `json:"path"`
	URL      string `json:"url"`
	Title    string `json:"title"`
	Digest   string `json:"digest"`
	Bytes    int64  `json:"bytes"`
	Modified string `json:"modified"`
}

// Index is the server's own search index, as far as the key's project has it.
// Sources go by id or name.
type Index struct{ c *Client }

// Put adds files to a directory and removes others.
func (x *Index) Put(ctx context.Context, batch IndexBatch) (source IndexSource, err error) {
	err = x.c.do(ctx, call{method: http.MethodPost, path: "/v1/index", body: batch, into: &source})
	return source, err
}

// Add lets the server fetch a page and add it, or bring it up to date.
func (x *Index) Add(ctx context.Context, page string) (source IndexSource, err error) {
	err = x.c.do(ctx, call{method: http.MethodPost, path: "/v1/index", body: map[string]string{"url": page}, into: &source})
	return source, err
}

// List returns one page of sources.
func (x *Index) List(ctx context.Context, after string, limit int) (Page[IndexSource], error) {
	return list[IndexSource](ctx, x.c, call{path: "/v1/index"}, after, limit)
}

// Get returns a source.
func (x *Index) Get(ctx context.Context, id string) (source IndexSource, err error) {
	err = x.c.do(ctx, call{method: http.MethodGet, path: sourcePath(id), into: &source})
	return source, err
}

// Documents returns one page of what a source has, at most 1,000.
func (x *Index) Documents(ctx context.Context, id, after string, limit int) (Page[IndexDocument], error) {
	return list[IndexDocument](ctx, x.c, call{path: sourcePath(id) + "/documents"}, after, limit)
}

// Remove removes a source with all that it has.
func (x *Index) Remove(ctx context.Context, id string) error {
	return x.c.do(ctx, call{method: http.MethodDelete, path: sourcePath(id)})
}

func sourcePath(id string) string { return "/v1/index/" + url.PathEscape(id) }
