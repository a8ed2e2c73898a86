package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"errand/internal/api/wire"
	"errand/internal/app"
	"errand/internal/config"
	"errand/internal/problem"
)

// update writes the reference anew: make reference.
var update = flag.Bool("update", false, "write docs/reference anew")

// made stands at the top of each page that is made.
const made = "<!-- Made by `make reference`. Change its source, not this page. -->\n"

// TestReference makes the pages of docs/reference from the contract, the settings, the
// command line and the codes of errors, and holds that they are what is there.
func TestReference(t *testing.T) {
	t.Parallel()
	pages := contractPages(t)
	pages["settings.md"] = settingsPage(t)
	pages["commands.md"] = commandsPage(t)
	pages["errors.md"] = errorsPage(t)
	pages["README.md"] = referenceIndex(pages)
	if *update {
		if err := os.RemoveAll("reference"); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		path, want := filepath.Join("reference", filepath.FromSlash(name)), made+pages[name]
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := os.ReadFile(path); err != nil || string(is) != want {
			t.Errorf("docs/%s is not what its source says (%v): make reference", path, err)
		}
	}
	there, err := filepath.Glob("reference/*.md")
	if err != nil {
		t.Fatal(err)
	}
	below, err := filepath.Glob("reference/*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	if len(there)+len(below) != len(pages) {
		t.Errorf("docs/reference has %d pages, and %d are made: make reference", len(there)+len(below), len(pages))
	}
}

// settingRow is a row of the README's table of settings.
var settingRow = regexp.MustCompile("(?m)^\\| (`[A-Z][^|]*) \\| ([^|]*) \\| (.*) \\|$")

// settingsPage is the README's table, which a test holds to be complete, with the name
// of each in the file.
func settingsPage(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := settingRow.FindAllStringSubmatch(string(readme), -1)
	if len(rows) < 30 {
		t.Fatalf("README.md has %d rows of settings: has its table changed its form?", len(rows))
	}
	var page strings.Builder
	page.WriteString("# Settings\n\nFlags win over the environment, and that over `errand.yaml` (or `--config FILE`). A setting that does not exist is an error, never ignored. " +
		"What only the file has (`endpoints`, `aliases`, `prices`, `sql`, `mcp`, `tools`, `agents`) is in the [guide](../guide.md#models-prices-and-definitions-in-errandyaml).\n\n" +
		"| variable | in errand.yaml | default | what |\n|---|---|---|---|\n")
	for _, row := range rows {
		what := strings.NewReplacer("](docs/", "](../", "](#", "](../../README.md#").Replace(row[3])
		fmt.Fprintf(&page, "| %s | %s | %s | %s |\n", row[1], inFile(t, row[1], row[3]), row[2], what)
	}
	return page.String()
}

// inFile is what the variables of a row are called in errand.yaml: the README says so
// where it is not the same name.
func inFile(t *testing.T, variables, what string) string {
	t.Helper()
	if _, said, named := strings.Cut(what, "in the file: `"); named {
		name, _, _ := strings.Cut(said, "`")
		return "`" + name + "`"
	}
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		known[name] = true
	}
	var names []string
	for variable := range strings.SplitSeq(variables, ", ") {
		own, of := strings.CutPrefix(strings.Trim(variable, "`"), "ERRAND_")
		if !of || slices.Contains([]string{"URL", "API_KEY", "CONFIG"}, own) {
			return ""
		}
		name := strings.ToLower(own)
		group, rest, _ := strings.Cut(name, "_")
		switch {
		case known[name]:
		case known[group]:
			name = group + "." + rest
		case known[name+"s"]:
			name += "s"
		default:
			t.Errorf("errand.yaml has no name for %s that the README or the settings tell", variable)
		}
		names = append(names, "`"+name+"`")
	}
	return strings.Join(names, ", ")
}

// named is a command in the list that errand --help prints.
var named = regexp.MustCompile(`(?m)^  ([a-z][a-z-]*(?: [a-z-]+)?)  +[A-Z]`)

// commandsPage is every command's own help.
func commandsPage(t *testing.T) string {
	t.Helper()
	help := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if code := app.Main(context.Background(), append(args, "--help"), nil, app.Stdio{In: strings.NewReader(""), Out: &out, Err: &out}); code != 0 {
			t.Fatalf("errand %v --help: %s", args, &out)
		}
		return strings.TrimSpace(out.String())
	}
	all := help()
	found := named.FindAllStringSubmatch(all, -1)
	if len(found) < 40 {
		t.Fatalf("only %d commands in:\n%s", len(found), all)
	}
	var page strings.Builder
	page.WriteString("# Commands\n\nWhat `errand --help` and `errand COMMAND --help` print. Commands that talk to a server find it by `ERRAND_URL` and their key in `ERRAND_API_KEY` (or `ERRAND_ADMIN_KEY`).\n\n```\n" + all + "\n```\n")
	for _, command := range found {
		fmt.Fprintf(&page, "\n## errand %s\n\n```\n%s\n```\n", command[1], help(strings.Fields(command[1])...))
	}
	return page.String()
}

// constants reads the texts of typed constants from a source file, with their comments.
func constants(t *testing.T, path, kind string) (values []string, comments map[string]string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments = map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		of, typed := spec.Type.(*ast.Ident)
		value, literal := spec.Values[0].(*ast.BasicLit)
		if typed && literal && of.Name == kind {
			text := strings.Trim(value.Value, `"`)
			values, comments[text] = append(values, text), strings.TrimSpace(spec.Comment.Text())
		}
		return true
	})
	if len(values) == 0 {
		t.Fatalf("%s has no constants of %s", path, kind)
	}
	return values, comments
}

// inPublic are the fields of problem.Error by the names that clients know.
var inPublic = strings.NewReplacer("|", "\\|", "Detail", "`message`", "Fields", "`errors`", "RetryAfter", "`Retry-After`")

// errorsPage lists the codes with their meaning and what mends them.
func errorsPage(t *testing.T) string {
	t.Helper()
	var page strings.Builder
	page.WriteString("# Errors\n\nThe `code` of an error of the native API, and the HTTP status that it comes with. APIs of others say the same in their own shape: see their pages. " +
		"`message` names the field and the way to mend it, `errors` all fields that are wrong, and the log has more under `request_id`. The texts themselves are in [troubleshooting](../troubleshooting.md).\n\n" +
		"| code | status | meaning | what to do |\n|---|---|---|---|\n")
	codes, meanings := constants(t, "../internal/problem/problem.go", "Code")
	for _, code := range codes {
		if mends[code] == "" {
			t.Errorf("mends in docs/mend_test.go does not say what to do about %s", code)
		}
		fmt.Fprintf(&page, "| `%s` | %d | %s | %s |\n", code, wire.Status(problem.Code(code)), inPublic.Replace(meanings[code]), mends[code])
	}
	page.WriteString("\n## Why a run ended\n\n`stop_reason` of a run, and what it means. A run that failed has it, or a code from above, in `error.code`.\n\n| stop_reason | status of the run | meaning |\n|---|---|---|\n")
	reasons, _ := constants(t, "../internal/run/state.go", "StopReason")
	for _, reason := range reasons {
		if ends[reason] == [2]string{} {
			t.Errorf("ends in docs/mend_test.go does not say what %s means", reason)
		}
		fmt.Fprintf(&page, "| `%s` | `%s` | %s |\n", reason, ends[reason][0], ends[reason][1])
	}
	if len(mends) != len(codes) || len(ends) != len(reasons) {
		t.Error("docs/mend_test.go has codes that there are not")
	}
	return page.String()
}

// referenceIndex leads to the pages.
func referenceIndex(pages map[string]string) string {
	var page strings.Builder
	page.WriteString("# Reference\n\nMade from the sources of the program, so that it says what the program does. A running server shows the same contract under `/docs`, and as OpenAPI under `/openapi.yaml`; its source is [api/openapi.yaml](../../api/openapi.yaml).\n\n" +
		"- [Settings](settings.md): variables, their names in the file, defaults\n- [Commands](commands.md): every command with its flags\n- [Errors](errors.md): every code, its meaning, and what to do\n\nThe API, by group:\n\n")
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		if group, ok := strings.CutPrefix(name, "api/"); ok {
			title, _, _ := strings.Cut(strings.TrimPrefix(pages[name], "# "), "\n")
			fmt.Fprintf(&page, "- [%s](api/%s)\n", title, group)
		}
	}
	return page.String()
}

// asExample is a value as indented JSON.
func asExample(value any) string {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}
