package indextest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"errand/internal/index"
	"errand/internal/problem"
	"errand/internal/run"
)

func addAgainAndRemove(t *testing.T, place Place) {
	x := place.open(t, 0)
	source, change := x.put(index.Batch{Name: "handbook", Origin: "/srv/handbook", Files: Files("fees.md", "# Late fees\nFive percent.", "a/(b).txt", "Holidays are in August.", "c.html", "<title>Tea &amp; cake</title><p>At <b>four</b></p>")})
	if diff := cmp.Diff(index.Change{Added: 3}, change); diff != "" {
		t.Error(diff)
	}
	want := index.Source{
		ID: source.ID, Kind: index.Directory, Name: "handbook", URL: "index://handbook/", Origin: "/srv/handbook",
		Documents: 3, Bytes: int64(len("Five percent.") + len("Holidays are in August.") + len("At four")),
	}
	if diff := cmp.Diff(want, source, cmpopts.IgnoreFields(index.Source{}, "Created", "Updated")); diff != "" || source.Created.Year() != 2026 || source.Created.IsZero() {
		t.Error(diff, source.Created)
	}
	_, change = x.put(index.Batch{Name: "handbook", Origin: "/srv/handbook", Files: Files("fees.md", "# Late fees\nSix percent.", "a/(b).txt", "Holidays are in August."), Gone: []string{"c.html", "never.txt"}})
	if diff := cmp.Diff(index.Change{Changed: 1, Unchanged: 1, Removed: 1}, change); diff != "" {
		t.Error(diff)
	}
	for query, want := range map[string][]string{"five": {}, "six": {"Late fees"}, "tea": {}, "holiday": {"(b).txt"}} {
		if diff := cmp.Diff(want, x.titles(query)); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
	}
	listed, err := x.Documents(t.Context(), project, "handbook", "", 10)
	if err != nil || len(listed) != 2 || listed[0].Path != "a/(b).txt" || listed[0].URL != "index://handbook/a/%28b%29.txt" || listed[0].Digest == "" {
		t.Errorf("%+v, %v", listed, err)
	}
	title, text, err := x.Document(t.Context(), project, "index://handbook/fees.md")
	if err != nil || title != "Late fees" || text != "Six percent." {
		t.Error(title, text, err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = place.open(t, 0) // it is all there after a restart
	if diff := cmp.Diff([]string{"Late fees"}, x.titles("fee")); diff != "" {
		t.Error(diff)
	}
	if removed, err := x.Remove(t.Context(), project, "handbook"); err != nil || removed.ID != source.ID {
		t.Error(removed, err)
	}
	if found := x.titles("fee holiday"); len(found) != 0 {
		t.Error(found)
	}
	if _, err := x.Documents(t.Context(), project, "handbook", "", 10); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if left, err := x.Projects(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("something is left of %q (%v)", left, err)
	}
}

func pages(t *testing.T, place Place) {
	x := place.open(t, 0)
	source, change, err := x.Add(t.Context(), project, "https://example.com/a#part")
	if err != nil || change.Added != 1 || source.Name != "https://example.com/a" || source.URL != "https://example.com/a?moved" || source.Documents != 1 {
		t.Errorf("%+v %+v %v", source, change, err)
	}
	if _, change, err = x.Add(t.Context(), project, "https://example.com/a"); err != nil || change.Unchanged != 1 {
		t.Errorf("%+v %v", change, err)
	}
	found, err := x.Search(t.Context(), project, "steel tariff", 5)
	if diff := cmp.Diff([]run.Source{{Title: "Page a", URL: "https://example.com/a?moved", Snippet: "Tariffs for steel"}}, found); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, _, err := x.Add(t.Context(), project, "https://example.com/none"); !problem.Is(err, problem.ToolFailed) {
		t.Error(err)
	}
}

func projectsAreApart(t *testing.T, place Place) {
	x := place.open(t, 0)
	source, _ := x.put(index.Batch{Name: "a", Files: Files("x.txt", "salary of the director")})
	if found, err := x.Search(t.Context(), "other", "salary", 5); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
	if _, _, err := x.Document(t.Context(), "other", "index://a/x.txt"); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if _, err := x.Remove(t.Context(), "other", source.ID); !problem.Is(err, problem.NotFound) {
		t.Error(err)
	}
	if _, change, err := x.Put(t.Context(), "other", index.Batch{Name: "a", Gone: []string{"x.txt"}}); err != nil || change.Removed != 0 {
		t.Error(change, err)
	}
	if diff := cmp.Diff([]string{"x.txt"}, x.titles("salary")); diff != "" {
		t.Errorf("another project took it away: %s", diff)
	}
}

func refusals(t *testing.T, place Place) {
	x := place.open(t, 0)
	_, change := x.put(index.Batch{Name: "a", Files: append(Files(
		"ok.txt", "x", "report.pdf", "%PDF", "../up.txt", "x", "/abs.txt", "x", "a//b.txt", "x", "", "x", "nul.txt", "a\x00b", "none", "x", "a\nb.txt", "x",
		strings.Repeat("long/", 400)+"x.txt", "x", "big.txt", strings.Repeat("x", index.MaxContent+1),
	), index.File{Path: "d.txt", Digest: strings.Repeat("d", 200)})})
	if change.Added != 1 || len(change.Refused) != 11 {
		t.Errorf("%d added, %d refused", change.Added, len(change.Refused))
	}
	whys := ""
	for _, refused := range change.Refused {
		whys += refused.Why + "\n"
	}
	for _, want := range []string{".pdf files are not read", "must be relative", "it is not text", "can't be seen", "too long", "more than 4 MiB"} {
		if !strings.Contains(whys, want) {
			t.Errorf("nobody says %q:\n%s", want, whys)
		}
	}
	for _, name := range []string{"", "UP", "a/b", ".a", "ä", strings.Repeat("a", 64)} {
		if _, _, err := x.Put(t.Context(), project, index.Batch{Name: name}); !problem.Is(err, problem.InvalidRequest) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

// oddText: what no column may have is asked for and added all the same.
func oddText(t *testing.T, place Place) {
	x := place.open(t, 0)
	if _, _, err := x.Add(t.Context(), project, "https://example.com/b"); err != nil {
		t.Error(err)
	}
	if got := x.titles("odd"); len(got) != 1 {
		t.Error(got)
	}
	files := []index.File{{Path: "a.txt", Content: "first", Digest: "d\x00\xff", Modified: "\x00"}}
	for i, want := range []index.Change{{Added: 1}, {Unchanged: 1}} {
		if _, change := x.put(index.Batch{Name: "a", Origin: "\x00\xff", Files: files, Gone: []string{"\x00"}}); cmp.Diff(want, change) != "" {
			t.Errorf("%d: %+v", i, change)
		}
	}
	twice := append(Files("b.txt", "one", "b.txt", "one", "b.txt", "three"), files...)
	if _, change := x.put(index.Batch{Name: "a", Files: twice}); cmp.Diff(index.Change{Added: 1, Changed: 1, Unchanged: 2}, change) != "" {
		t.Errorf("one path three times: %+v", change)
	}
	if diff := cmp.Diff([]string{"b.txt"}, x.titles("one three")); diff != "" {
		t.Error(diff)
	}
	for _, odd := range []string{"\x00", "\xff", "a\x00b"} {
		if _, err := x.Source(t.Context(), project, odd); !problem.Is(err, problem.NotFound) {
			t.Errorf("%q: %v", odd, err)
		}
		if _, _, err := x.Document(t.Context(), project, odd); !problem.Is(err, problem.NotFound) {
			t.Errorf("%q: %v", odd, err)
		}
		if _, err := x.Documents(t.Context(), project, "a", odd, 5); err != nil {
			t.Errorf("%q: %v", odd, err)
		}
		if _, err := x.Sources(t.Context(), project, odd, 5); err != nil {
			t.Errorf("%q: %v", odd, err)
		}
	}
}

// quota: a project has no more text than it may; what is too much changes nothing, and
// what makes it less is taken also when it is more than it may be.
func quota(t *testing.T, place Place) {
	x := place.open(t, 100)
	x.put(index.Batch{Name: "a", Files: Files("one.txt", strings.Repeat("o", 60))})
	more := index.Batch{Name: "b", Files: Files("two.txt", strings.Repeat("t", 50))}
	if _, _, err := x.Put(t.Context(), project, more); !problem.Is(err, problem.QuotaExceeded) || !strings.Contains(problem.From(err).Detail, "ERRAND_INDEX_MB") {
		t.Errorf("%v", err)
	}
	if found, err := x.Sources(t.Context(), project, "", 10); err != nil || len(found) != 1 {
		t.Errorf("a refused batch leaves %v %v", found, err)
	}
	if _, _, err := x.Put(t.Context(), "other", more); err != nil {
		t.Errorf("another project: %v", err)
	}
	if _, change := x.put(index.Batch{Name: "a", Files: Files("one.txt", strings.Repeat("n", 100))}); change.Changed != 1 {
		t.Errorf("what replaces counts beside what it replaces: %+v", change)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	x = place.open(t, 10) // less than is there
	if _, _, err := x.Put(t.Context(), project, index.Batch{Name: "a", Files: Files("one.txt", strings.Repeat("m", 101))}); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("%v", err)
	}
	if _, change := x.put(index.Batch{Name: "a", Files: Files("one.txt", strings.Repeat("m", 40))}); change.Changed != 1 {
		t.Errorf("%+v", change)
	}
	if _, change := x.put(index.Batch{Name: "a", Gone: []string{"one.txt"}}); change.Removed != 1 {
		t.Errorf("%+v", change)
	}
	if _, err := x.Remove(t.Context(), project, "a"); err != nil {
		t.Error(err)
	}
	if _, change := x.put(index.Batch{Name: "c", Files: Files("c.txt", "0123456789")}); change.Added != 1 {
		t.Errorf("what was removed still counts: %+v", change)
	}
}

func clearing(t *testing.T, place Place) {
	x := place.open(t, 0)
	if n, err := x.Clear(t.Context(), project, 10); n != 0 || err != nil {
		t.Errorf("of nothing %d went (%v)", n, err)
	}
	x.put(index.Batch{Name: "handbook", Files: Files("a.md", "Alpha", "b.md", "Beta", "c.md", "Gamma")})
	x.put(index.Batch{Name: "empty"})
	if _, _, err := x.Put(t.Context(), "other", index.Batch{Name: "handbook", Files: Files("a.md", "Alpha")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 1 + 2, 0} { // documents, then the last one with the sources
		if n, err := x.Clear(t.Context(), project, 2); n != want || err != nil {
			t.Fatalf("%d went, want %d (%v)", n, want, err)
		}
	}
	if found := x.titles("alpha"); len(found) != 0 {
		t.Errorf("found is still %q", found)
	}
	if left, err := x.Projects(t.Context()); err != nil || !slices.Equal(left, []string{"other"}) {
		t.Errorf("the index has something of %q (%v)", left, err)
	}
}

// lists go by bytes, page by page.
func lists(t *testing.T, place Place) {
	x := place.open(t, 0)
	names := []string{"Z.txt", "a.txt", "a/b.txt", "ab.txt", "z.txt", "ä.txt"}
	for i, name := range names {
		x.put(index.Batch{Name: "one", Files: Files(name, "x")})
		x.put(index.Batch{Name: fmt.Sprint("n", i)})
	}
	var paths []string
	for after := ""; ; after = paths[len(paths)-1] {
		page, err := x.Documents(t.Context(), project, "one", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			paths = append(paths, d.Path)
		}
	}
	if diff := cmp.Diff(names, paths); diff != "" {
		t.Error(diff)
	}
	var ids []string
	for after := ""; ; after = ids[len(ids)-1] {
		page, err := x.Sources(t.Context(), project, after, 3)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, s := range page {
			ids = append(ids, s.ID)
		}
	}
	if len(ids) != len(names)+1 || !slices.IsSorted(ids) {
		t.Error(ids)
	}
	for _, key := range []string{"one", ids[0]} {
		if s, err := x.Source(t.Context(), project, key); err != nil || s.Name == "" {
			t.Errorf("%s: %+v %v", key, s, err)
		}
	}
}
