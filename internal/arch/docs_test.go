package arch

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// link is a Markdown link; its second part is where it leads.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks holds that documents lead to files and headings that are there.
func TestLinks(t *testing.T) {
	documents := make(map[string]text)
	for _, doc := range load(t).texts {
		if strings.HasSuffix(doc.name, ".md") {
			documents[doc.name] = doc
		}
	}
	for name, doc := range documents {
		for _, target := range link.FindAllStringSubmatch(strings.Join(doc.lines, "\n"), -1) {
			to, heading, _ := strings.Cut(target[1], "#")
			if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
				continue
			}
			file := name
			if to != "" {
				file = path.Join(path.Dir(name), to)
			}
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s leads to %s, which is not there", name, target[1])
				continue
			}
			if there, ok := documents[file]; ok && heading != "" && !there.has(heading) {
				t.Errorf("%s leads to %s, and %s has no such heading", name, target[1], file)
			}
		}
	}
}

// notInAnchor is what a heading's anchor leaves out.
var notInAnchor = regexp.MustCompile(`[^a-z0-9 -]`)

// has reports whether the document has a heading with this anchor.
func (t text) has(anchor string) bool {
	for _, line := range t.lines {
		if heading := strings.TrimLeft(line, "#"); heading != line {
			words := notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			if strings.ReplaceAll(words, " ", "-") == anchor {
				return true
			}
		}
	}
	return false
}

// settingLine is a line of the table of settings in internal/config/settings.go.
var settingLine = regexp.MustCompile(`(?m)^\t\t\{"([a-z-]+)", `)

// TestSettings holds that the README lists every setting.
func TestSettings(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(root, "internal/config/settings.go"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := settingLine.FindAllSubmatch(source, -1)
	if len(found) == 0 {
		t.Fatal("found no settings: has the table in internal/config/settings.go changed its form?")
	}
	for _, setting := range found {
		variable := "ERRAND_" + strings.ToUpper(strings.ReplaceAll(string(setting[1]), "-", "_"))
		if !strings.Contains(string(readme), "`"+variable+"`") {
			t.Errorf("README.md does not name %s: add it to the table of settings", variable)
		}
	}
}
