package ui

import (
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
)

// licenceLine is how a file of others begins.
var licenceLine = regexp.MustCompile(`^/\*! (\S+ \S+) \(([^)]+)\): (licences/\S+\.txt) \*/\n`)

// TestLicencesAreServed: each module and style that others wrote begins with its name,
// its version and its licence, as the table beside it has them, and the text of the
// licence is served where that line says; so is the font's.
func TestLicencesAreServed(t *testing.T) {
	s := site(t, "")
	table, err := files.ReadFile("page/vendor/README.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{"vendor/licences/atkinson-hyperlegible-next.txt": true} // a font has no first line
	seen := 0
	for name, a := range s.assets {
		if !strings.HasPrefix(name, "vendor/") || path.Ext(name) == ".txt" {
			continue
		}
		seen++
		line := licenceLine.FindSubmatch(a.plain())
		if line == nil {
			t.Errorf("%s does not begin with /*! NAME VERSION (LICENCE): licences/FILE.txt */", name)
			continue
		}
		if row := string(line[1]) + " (" + string(line[2]) + "): "; !strings.Contains(string(table), row) {
			t.Errorf("%s says that it is %sand README.md beside it says otherwise", name, row)
		}
		named[path.Join("vendor", string(line[3]))] = true
	}
	if seen < 8 {
		t.Fatalf("only %d files of others were found: have they moved?", seen)
	}
	for name := range named {
		if w := get(s, "/ui/"+s.prefix+name); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "opyright") {
			t.Errorf("%s: %d, %.60q", name, w.Code, w.Body)
		}
	}
}
