//go:build unix

package cluster

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// TestIndex: what is added to the search index at one node is found at every other, by
// requests and by runs, also when a node is killed in the middle of adding; of what that
// one had sent, each batch is there whole or not at all.
func TestIndex(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	a, b, c := f.members[0], f.members[1], f.members[2]
	type source struct{ Documents int }
	const batch = 5
	busy, ended := make(chan struct{}), make(chan struct{})
	go func() { // until its node is killed
		defer close(ended)
		for n := 0; ; n++ {
			var documents []map[string]any
			for i := range batch {
				documents = append(documents, map[string]any{"path": fmt.Sprintf("%d/%d.txt", n, i), "content": strings.Repeat(fmt.Sprintf("torn%d ", i), 2000)})
			}
			if got, err := c.c.Try("POST", "/v1/index", map[string]any{"name": "torn", "documents": documents}); err != nil || got.Status != http.StatusOK {
				return
			}
			if n == 2 {
				close(busy)
			}
		}
	}()
	select {
	case <-busy:
	case <-ended:
		t.Fatal("the node took nothing")
	}
	a.c.Post("/v1/index", `{"name":"handbook","documents":[{"path":"fees.md","content":"# Late fees\nFive percent a month."}]}`, nil)
	c.Kill()
	<-ended
	began := time.Now()
	a.c.Post("/v1/index", `{"name":"torn","documents":[{"path":"whole.txt","content":"Added after the kill."}]}`, nil)
	t.Logf("the project of a node that was killed takes more after %v", time.Since(began))
	var torn, handbook source
	b.c.Get("/v1/index/torn", &torn)
	b.c.Get("/v1/index/handbook", &handbook)
	if torn.Documents < 3*batch+1 || torn.Documents%batch != 1 || handbook.Documents != 1 {
		t.Errorf("there are %d documents of a torn upload, and %d of a whole one", torn.Documents, handbook.Documents)
	}
	if got := b.c.Do("POST", "/v1/tools/web.search/try", `{"arguments":{"query":"late fees"}}`).Is(http.StatusOK); !strings.Contains(string(got.Body), "index://handbook/fees.md") {
		t.Errorf("another node finds %s", string(got.Body))
	}
	var run rig.Run
	b.c.Post("/v1/runs", `{"model":"offline","prompt":"How much are late fees a month?","tools":["web.search"]}`, &run)
	if run.Status != "completed" || !strings.Contains(run.Summary(), "(index://handbook/fees.md)") {
		t.Errorf("%s: %q", run.Status, run.Summary())
	}
	b.c.Do("DELETE", "/v1/index/handbook", nil).Is(http.StatusOK)
	if got := a.c.Do("GET", "/v1/index/handbook/documents", nil).Status; got != http.StatusNotFound {
		t.Errorf("what was removed at another node is there: %d", got)
	}
}
