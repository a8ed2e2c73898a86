package ui

import (
	"strings"
	"testing"
)

// TestUnderABasePath: the page behind a proxy, below a path, opened by a link that
// signs in once.
func TestUnderABasePath(t *testing.T) {
	t.Parallel()
	s := newStage(t, "ERRAND_BASE_PATH=/errand")
	if !strings.HasSuffix(s.Server.URL, "/errand") {
		t.Fatalf("the server is at %s", s.Server.URL)
	}
	var link struct{ URL string }
	s.post("/v1/session/links", object{}, &link)
	s.knows("link", strings.TrimSuffix(s.Server.URL, "/errand")+link.URL[strings.Index(link.URL, "/errand/"):])
	s.drives("front")
}
