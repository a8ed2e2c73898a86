package app

import (
	"context"
	"slices"
	"strings"

	"errand/internal/api/native"
	"errand/internal/egress"
	"errand/internal/index"
	indextables "errand/internal/index/postgres"
	indexfile "errand/internal/index/sqlite"
	"errand/internal/tool"
	"errand/internal/tool/web"
	"errand/internal/tool/web/search"
)

// openIndex opens the search index: a file beside the store's, or tables in the
// database that several nodes share.
func (a *assembly) openIndex(ctx context.Context) error {
	cfg := index.Config{Pages: pageReader{a}, Now: a.now, Most: megabytes(a.cfg.Limits.IndexMB)}
	if a.cluster != nil {
		cfg.Keep = indextables.New(a.cluster.store.Pool())
	} else {
		keep, err := indexfile.Open(ctx, a.cfg.Data)
		if err != nil {
			return err
		}
		cfg.Keep = keep
	}
	a.index = index.New(cfg)
	return nil
}

// webTools makes web.search and web.fetch. Without an index, as when settings are
// only looked at, neither reads from one.
func (a *assembly) webTools(guard *egress.Guard, agent string) ([]tool.Tool, error) {
	reading := web.Config{Guard: guard, Agent: agent}
	settings := search.Settings{
		Order: a.cfg.Search, SearXNG: a.cfg.SearXNGURL.Reveal(), Keys: map[string]string{}, Guard: guard, Agent: agent,
	}
	for name, key := range a.cfg.SearchKeys {
		settings.Keys[name] = key.Reveal()
	}
	if a.index != nil {
		reading.Library, settings.Index = a.index, a.index
	}
	searcher, err := web.NewSearch(settings, a.now)
	if err != nil {
		return nil, err
	}
	a.pages, a.engines = web.New(reading), searcher.Engines()
	return append(a.browserTools(searcher), searcher, a.pages), nil
}

// searches says what web.search asks.
func (a *assembly) searches() string {
	engines := a.engines
	if !slices.Contains(a.cfg.Search, search.IndexName) {
		engines = append(slices.DeleteFunc(slices.Clone(engines), func(name string) bool { return name == search.IndexName }), "this server's own index")
	}
	if len(engines) == 1 {
		return engines[0] + " alone; ERRAND_SEARXNG_URL, or the key of a search engine, adds the web"
	}
	return strings.Join(engines, ", then ")
}

// pageReader reads pages for the index with the tool that reads them for models.
type pageReader struct{ a *assembly }

// Page returns the readable part of a page.
func (r pageReader) Page(ctx context.Context, address string) (title, final, text string, err error) {
	page, err := r.a.pages.Page(ctx, address)
	return page.Title, page.URL, page.Text, err
}

// library shows the index to the API.
type library struct{ index *index.Index }

// Sources lists a project's sources in order of id.
func (l library) Sources(ctx context.Context, project, after string, limit int) ([]native.IndexSource, error) {
	found, err := l.index.Sources(ctx, project, after, limit)
	shown := make([]native.IndexSource, len(found))
	for i := range found {
		shown[i] = native.IndexSource(found[i])
	}
	return shown, err
}

// Source returns one by id, name or address.
func (l library) Source(ctx context.Context, project, id string) (native.IndexSource, error) {
	found, err := l.index.Source(ctx, project, id)
	return native.IndexSource(found), err
}

// Documents lists what a source has, in order of path.
func (l library) Documents(ctx context.Context, project, id, after string, limit int) ([]native.IndexDocument, error) {
	found, err := l.index.Documents(ctx, project, id, after, limit)
	shown := make([]native.IndexDocument, len(found))
	for i := range found {
		shown[i] = native.IndexDocument(found[i])
	}
	return shown, err
}

// Put adds files to a directory and removes others.
func (l library) Put(ctx context.Context, project string, batch native.IndexBatch) (native.IndexSource, native.IndexChange, error) {
	files := make([]index.File, len(batch.Files))
	for i := range batch.Files {
		files[i] = index.File(batch.Files[i])
	}
	source, change, err := l.index.Put(ctx, project, index.Batch{Name: batch.Name, Origin: batch.Origin, Files: files, Gone: batch.Gone})
	return native.IndexSource(source), showChange(change), err
}

// Add fetches a page and adds it.
func (l library) Add(ctx context.Context, project, url string) (native.IndexSource, native.IndexChange, error) {
	source, change, err := l.index.Add(ctx, project, url)
	return native.IndexSource(source), showChange(change), err
}

func showChange(c index.Change) native.IndexChange {
	shown := native.IndexChange{Added: c.Added, Changed: c.Changed, Unchanged: c.Unchanged, Removed: c.Removed}
	for _, refused := range c.Refused {
		shown.Refused = append(shown.Refused, native.IndexRefusal(refused))
	}
	return shown
}

// Remove drops a source with all that it has.
func (l library) Remove(ctx context.Context, project, id string) (native.IndexSource, error) {
	removed, err := l.index.Remove(ctx, project, id)
	return native.IndexSource(removed), err
}
