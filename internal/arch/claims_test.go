package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A row of the tables of docs/security.md: | claim | `TestX`, `TestY/part` | `go test
// ./folder … [-run pattern]` |. A list of risks has what is done beside the risk: |
// risk | what we do | tests | command |.
var (
	claimRow  = regexp.MustCompile("^\\| (.+?) \\| (`Test.+) \\| `(go test [^`]+)` \\|$")
	claimTest = regexp.MustCompile("`(Test[^`/]+)(?:/([^`]+))?`")
)

// TestClaims holds that each claim of docs/security.md names tests that are there, and
// a command that runs all of them and finds them in the packages that it names.
func TestClaims(t *testing.T) {
	const page = "docs/security.md"
	lines, err := readLines(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	claims, inside := 0, false
	for _, line := range lines {
		if strings.HasPrefix(line, "## ") {
			inside = line == "## Claims and their tests"
		}
		if !inside || !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| claim |") || strings.HasPrefix(line, "| risk |") {
			continue
		}
		row := claimRow.FindStringSubmatch(line)
		if row == nil {
			t.Errorf("%s: this row is not | claim | `Test…` | `go test …` |:\n%s", page, line)
			continue
		}
		claims++
		for _, fault := range claimed(row[2], strings.ReplaceAll(row[3], `\|`, "|")) {
			t.Errorf("%s: %s: %s", page, row[1], fault)
		}
	}
	if claims < 50 {
		t.Errorf("%s has %d rows that could be read: the table has moved, or this test no longer finds it", page, claims)
	}
}

// claimed says what is wrong with the tests that a row names, and its command.
func claimed(tests, command string) (faults []string) {
	folders, pattern, _ := strings.Cut(strings.TrimPrefix(command, "go test "), " -run ")
	runs, err := regexp.Compile(strings.Trim(pattern, "'"))
	if err != nil {
		return []string{"the pattern behind -run can't be read: " + err.Error()}
	}
	var source strings.Builder
	for folder := range strings.FieldsSeq(folders) {
		files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
		if err != nil || len(files) == 0 {
			faults = append(faults, "there are no tests in "+folder)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return append(faults, err.Error())
			}
			source.Write(text)
		}
	}
	named := claimTest.FindAllStringSubmatch(tests, -1)
	for _, test := range named {
		switch name, part := test[1], test[2]; {
		case !strings.Contains(source.String(), "\nfunc "+name+"(t *testing.T) {"):
			faults = append(faults, name+" is in none of the packages that the command names")
		case !runs.MatchString(name):
			faults = append(faults, "the command does not run "+name)
		case part != "" && !strings.Contains(source.String(), `"`+part+`"`):
			faults = append(faults, name+" has no part "+part)
		}
	}
	if len(named) == 0 {
		faults = append(faults, "it names no test")
	}
	return faults
}
