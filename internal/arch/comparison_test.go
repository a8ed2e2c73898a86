package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The products of docs/comparison.md, in the order of its tables.
func compared() []string {
	return []string{"Errand", "LangSmith Agent Server", "Agno AgentOS", "Mastra", "Claude Managed Agents", "OpenAI Agents API", "VoltAgent"}
}

// readOn says in the head of a table when the pages were read.
var readOn = regexp.MustCompile(`^\| product \| what \| source, 20[0-9]{2}-[0-9]{2}-[0-9]{2} \|$`)

// TestComparison holds that docs/comparison.md says nothing without a source: each point
// has a row for each product, a row of another's product has a page on the web, and one
// of ours has a page of this repository (which TestLinks looks for) and no test that is
// not there.
func TestComparison(t *testing.T) {
	const page = "docs/comparison.md"
	lines, err := readLines(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	tests := testNames(t)
	points := sections(lines, "## Point by point")
	if len(points) < 15 {
		t.Errorf("%s has %d points that could be read: its tables have moved, or this test no longer finds them", page, len(points))
	}
	for point, rows := range points {
		var products []string
		dated := false
		for _, row := range rows {
			dated = dated || readOn.MatchString(row)
			cells := strings.Split(strings.Trim(row, "|"), " | ")
			if len(cells) != 3 || !slices.Contains(compared(), strings.TrimSpace(cells[0])) {
				continue
			}
			product := strings.TrimSpace(cells[0])
			products = append(products, product)
			for _, fault := range sourced(product, cells[2], tests) {
				t.Errorf("%s, %s, %s: %s", page, point, product, fault)
			}
			if len(cells[1]) < 3 {
				t.Errorf("%s, %s, %s says nothing", page, point, product)
			}
		}
		if !slices.Equal(products, compared()) {
			t.Errorf("%s, %s: has rows of %q, want %q", page, point, products, compared())
		}
		if !dated {
			t.Errorf("%s, %s: does not say when its sources were read", page, point)
		}
	}
}

// sections are the tables below a heading, by the smaller headings above them.
func sections(lines []string, below string) map[string][]string {
	found := make(map[string][]string)
	inside, name := false, ""
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "## "):
			inside = line == below
		case inside && strings.HasPrefix(line, "### "):
			name = strings.TrimPrefix(line, "### ")
			found[name] = nil
		case inside && name != "" && strings.HasPrefix(line, "|"):
			found[name] = append(found[name], line)
		}
	}
	return found
}

// sourced says what is wrong with the sources of a row.
func sourced(product, cell string, tests string) (faults []string) {
	ours := product == "Errand"
	links := link.FindAllStringSubmatch(cell, -1)
	if len(links) == 0 {
		faults = append(faults, "has no source")
	}
	web := 0
	for _, found := range links {
		switch {
		case strings.HasPrefix(found[1], "https://"):
			web++
		case strings.Contains(found[1], "://"):
			faults = append(faults, found[1]+" is no page on the web")
		}
	}
	if ours && web > 0 {
		faults = append(faults, "is sourced elsewhere than in this repository")
	}
	if !ours && web == 0 {
		faults = append(faults, "has no page of its own as a source")
	}
	for _, test := range claimTest.FindAllStringSubmatch(cell, -1) {
		if !strings.Contains(tests, "\nfunc "+test[1]+"(t *testing.T) {") {
			faults = append(faults, "there is no "+test[1])
		}
	}
	return faults
}

// testNames is the source of all tests.
func testNames(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"e2e", "internal", "bench"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() && entry.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			all.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// TestComparisonFaults holds that the rule finds what it is there for.
func TestComparisonFaults(t *testing.T) {
	const tests = "\nfunc TestThere(t *testing.T) {\n"
	for cell, faults := range map[string]int{
		"[page](https://example.com/page)":    0,
		"a page":                              2, // no source, and none on the web
		"[page](guide.md)":                    1,
		"[page](http://example.com/page)":     2,
		"[page](https://example.com) `TestX`": 1,
	} {
		if got := sourced("Mastra", cell, tests); len(got) != faults {
			t.Errorf("%s: %q, want %d faults", cell, got, faults)
		}
	}
	if got := sourced("Errand", "[page](guide.md), `TestThere`", tests); len(got) != 0 {
		t.Errorf("a row of ours has faults: %q", got)
	}
	if got := sourced("Errand", "[page](https://example.com), `TestGone`", tests); len(got) != 2 {
		t.Errorf("a row of ours that leads elsewhere and names no test has %q", got)
	}
}
