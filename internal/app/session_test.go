package app

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

var signLink = regexp.MustCompile(`(http://\S+)/ui/#link=(\S{43})`)

// TestTheLinkOfAStart is for the person who sees it: it is not written to files, but at
// the first start, which shows the key itself.
func TestTheLinkOfAStart(t *testing.T) {
	if s := newWorld(t).serve(); strings.Contains(s.banner, "#link=") {
		t.Errorf("a start that nobody sees prints a link:\n%s", s.banner)
	}
	first := newWorld(t).with("ERRAND_ADMIN_KEY=")
	seen := newWorld(t)
	seen.terminal = true
	for name, w := range map[string]*world{"the first start": first, "a terminal": seen} {
		s := w.serve()
		found := signLink.FindStringSubmatch(s.banner)
		if found == nil || found[1] != s.url {
			t.Errorf("%s prints no link to itself:\n%s", name, s.banner)
			continue
		}
		signIn := func() int {
			status, _ := s.send(http.MethodPost, "/v1/session", `{"link":"`+found[2]+`"}`, "Origin", s.url)
			return status
		}
		if once, twice := signIn(), signIn(); once != http.StatusCreated || twice != http.StatusUnauthorized {
			t.Errorf("%s: the link answers %d, then %d", name, once, twice)
		}
		if strings.Contains(s.errs.String(), found[2]) {
			t.Errorf("%s: the link is in the log", name)
		}
	}
}

// TestTheServersOwnCommands ask a server about itself.
func TestTheServersOwnCommands(t *testing.T) {
	s := newWorld(t).serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.plays(0, []string{"status", "--doctor"}, `"kind": "sqlite"`, `"check": "storage"`)
	w.plays(0, []string{"link"}, `/ui/#link=`, `"expires_at"`)
	w.terminal = true
	if found := signLink.FindStringSubmatch(w.plays(0, []string{"link"}, "signs a browser in once")); found == nil || found[1] != s.url {
		t.Errorf("%v", found)
	}
	w.plays(0, []string{"status"}, "Errand ", "sqlite at "+"/", "offline")
	w.plays(0, []string{"status", "--doctor"}, "ok    settings")
}

// TestAgentsGoBack to an earlier version, and runs are found by words.
func TestAgentsGoBack(t *testing.T) {
	s := newWorld(t).serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	for _, text := range []string{"One.", "Two."} {
		w.plays(0, []string{"agents", "create", "-f", w.file("a.yaml", "name: clerk\nmodel: offline\ntools: []\ninstructions: "+text)}, text)
	}
	var restored struct {
		Version      int
		Instructions string
	}
	out := w.plays(0, []string{"agents", "restore", "clerk", "1"})
	if err := json.Unmarshal([]byte(out), &restored); err != nil || restored.Version != 3 || restored.Instructions != "One." {
		t.Errorf("%v: %s", err, out)
	}
	w.plays(1, []string{"agents", "restore", "clerk", "9"})
	for _, task := range []string{"Water the plants", "Feed the cat"} {
		if status, body := s.send(http.MethodPost, "/v1/runs", `{"model":"offline","prompt":"`+task+`"}`, "Authorization", "Bearer "+adminKey); status != http.StatusCreated {
			t.Fatalf("%d %s", status, body)
		}
	}
	if out := w.plays(0, []string{"runs", "list", "--search", "CAT"}, "Feed the cat"); strings.Contains(out, "plants") {
		t.Errorf("%s", out)
	}
	if out := w.plays(0, []string{"runs", "list", "--oldest", "--limit", "1"}, "plants"); strings.Contains(out, "cat") {
		t.Errorf("%s", out)
	}
}
