package arch

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// root is the repository, seen from this folder.
const root = "../.."

// module is the path that go.mod gives the repository.
const module = "errand"

// house is the repository as the rules see it.
type house struct {
	fset     *token.FileSet
	packages []*pkg
	texts    []text
}

// pkg is one folder of Go files. Its name in the tables is its folder: "" for
// the root, else like "internal/run".
type pkg struct {
	dir   string
	files []*file
}

// file is one Go file.
type file struct {
	name  string // from the repository's root
	test  bool
	lines int
	tree  *ast.File
}

// text is a file that is not Go: documentation, scripts, pages.
type text struct {
	name  string
	lines []string
}

// complaint is a broken rule: where, which, and what to do.
type complaint struct {
	where string // file:line, or a file, or a folder
	rule  string // name of the rule, for exceptions
	what  string
}

// rule looks at a package.
type rule func(h *house, p *pkg) []complaint

// textEndings are the files beside Go that a person wrote.
var textEndings = []string{".md", ".yaml", ".yml", ".sh", ".js", ".mjs", ".css", ".html", ".sql", ".txtar"}

// load parses the repository. Folders that the go command ignores, and testdata,
// which belongs to its test, are left out.
func load(t *testing.T) *house {
	t.Helper()
	h := &house{fset: token.NewFileSet()}
	found := make(map[string]*pkg)
	err := filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			base := d.Name()
			if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") ||
				base == "testdata" || base == "vendor" || base == "node_modules" || base == "errand-data") {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case strings.HasSuffix(name, ".go"):
			source, err := os.ReadFile(full)
			if err != nil {
				return err
			}
			return h.add(found, name, string(source))
		case slices.Contains(textEndings, path.Ext(name)):
			lines, err := readLines(full)
			h.texts = append(h.texts, text{name, lines})
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatalf("reading the repository: %v", err)
	}
	return h
}

// add parses one file into its package.
func (h *house) add(found map[string]*pkg, name, source string) error {
	tree, err := parser.ParseFile(h.fset, name, source, parser.ParseComments)
	if err != nil {
		return fmt.Errorf("parsing %s: %w", name, err)
	}
	if ast.IsGenerated(tree) {
		return nil
	}
	dir := path.Dir(name)
	if dir == "." {
		dir = ""
	}
	p := found[dir]
	if p == nil {
		p = &pkg{dir: dir}
		found[dir] = p
		h.packages = append(h.packages, p)
	}
	p.files = append(p.files, &file{
		name:  name,
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(source, "\n"),
		tree:  tree,
	})
	return nil
}

// at is the place of a node, as file:line.
func (h *house) at(node ast.Node) string {
	position := h.fset.Position(node.Pos())
	return fmt.Sprintf("%s:%d", position.Filename, position.Line)
}

// product returns the files that are compiled into the program.
func (p *pkg) product() []*file {
	var files []*file
	for _, f := range p.files {
		if !f.test && !p.forTests() {
			files = append(files, f)
		}
	}
	return files
}

// forTests reports whether the whole package is for tests: the suites that every
// store, queue, model and tool must pass, e2e, bench and the test-only oracle.
func (p *pkg) forTests() bool { return matches(testPackages, p.dir) }

// testPackages are never linked into the program.
var testPackages = []string{
	"internal/store/storetest", "internal/queue/queuetest", "internal/model/modeltest", "internal/tool/tooltest", "internal/api/wire/wiretest", "internal/store/postgres/pgtest", "internal/index/indextest",
	"internal/model/openai/oracle/...", "internal/arch", "docs", "e2e/...", "bench/...",
}

// matches reports whether dir is one of the folders; "internal/store/..." covers
// internal/store and all below it, and "..." everything.
func matches(folders []string, dir string) bool {
	for _, folder := range folders {
		if covers(folder, dir) {
			return true
		}
	}
	return false
}

func covers(folder, dir string) bool {
	if folder == "..." {
		return true
	}
	if above, ok := strings.CutSuffix(folder, "/..."); ok {
		return dir == above || strings.HasPrefix(dir, above+"/")
	}
	return dir == folder
}

func readLines(name string) ([]string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var lines []string
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines, scanner.Err()
}
