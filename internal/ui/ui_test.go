package ui

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// TestFiles: each file is there under its type and the policy, and none needs what
// the policy forbids.
func TestFiles(t *testing.T) {
	inline := regexp.MustCompile(`(?i)\son[a-z]+=|style=|<style|<script>|javascript:|https?://`)
	for _, name := range Files() {
		w := httptest.NewRecorder()
		Handler(name)(w, httptest.NewRequest("GET", "/ui/"+name, nil))
		body := w.Body.String()
		if w.Code != 200 || len(body) < 100 || !strings.HasSuffix(w.Header().Get("Content-Type"), "charset=utf-8") {
			t.Errorf("%q: %d, %s, %d bytes", name, w.Code, w.Header().Get("Content-Type"), len(body))
		}
		if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%q: %s", name, policy)
		}
		if name == "" {
			if found := inline.FindString(body); found != "" {
				t.Errorf("the page has %q", found)
			}
		}
		for _, forbidden := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage", "url("} {
			if strings.Contains(body, forbidden) {
				t.Errorf("%q has %s", name, forbidden)
			}
		}
	}
}
