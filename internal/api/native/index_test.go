package native_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/model/script"
	"errand/internal/problem"
)

// cabinet is an index that finds nothing, but keeps what it is given.
type cabinet struct {
	mu    sync.Mutex
	files map[string][]native.IndexDocument // by project and name
}

func (c *cabinet) source(project, name string) (native.IndexSource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	name = strings.TrimPrefix(name, "idx_")
	files, ok := c.files[project+" "+name]
	if !ok {
		return native.IndexSource{}, problem.New(problem.NotFound, "There is no source %q.", name)
	}
	source := native.IndexSource{ID: "idx_" + name, Kind: "directory", Name: name, URL: "index://" + name + "/", Documents: len(files), Created: time.Unix(1, 0), Updated: time.Unix(2, 0)}
	if strings.HasPrefix(name, "https://") {
		source.Kind, source.URL = "page", name
	}
	return source, nil
}

func (c *cabinet) Sources(_ context.Context, project, after string, limit int) ([]native.IndexSource, error) {
	var names []string
	for key := range c.files {
		if name, ok := strings.CutPrefix(key, project+" "); ok && "idx_"+name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var found []native.IndexSource
	for _, name := range names[:min(len(names), limit)] {
		source, err := c.source(project, name)
		if err != nil {
			return nil, err
		}
		found = append(found, source)
	}
	return found, nil
}

func (c *cabinet) Source(_ context.Context, project, id string) (native.IndexSource, error) {
	return c.source(project, id)
}

func (c *cabinet) Documents(_ context.Context, project, id, after string, limit int) ([]native.IndexDocument, error) {
	if _, err := c.source(project, id); err != nil {
		return nil, err
	}
	var found []native.IndexDocument
	for _, d := range c.files[project+" "+strings.TrimPrefix(id, "idx_")] {
		if d.Path > after && len(found) < limit {
			found = append(found, d)
		}
	}
	return found, nil
}

func (c *cabinet) Put(_ context.Context, project string, batch native.IndexBatch) (native.IndexSource, native.IndexChange, error) {
	if c.files == nil {
		c.files = map[string][]native.IndexDocument{}
	}
	key := project + " " + batch.Name
	kept := c.files[key]
	var change native.IndexChange
	for _, file := range batch.Files {
		if strings.HasSuffix(file.Path, ".pdf") {
			change.Refused = append(change.Refused, native.IndexRefusal{Path: file.Path, Why: "no"})
			continue
		}
		change.Added++
		kept = append(kept, native.IndexDocument{Path: file.Path, URL: "index://" + batch.Name + "/" + file.Path, Title: file.Path, Digest: file.Digest, Bytes: int64(len(file.Content)), Modified: file.Modified})
	}
	kept = slices.DeleteFunc(kept, func(d native.IndexDocument) bool { return slices.Contains(batch.Gone, d.Path) })
	slices.SortFunc(kept, func(a, b native.IndexDocument) int { return cmp.Compare(a.Path, b.Path) })
	c.files[key] = kept
	source, err := c.source(project, batch.Name)
	source.Origin = batch.Origin
	return source, change, err
}

func (c *cabinet) Add(ctx context.Context, project, url string) (native.IndexSource, native.IndexChange, error) {
	switch {
	case strings.Contains(url, "gone"):
		return native.IndexSource{}, native.IndexChange{}, problem.New(problem.ToolFailed, "web.fetch: it answered 410.")
	case strings.Contains(url, "10.0.0.1"):
		return native.IndexSource{}, native.IndexChange{}, problem.New(problem.EgressDenied, "10.0.0.1 is a non-public address.")
	}
	return c.Put(ctx, project, native.IndexBatch{Name: url, Files: []native.IndexFile{{Path: url}}})
}

func (c *cabinet) Remove(_ context.Context, project, id string) (native.IndexSource, error) {
	source, err := c.source(project, id)
	delete(c.files, project+" "+strings.TrimPrefix(id, "idx_"))
	return source, err
}

func TestIndex(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(200, "GET", "/v1/index", "").count("data", 0)
	w.want(200, "POST", "/v1/index", `{"name":"docs","origin":"/srv/docs","documents":[{"path":"b.md","content":"x","digest":"d1","modified":"2026-01-02"},{"path":"a.md","content":""},{"path":"c.pdf","content":"x"}]}`).
		has("id", "idx_docs").has("kind", "directory").has("origin", "/srv/docs").has("change.added", 2.0).has("change.refused.0.path", "c.pdf").has("change.refused.0.why", "no")
	w.want(200, "POST", "/v1/index", `{"name":"docs","remove":["a.md"]}`).has("documents", 1).has("change.added", 0)
	w.want(200, "POST", "/v1/index", `{"url":"https://example.com/terms"}`).has("kind", "page").has("origin", nil)
	w.want(200, "GET", "/v1/index?limit=1", "").has("has_more", true).has("next_cursor", "idx_docs").has("data.0.name", "docs")
	w.want(200, "GET", "/v1/index?starting_after=idx_docs", "").has("data.0.url", "https://example.com/terms").has("has_more", false)
	w.want(200, "GET", "/v1/index/docs", "").has("url", "index://docs/")
	w.want(200, "GET", "/v1/index/docs/documents", "").has("data.0.path", "b.md").has("data.0.digest", "d1").has("data.0.modified", "2026-01-02")
	w.want(200, "GET", "/v1/index/docs/documents?limit=1000", "")
	w.want(200, "DELETE", "/v1/index/idx_docs", "").has("object", "index_source").has("deleted", true)
	w.want(404, "DELETE", "/v1/index/idx_docs", "").has("error.code", "not_found")
	w.want(404, "GET", "/v1/index/docs/documents", "").has("error.code", "not_found")
}

func TestIndexRefusals(t *testing.T) {
	w := newWorld(t, script.Steps())
	many := strings.Repeat(`{"path":"a.md","content":""},`, 1000) + `{"path":"a.md","content":""}`
	for body, field := range map[string]string{
		`{}`:                                               "name",
		`{"url":"https://x","name":"a"}`:                   "url",
		`{"url":"https://example.com/gone"}`:               "url",
		`{"url":"http://10.0.0.1/"}`:                       "url",
		`{"name":"a","documents":[{"path":"a.md"}]}`:       "documents[0].content",
		fmt.Sprintf(`{"name":"a","documents":[%s]}`, many): "documents",
		`{"name":"a","remove":[` + strings.Repeat(`"a",`, 1000) + `"a"]}`:            "remove",
		`{"name":"a","documents":[{"path":"a.md","content":"x","contents":"typo"}]}`: "contents",
	} {
		refused := w.want(400, "POST", "/v1/index", body).has("error.code", "invalid_request")
		if !strings.Contains(string(refused.Body), field) {
			t.Errorf("%.60s: %s does not name %s", body, refused.Body, field)
		}
	}
	w.want(400, "GET", "/v1/index/a/documents?limit=1001", "").has("error.code", "invalid_request")
	w.want(413, "POST", "/v1/index", `{"name":"`+strings.Repeat("a", 17<<20)+`"}`)
	reader := w.key(`{"name":"reader","scopes":["index:read"]}`)
	reader.want(200, "GET", "/v1/index", "")
	reader.want(403, "POST", "/v1/index", `{"name":"a"}`).has("error.code", "scope_denied")
}
