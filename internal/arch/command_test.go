package arch

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// commanded are the last column of a table whose rows say how to see them again.
var commanded = regexp.MustCompile(`\| (command|reproduce) \|$`)

// commandCell is what such a row ends with: commands, and what else they need.
var commandCell = regexp.MustCompile("^`[^`]+`(, `[^`]+`)*( \\([^|]+\\))?$")

// TestCommands holds that each row of each table of these pages ends with the command
// that shows it again: of the comparison's points, each row of ours. A command has to be
// one that could be typed now: its tests, targets, scripts and files are there.
func TestCommands(t *testing.T) {
	known := make(map[string][]string)
	for page, atLeast := range map[string]int{"docs/operations.md": 120, "docs/security.md": 120, "docs/comparison.md": 55} {
		lines, err := readLines(filepath.Join(root, page))
		if err != nil {
			t.Fatal(err)
		}
		found, faults := uncommanded(lines, known)
		for _, fault := range faults {
			t.Errorf("%s: %s", page, fault)
		}
		if found < atLeast {
			t.Errorf("%s has %d rows with commands, and had more than %d: its tables have moved, or this test no longer finds them", page, found, atLeast)
		}
	}
}

// uncommanded counts the rows that end with commands, and says what is wrong with others.
// known are tests of folders that have been read.
func uncommanded(lines []string, known map[string][]string) (found int, faults []string) {
	head := ""
	for _, line := range lines {
		cells := strings.Split(strings.ReplaceAll(strings.Trim(line, "| "), `\|`, "\x00"), "|")
		points := strings.HasPrefix(head, "| product |")
		switch {
		case !strings.HasPrefix(line, "|"):
			head = ""
			continue
		case head == "":
			if head = line; !commanded.MatchString(line) && !strings.HasPrefix(line, "| product |") {
				faults = append(faults, "this table has no column for commands: "+line)
			}
			continue
		case strings.HasPrefix(line, "|---") || points && strings.TrimSpace(cells[0]) != "Errand":
			continue
		}
		last := strings.TrimSpace(strings.ReplaceAll(cells[len(cells)-1], "\x00", "|"))
		if points { // its sources stand before the commands
			last = last[strings.LastIndex(last, ")")+1:]
			last = strings.TrimPrefix(last, ", ")
		}
		if !commandCell.MatchString(last) {
			faults = append(faults, "this row ends with no command: "+line)
			continue
		}
		found++
		for i, command := range strings.Split(last, "`") {
			if i%2 == 0 {
				continue
			}
			for _, fault := range inert(command, known) {
				faults = append(faults, command+": "+fault)
			}
		}
	}
	return found, faults
}

// environment are variables that are set for a command.
var environment = regexp.MustCompile(`^([A-Z_]+=\S+ )+`)

// inert says why a command can't be what shows something.
func inert(command string, known map[string][]string) (faults []string) {
	words := strings.Fields(environment.ReplaceAllString(command, ""))
	switch first, rest := words[0], words[1:]; {
	case first == "go" && len(rest) > 1 && rest[0] == "test":
		return untested(command, known)
	case first == "go" && len(rest) > 1 && rest[0] == "run" && strings.HasPrefix(rest[1], "./"):
		return absent(rest[1])
	case first == "make" && len(rest) > 0:
		makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
		if err != nil {
			return []string{err.Error()}
		}
		for _, target := range rest {
			if !strings.Contains(target, "=") && !strings.Contains(string(makefile), "\n.PHONY: "+target+"\n") {
				faults = append(faults, "there is no target "+target)
			}
		}
		return faults
	case strings.HasPrefix(first, "scripts/"):
		return absent(first)
	case first == "head" && len(rest) > 0:
		return absent(rest[len(rest)-1])
	}
	return []string{"this is no command that shows anything"}
}

// absent says that a file is not there.
func absent(name string) []string {
	if _, err := os.Stat(filepath.Join(root, name)); err != nil {
		return []string{"there is no " + name}
	}
	return nil
}

// testFunc is a function that `go test` calls.
var testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)

// chosen are a command's patterns of names, quoted or not.
var chosen = regexp.MustCompile(` -(run|bench|fuzz)[ =](?:'([^']*)'|(\S+))`)

// untested says which of a command's packages have nothing that it runs, and which of
// its patterns choose nothing.
func untested(command string, known map[string][]string) (faults []string) {
	packages := make(map[string][]string) // the functions of each
	for _, word := range strings.Fields(chosen.ReplaceAllString(command, "")) {
		if !strings.HasPrefix(word, "./") {
			continue
		}
		names, read := known[word]
		if !read {
			var err error
			if names, err = testsIn(word); err != nil {
				return []string{err.Error()}
			}
			known[word] = names
		}
		if len(names) == 0 {
			faults = append(faults, "there are no tests in "+word)
		}
		packages[word] = names
	}
	if len(packages) == 0 {
		return append(faults, "it names no package")
	}
	called := make(map[string]bool) // packages of which something is run
	patterns := chosen.FindAllStringSubmatch(command, -1)
	for _, pattern := range patterns {
		for part := range strings.SplitSeq(pattern[2]+pattern[3], "|") {
			name, _, _ := strings.Cut(part, "/") // behind it stand parts of a test
			matches, err := regexp.Compile(name)
			if err != nil {
				return append(faults, err.Error())
			}
			any := false
			for folder, names := range packages {
				if slices.ContainsFunc(names, matches.MatchString) {
					any, called[folder] = true, true
				}
			}
			if part != "xxx" && !any { // by which benchmarks choose no test
				faults = append(faults, "nothing is called "+part)
			}
		}
	}
	for folder := range packages {
		if len(patterns) > 0 && !called[folder] {
			faults = append(faults, "it runs nothing of "+folder)
		}
	}
	return faults
}

// testsIn are the names of a package's tests, or with /... of all below it.
func testsIn(folder string) (names []string, err error) {
	below, deep := strings.CutSuffix(folder, "/...")
	files, err := fs.Glob(os.DirFS(root), path.Join(strings.TrimPrefix(below, "./"), "*_test.go"))
	if deep {
		err = filepath.WalkDir(filepath.Join(root, below), func(file string, _ os.DirEntry, err error) error {
			if strings.HasSuffix(file, "_test.go") && !strings.Contains(file, "node_modules") {
				files = append(files, strings.TrimPrefix(filepath.ToSlash(file), filepath.ToSlash(root)+"/"))
			}
			return err
		})
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return nil, err
		}
		for _, found := range testFunc.FindAllStringSubmatch(string(text), -1) {
			names = append(names, found[1])
		}
	}
	return names, err
}

// TestUncommanded holds that the rule finds what it is there for.
func TestUncommanded(t *testing.T) {
	const table, points = "| claim | reproduce |", "| product | what | source, 2026-01-01 |"
	for _, test := range []struct {
		faults     int
		head, line string
	}{
		{0, table, "| a | `go test ./internal/arch -run 'TestCommands$'` |"},
		{0, table, "| a | `X=1 go test ./internal/arch/... -run 'Uncommanded\\|TestCommands/part'`, `make check` (root) |"},
		{0, table, "| a | `make fuzz FUZZTIME=1s` |"},
		{0, table, "| a | `go run ./bench -quick`, `scripts/fuzz.sh 1s`, `head -3 LICENSE` |"},
		{0, points, "| Errand | a | [page](page.md), `make check` |"},
		{0, points, "| Another | a | [page](https://example.com/) |"},
		{1, "| claim | test |", "| a | `make check` |"},
		{1, table, "| a | |"},
		{1, table, "| a | see above |"},
		{1, table, "| a | TestCommands |"},
		{1, table, "| a | `TestCommands` |"},
		{2, table, "| a | `go test ./internal/arch -run TestOfNothing` |"},
		{1, table, "| a | `go test ./internal/arch -run 'TestCommands\\|TestOfNothing'` |"},
		{2, table, "| a | `go test ./internal/arch ./internal/problem -run TestUncommanded` |"},
		{3, table, "| a | `go test ./internal/gone -run TestCommands` |"},
		{1, table, "| a | `go test -run TestCommands` |"},
		{1, table, "| a | `make gone` |"},
		{1, table, "| a | `scripts/gone.sh` |"},
		{1, table, "| a | `go run ./gone` |"},
		{1, points, "| Errand | a | [page](page.md) |"},
		{1, points, "| Errand | a | [page](page.md), `TestCommands` |"},
	} {
		_, faults := uncommanded([]string{test.head, "|---|---|", test.line}, map[string][]string{})
		if len(faults) != test.faults {
			t.Errorf("%s: %q, want %d faults", test.line, faults, test.faults)
		}
	}
}
