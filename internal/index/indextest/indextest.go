// Package indextest holds the backings of the search index to one behaviour: whatever
// keeps it, the same documents are found, in the same order, with the same passages.
//
// It promises that a backing which passes Test serves internal/index. What is ranked
// and cut has one expectation here, written down: no backing is the other's measure.
//
// A backing's package calls Test, with a function that makes places for an index.
//
// To change what all backings must do, edit find.go (what is found), keep.go (what is
// kept) or share.go (several nodes).
package indextest

import (
	"context"
	"testing"
	"time"

	"errand/internal/index"
	"errand/internal/problem"
)

// Place opens the backing of one place: each call is another node, or a restart.
type Place func(t testing.TB) index.Backing

// Test runs the suite. fresh makes an empty place.
func Test(t *testing.T, fresh func(t testing.TB) Place) {
	for _, chapter := range []struct {
		name  string
		story func(*testing.T, Place)
	}{
		{"AddAgainAndRemove", addAgainAndRemove}, {"Pages", pages}, {"ProjectsAreApart", projectsAreApart}, {"Refusals", refusals},
		{"OddText", oddText}, {"Quota", quota}, {"Clear", clearing}, {"Lists", lists}, {"LargeDocument", largeDocument},
		{"Ranking", ranking}, {"Order", order}, {"Passages", passages}, {"Words", words}, {"Scripts", scripts}, {"AnyTextIsAQuery", anyTextIsAQuery},
		{"ManyDocuments", manyDocuments}, {"ReadersBesideAWriter", readersBesideAWriter},
	} {
		t.Run(chapter.name, func(t *testing.T) { chapter.story(t, fresh(t)) })
	}
}

// Shared runs the chapters for backings that several nodes open at once.
func Shared(t *testing.T, fresh func(t testing.TB) Place) {
	t.Run("SameSource", func(t *testing.T) { sameSource(t, fresh(t)) })
	t.Run("RemovedWhileAdded", func(t *testing.T) { removedWhileAdded(t, fresh(t)) })
	t.Run("OneQuota", func(t *testing.T) { oneQuota(t, fresh(t)) })
}

const project = "default"

// web is a small web of pages.
type web map[string]string

// Page returns a page of it.
func (w web) Page(_ context.Context, address string) (title, final, text string, err error) {
	text, ok := w[address]
	if !ok {
		return "", "", "", problem.New(problem.ToolFailed, "no such page")
	}
	return "Page " + address[len(address)-1:], address + "?moved", text, nil
}

// world is an index over a place.
type world struct {
	*index.Index
	t testing.TB
}

func (p Place) open(t testing.TB, most int64) world {
	t.Helper()
	clock := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	x := index.New(index.Config{
		Keep: p(t), Most: most, Pages: web{"https://example.com/a": "Tariffs for steel", "https://example.com/b": "Odd\x00 and \xff."},
		Now: func() time.Time { return clock },
	})
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return world{x, t}
}

func (w world) put(batch index.Batch) (index.Source, index.Change) {
	w.t.Helper()
	source, change, err := w.Put(w.t.Context(), project, batch)
	if err != nil {
		w.t.Fatal(err)
	}
	return source, change
}

// Files makes files of paths and contents.
func Files(pairs ...string) []index.File {
	var all []index.File
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, index.File{Path: pairs[i], Content: pairs[i+1]})
	}
	return all
}

func (w world) titles(query string) []string {
	w.t.Helper()
	found, err := w.Search(w.t.Context(), project, query, 10)
	if err != nil {
		w.t.Fatalf("Search(%.40q): %v", query, err)
	}
	names := []string{}
	for _, one := range found {
		names = append(names, one.Title)
	}
	return names
}
