package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// vendored is the folder of what the page has of others.
const vendored = "internal/ui/page/vendor"

// taken is a row of the table there: | `file`, … | NAME VERSION (LICENCE): … |
var taken = regexp.MustCompile("^\\| `[^|]+ \\| (@?[a-z0-9./-]+) ([0-9][0-9a-z.-]*) \\(([^)]+)\\):")

// library is an npm package of which the page serves files.
type library struct {
	component
	files string // the folder's own words
}

// libraries returns what the page has of others, from the table of the folder in which
// it lies, each with its licence beside it.
func libraries(root string) ([]library, error) {
	dir := filepath.Join(root, filepath.FromSlash(vendored))
	table, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return nil, err
	}
	files, err := os.ReadDir(filepath.Join(dir, "licences"))
	if err != nil {
		return nil, err
	}
	var found []library
	used := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		row := taken.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		l := library{component{name: row[1], version: row[2], licence: strings.ReplaceAll(row[3], " or ", " OR ")}, strings.Split(line, "|")[1]}
		for _, file := range files {
			// signals.txt is the licence of @preact/signals and @preact/signals-core.
			if !strings.HasPrefix(path.Base(l.name), strings.TrimSuffix(file.Name(), ".txt")) {
				continue
			}
			body, err := os.ReadFile(filepath.Join(dir, "licences", file.Name()))
			if err != nil {
				return nil, err
			}
			used[file.Name()] = true
			l.texts = append(l.texts, text{file.Name(), tidy(body)})
		}
		if err := l.whole(); err != nil {
			return nil, err
		}
		found = append(found, l)
	}
	for _, file := range files {
		if !used[file.Name()] {
			return nil, fmt.Errorf("%s/licences/%s belongs to no row of the table there", vendored, file.Name())
		}
	}
	return found, nil
}

// whole reports whether the text beside a library is the licence that its row names.
func (l library) whole() error {
	if len(l.texts) != 1 {
		return fmt.Errorf("%s/licences has %d texts for %s, not one", vendored, len(l.texts), l.name)
	}
	for _, id := range recognise([]byte(l.texts[0].body)) {
		if strings.Contains(l.licence, id) {
			return nil
		}
	}
	return fmt.Errorf("%s/licences/%s is not %s, which the table says of %s", vendored, l.texts[0].name, l.licence, l.name)
}
