package native

import (
	"context"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// Index is this server's own search index. internal/app adapts internal/index.
type Index interface {
	IndexReader
	IndexWriter
}

// IndexReader shows what is in the index. Sources go by id, name or, of a page,
// address; what is not there is not_found.
type IndexReader interface {
	// Sources lists a project's sources in order of id.
	Sources(ctx context.Context, project, after string, limit int) ([]IndexSource, error)
	// Source returns one.
	Source(ctx context.Context, project, id string) (IndexSource, error)
	// Documents lists what a source has, in order of path.
	Documents(ctx context.Context, project, id, after string, limit int) ([]IndexDocument, error)
}

// IndexWriter changes the index.
type IndexWriter interface {
	// Put adds files to a directory and removes others, all or nothing.
	Put(ctx context.Context, project string, batch IndexBatch) (IndexSource, IndexChange, error)
	// Add fetches a page and adds it.
	Add(ctx context.Context, project, url string) (IndexSource, IndexChange, error)
	// Remove drops a source with all that it has.
	Remove(ctx context.Context, project, id string) (IndexSource, error)
}

// IndexSource is a directory or a page in the index.
type IndexSource struct {
	ID        string
	Kind      string // directory or page
	Name      string
	URL       string
	Origin    string
	Documents int
	Bytes     int64
	Created   time.Time
	Updated   time.Time
}

// IndexDocument is a file or a page of a source.
type IndexDocument struct {
	Path     string
	URL      string
	Title    string
	Digest   string
	Bytes    int64
	Modified string
}

// IndexBatch changes a directory.
type IndexBatch struct {
	Name, Origin string
	Files        []IndexFile
	Gone         []string // paths
}

// IndexFile is a file for the index.
type IndexFile struct{ Path, Content, Digest, Modified string }

// IndexChange says what came of a batch.
type IndexChange struct {
	Added, Changed, Unchanged, Removed int
	Refused                            []IndexRefusal
}

// IndexRefusal is a file that was not taken.
type IndexRefusal struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// What one request may bring.
const (
	indexBody  = 16 << 20 // bytes: room for the largest file, escaped
	indexFiles = 1000
)

type indexIn struct {
	URL    *string       `json:"url"`
	Name   *string       `json:"name"`
	Origin *string       `json:"origin"`
	Files  []indexFileIn `json:"documents"`
	Gone   []string      `json:"remove"`
}

type indexFileIn struct {
	Path     string  `json:"path"`
	Content  *string `json:"content"`
	Digest   string  `json:"digest"`
	Modified string  `json:"modified"`
}

// sourceBody is a source as this API shows it. Change is there only in the answer
// to what caused it.
type sourceBody struct {
	ID        string      `json:"id"`
	Object    string      `json:"object"`
	Kind      string      `json:"kind"`
	Name      string      `json:"name"`
	URL       string      `json:"url"`
	Origin    *string     `json:"origin"`
	Documents int         `json:"documents"`
	Bytes     int64       `json:"bytes"`
	CreatedAt time.Time   `json:"created_at"`
	UpdatedAt time.Time   `json:"updated_at"`
	Change    *changeBody `json:"change,omitzero"`
}

type changeBody struct {
	Added     int            `json:"added"`
	Changed   int            `json:"changed"`
	Unchanged int            `json:"unchanged"`
	Removed   int            `json:"removed"`
	Refused   []IndexRefusal `json:"refused"`
}

type documentBody struct {
	Object   string  `json:"object"`
	Path     string  `json:"path"`
	URL      string  `json:"url"`
	Title    string  `json:"title"`
	Digest   string  `json:"digest"`
	Bytes    int64   `json:"bytes"`
	Modified *string `json:"modified"`
}

func showSource(s *IndexSource) sourceBody {
	return sourceBody{
		ID: s.ID, Object: "index_source", Kind: s.Kind, Name: s.Name, URL: s.URL, Origin: optional(s.Origin),
		Documents: s.Documents, Bytes: s.Bytes, CreatedAt: s.Created.UTC(), UpdatedAt: s.Updated.UTC(),
	}
}

func showDocument(d *IndexDocument) documentBody {
	return documentBody{Object: "index_document", Path: d.Path, URL: d.URL, Title: d.Title, Digest: d.Digest, Bytes: d.Bytes, Modified: optional(d.Modified)}
}

func (a *API) indexRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/index", Scope: "index:write", Body: indexBody, Handle: a.addToIndex},
		{Method: "GET", Path: "/v1/index", Scope: "index:read", Query: filters(), Handle: a.listIndex},
		{Method: "GET", Path: "/v1/index/{id}", Scope: "index:read", Handle: a.getSource},
		{Method: "DELETE", Path: "/v1/index/{id}", Scope: "index:write", Handle: a.removeSource},
		{Method: "GET", Path: "/v1/index/{id}/documents", Scope: "index:read", Query: filters(), Handle: a.listDocuments},
	}
}

// index returns the index, or says that this server has none.
func (a *API) index() (Index, error) {
	if a.cfg.Index == nil {
		return nil, problem.New(problem.NotAvailable, "This server keeps no index.")
	}
	return a.cfg.Index, nil
}

func (a *API) addToIndex(ctx context.Context, r *wire.Request) (wire.Response, error) {
	index, err := a.index()
	if err != nil {
		return wire.Response{}, err
	}
	var in indexIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	batch, err := in.batch()
	if err != nil {
		return wire.Response{}, err
	}
	var source IndexSource
	var change IndexChange
	if in.URL != nil {
		source, change, err = index.Add(ctx, r.Caller.Project, *in.URL)
	} else {
		source, change, err = index.Put(ctx, r.Caller.Project, batch)
	}
	if told := problem.From(err); in.URL != nil && (problem.Is(err, problem.ToolFailed) || problem.Is(err, problem.EgressDenied)) {
		err = problem.Invalid("url", "%s", told.Detail).Because(err) // whoever named the page can name another
	}
	if err != nil {
		return wire.Response{}, err
	}
	body := showSource(&source)
	if change.Refused == nil {
		change.Refused = []IndexRefusal{}
	}
	body.Change = &changeBody{
		Added: change.Added, Changed: change.Changed, Unchanged: change.Unchanged, Removed: change.Removed, Refused: change.Refused,
	}
	return wire.OK(body), nil
}

// batch checks the body and returns what it brings for a directory.
func (in *indexIn) batch() (IndexBatch, error) {
	faults := map[string]string{}
	batch := IndexBatch{Name: value(in.Name), Origin: value(in.Origin), Gone: in.Gone}
	switch {
	case in.URL == nil && in.Name == nil:
		faults["name"] = "is missing: name a directory and send its documents, or send the url of a page."
	case in.URL != nil && (in.Name != nil || in.Origin != nil || in.Files != nil || in.Gone != nil):
		faults["url"] = "goes alone: a page has no name, origin or documents."
	case len(in.Files) > indexFiles:
		faults["documents"] = fmt.Sprintf("has %d documents: send at most %d at once.", len(in.Files), indexFiles)
	case len(in.Gone) > indexFiles:
		faults["remove"] = fmt.Sprintf("has %d paths: send at most %d at once.", len(in.Gone), indexFiles)
	}
	for i, file := range in.Files {
		if file.Content == nil {
			faults[fmt.Sprintf("documents[%d].content", i)] = "is missing: it is the document's text."
			continue
		}
		batch.Files = append(batch.Files, IndexFile{Path: file.Path, Content: *file.Content, Digest: file.Digest, Modified: file.Modified})
	}
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return batch, invalid
	}
	return batch, nil
}

func (a *API) listIndex(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	after, limit := query.String("starting_after"), query.Int("limit", defaultPage, 1, maxPage)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	index, err := a.index()
	if err != nil {
		return wire.Response{}, err
	}
	found, err := index.Sources(ctx, r.Caller.Project, after, limit+1)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(listOf(found, limit, showSource, func(last *IndexSource) string { return last.ID })), nil
}

func (a *API) getSource(ctx context.Context, r *wire.Request) (wire.Response, error) {
	index, err := a.index()
	if err != nil {
		return wire.Response{}, err
	}
	found, err := index.Source(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showSource(&found)), nil
}

func (a *API) removeSource(ctx context.Context, r *wire.Request) (wire.Response, error) {
	index, err := a.index()
	if err != nil {
		return wire.Response{}, err
	}
	removed, err := index.Remove(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(deletedBody{ID: removed.ID, Object: "index_source", Deleted: true}), nil
}

// documentPage is larger than other pages: whoever brings a directory up to date
// reads all of them.
const documentPage = 1000

func (a *API) listDocuments(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	after, limit := query.String("starting_after"), query.Int("limit", maxPage, 1, documentPage)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	index, err := a.index()
	if err != nil {
		return wire.Response{}, err
	}
	found, err := index.Documents(ctx, r.Caller.Project, r.Path("id"), after, limit+1)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(listOf(found, limit, showDocument, func(last *IndexDocument) string { return last.Path })), nil
}
