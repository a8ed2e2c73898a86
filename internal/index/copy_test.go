package index

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// memory keeps one project in memory. It has as many documents in a page as asked for,
// and loses those whose path has the word lost.
type memory struct {
	sources   []Source
	documents map[string][]Entry // by source, in order of path
}

func (m *memory) Projects(context.Context) ([]string, error) { return []string{"p"}, nil }

func (m *memory) Sources(_ context.Context, _, after string, limit int) (found []Source, err error) {
	for _, s := range m.sources {
		if s.ID > after && len(found) < limit {
			s.Documents = len(m.documents[s.ID])
			found = append(found, s)
		}
	}
	return found, nil
}

func (m *memory) Entries(_ context.Context, _, source, after string, limit int) (found []Entry, err error) {
	for _, d := range m.documents[source] {
		if d.Path > after && len(found) < limit {
			found = append(found, d)
		}
	}
	return found, nil
}

func (m *memory) Write(ctx context.Context, _ string, change func(context.Context, Tx) error) error {
	return change(ctx, m)
}

func (m *memory) Bytes(context.Context) (int64, error) { return 0, nil }

func (m *memory) Keep(_ context.Context, s *Source) error {
	m.sources = append(m.sources, *s)
	return nil
}

func (m *memory) Read(_ context.Context, id string) (Source, error) {
	for _, s := range m.sources {
		if s.ID == id {
			s.Documents = len(m.documents[id])
			return s, nil
		}
	}
	return Source{}, nil
}

func (m *memory) Drop(context.Context, string) error { return nil }

func (m *memory) Digests(context.Context, string, []string) (map[string]string, error) {
	return nil, nil
}

func (m *memory) Put(_ context.Context, source string, documents []Entry) error {
	for _, d := range documents {
		if !strings.Contains(d.Path, "lost") {
			m.documents[source] = append(m.documents[source], d)
		}
	}
	return nil
}

func (m *memory) Remove(context.Context, string, []string) (int, error) { return 0, nil }

// TestCopy copies more than a page of sources and of documents, and what earlier
// versions kept as it came; what does not arrive is an error.
func TestCopy(t *testing.T) {
	from := &memory{documents: map[string][]Entry{}}
	for i := range 2*copyPage + 1 {
		id := fmt.Sprintf("idx_%02d", i)
		from.sources = append(from.sources, Source{ID: id, Name: "n\x00" + id})
		for j := range i {
			from.documents[id] = append(from.documents[id], Entry{Path: fmt.Sprintf("%02d\xff.txt", j), Text: "\x00"})
		}
	}
	to := &memory{documents: map[string][]Entry{}}
	copied, err := Copy(t.Context(), from, to)
	if want := (Copied{Sources: 41, Documents: 41 * 40 / 2}); err != nil || copied != want {
		t.Errorf("%+v %v, want %+v", copied, err, want)
	}
	if got := to.documents["idx_40"]; len(got) != 40 || got[39].Path != "39\uFFFD.txt" || got[39].Text != "\uFFFD" {
		t.Errorf("%+v", got)
	}
	from.documents["idx_07"][3].Path = "03lost"
	if _, err := Copy(t.Context(), from, &memory{documents: map[string][]Entry{}}); err == nil || !strings.Contains(err.Error(), "6 documents") {
		t.Errorf("a document was lost: %v", err)
	}
}
