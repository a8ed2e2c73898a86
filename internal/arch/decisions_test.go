package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tableRow is a line of docs/decisions/README.md: | `module` | page |.
var tableRow = regexp.MustCompile("^\\| `([^`]+)`.*\\]\\(([^)]+)\\)")

// TestDependencies holds that each module that the source imports has a line in
// docs/decisions/README.md which leads to a page that is there, that no line is
// left over, and that every page is in the list.
func TestDependencies(t *testing.T) {
	const table = "docs/decisions/README.md"
	lines, err := readLines(filepath.Join(root, table))
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for _, line := range lines {
		row := tableRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		listed[row[1]] = true
		if _, err := os.Stat(filepath.Join(root, "docs/decisions", row[2])); err != nil {
			t.Errorf("%s sends readers of %s to %s, which is not there", table, row[1], row[2])
		}
	}

	required := entries(t, "require")
	used := directly(t, load(t), required)
	for module := range used {
		if !listed[module] {
			t.Errorf("%s imports %s, which has no line in %s: add one, and a page that says why it and not another", used[module], module, table)
		}
	}
	for module := range listed {
		if used[module] == "" {
			t.Errorf("%s lists %s, which nothing imports: take its line out", table, module)
		}
	}

	pages, err := filepath.Glob(filepath.Join(root, "docs/decisions/[0-9]*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if !strings.Contains(strings.Join(lines, "\n"), "("+filepath.Base(page)+")") {
			t.Errorf("docs/decisions/%s is not in the list of %s", filepath.Base(page), table)
		}
	}
}

// entries are what go.mod says after a word, on one line or in a block.
func entries(t *testing.T, word string) []string {
	lines, err := readLines(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	inBlock := false
	for _, line := range lines {
		rest, here := strings.CutPrefix(line, word+" ")
		switch {
		case here && rest == "(":
			inBlock = true
		case strings.HasPrefix(line, ")"):
			inBlock = false
		case here:
			found = append(found, strings.Fields(rest)[0])
		case inBlock && len(strings.Fields(line)) > 0:
			found = append(found, strings.Fields(line)[0])
		}
	}
	return found
}

// directly returns the modules that the source imports or go.mod has as a tool,
// each with one of the files that does.
func directly(t *testing.T, h *house, modules []string) map[string]string {
	used := make(map[string]string)
	note := func(imported, where string) {
		best := ""
		for _, module := range modules {
			if (imported == module || strings.HasPrefix(imported, module+"/")) && len(module) > len(best) {
				best = module
			}
		}
		if best != "" {
			used[best] = where
		}
	}
	for _, p := range h.packages {
		if matches(otherModules, p.dir) {
			continue
		}
		for _, f := range p.files {
			for _, spec := range f.tree.Imports {
				note(strings.Trim(spec.Path.Value, `"`), f.name)
			}
		}
	}
	for _, tool := range entries(t, "tool") {
		note(tool, "go.mod")
	}
	return used
}

// otherModules have a go.mod of their own and are never linked into the program.
var otherModules = may("internal/model/openai/oracle/...")
