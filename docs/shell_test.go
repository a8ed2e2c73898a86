package docs

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// skipped are blocks of commands that no test types, by a page and words of theirs, and
// why. Every other block of every page is typed.
var skipped = []struct{ page, words, why string }{
	{"guide.md", "./errand serve", "it starts the server, which the test has started"},
	{"guide.md", "errand index add https://example.com/", "it fetches a page of the internet; internal/app tests it with one of its own"},
	{"guide.md", "./errand mcp tools", "it asks a server of the internet for its tools; e2e/mcp_test.go has one of its own"},
	{"swarms.md", "./errand serve", "it starts the server, which the test has started"},
	{"webagent.md", "./errand serve", "it starts the server, which the test has started"},
	{"../README.md", "./errand serve", "it builds the program and starts the server, which the test has done"},
	{"operations.md", "errand migrate", "it needs PostgreSQL; e2e/upgrade and internal/app do it"},
	{"operations.md", "docker", "it needs Docker"},
	{"operations.md", "gpg --verify", "it checks a release that was downloaded"},
	{"operations.md", "scripts/reproduce.sh", "it builds a release of a clone anew"},
	{"guides/first-agent.md", "./errand serve", "it builds the program and starts the server, which the test has done"},
	{"guides/approvals.md", "./errand serve", "it starts the server, which the test has started"},
	{"guides/browser.md", "./errand serve", "it starts the server, which the test has started"},
	{"guides/browser.md", "apt-get", "it installs Chromium for the whole machine"},
	{"guides/cluster.md", "./errand serve", "it starts the nodes, which the test has started"},
	{"guides/cluster.md", "createdb", "it makes a database on a PostgreSQL of yours; the test has one of its own"},
	{"performance.md", "bench", "it measures for minutes"},
}

// fence is a block of a page: its language, and what is in it.
var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// block is a block of commands with what the page shows behind it, "" for nothing.
type block struct{ commands, shown string }

// blocks reads the commands of a page, without those that are skipped.
func blocks(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	typed := false // the block before was of commands that are typed
	for _, f := range fence.FindAllStringSubmatch(string(text), -1) {
		switch kind, inside := f[1], f[2]; {
		case kind == "output" && typed:
			found[len(found)-1].shown = strings.TrimSpace(inside)
		case kind == "output":
			t.Errorf("%s shows output of no command:\n%s", page, inside)
		case kind == "sh" && !isSkipped(page, inside):
			found = append(found, block{commands: inside})
		}
		typed = f[1] == "sh" && !isSkipped(page, f[2])
	}
	return found
}

func isSkipped(page, commands string) bool {
	for _, s := range skipped {
		if s.page == page && strings.Contains(commands, s.words) {
			return true
		}
	}
	return false
}

// typedElsewhere are languages whose blocks are no commands, and who looks at them.
var typedElsewhere = map[string]string{
	"sh": "TestPages and its neighbours", "output": "the block before it", "yaml guide.md": "TestGuideSettings",
	"text troubleshooting.md": "TestTroubleshooting", "txt troubleshooting.md": "e2e's TestFullDisk", "js": "TestJavaScript",
	"python yao.md":              "it needs a package of PyPI; e2e/robots calls the same routes from Python",
	"console troubleshooting.md": "RUN is a run of yours; TestTroubleshooting calls the doctor, explain and models test",
	" performance.md":            "figures, by make bench",
}

// indented are commands that are no block of their own.
var indented = regexp.MustCompile(`(?m)^    (\./errand|errand|curl|make) .*$`)

// TestEveryBlock holds that each block of each page is typed, or is listed with a
// reason why it is not; and that the list has nothing that is not there.
func TestEveryBlock(t *testing.T) {
	t.Parallel()
	typed := []string{"../README.md", "guide.md", "you.md", "openai.md", "yao.md", "schedules.md", "swarms.md", "webagent.md", "operations.md",
		"guides/first-agent.md", "guides/approvals.md", "guides/browser.md", "guides/cluster.md"}
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	guides, err := filepath.Glob("guides/*.md")
	if err != nil {
		t.Fatal(err)
	}
	unseen := map[string]bool{}
	for _, s := range skipped {
		unseen[s.page+": "+s.words] = true
	}
	for _, page := range append(append(pages, guides...), "../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, command := range indented.FindAllString(fence.ReplaceAllString(string(text), ""), -1) {
			if !strings.HasPrefix(strings.TrimSpace(command), "make ") { // CI types those
				t.Errorf("%s has a command that no test finds; put it into a block: %s", page, command)
			}
		}
		for _, f := range fence.FindAllStringSubmatch(string(text), -1) {
			if typedElsewhere[f[1]] == "" && typedElsewhere[f[1]+" "+page] == "" {
				t.Errorf("%s has a block of the language %q, which no test reads", page, f[1])
			}
			if f[1] == "sh" && !isSkipped(page, f[2]) && !slices.Contains(typed, page) {
				t.Errorf("%s has commands that no test types; give it a test, or the block a reason in skipped:\n%s", page, f[2])
			}
			for _, s := range skipped {
				if s.page == page && f[1] == "sh" && strings.Contains(f[2], s.words) {
					delete(unseen, page+": "+s.words)
				}
			}
		}
	}
	for words := range unseen {
		t.Errorf("skipped has what no page has: %s", words)
	}
}

// curl stands before the real one: it stops at the first answer that is an error,
// and keeps the id of the run that was answered, as a reader would. What it was asked
// goes to standard error, so that a page can show what was answered. What a page starts
// beside itself ends with it.
const curl = `
set -eu
trap 'kill $(jobs -p) 2> /dev/null || true' EXIT
curl() {
	if ! answer=$(command curl -S --fail-with-body --max-time 60 "$@"); then
		echo "FAILED: curl $*"; echo "$answer"; exit 1
	fi
	echo "curl $*" >&2; echo "$answer"
	if [[ $answer == *'"status":""'* ]]; then echo "FAILED: a run without a status"; exit 1; fi
	if [[ $1$2 != *approvals* && $answer =~ \"id\":\ ?\"(run_[0-9a-f]{32})\" ]]; then RUN=${BASH_REMATCH[1]}; fi
}
`

// mark stands between the outputs of two blocks.
const mark = "=== the next block ==="

// typeIn runs a page's blocks of commands in one shell, in a directory with the program
// in it, and compares what they print with what the page shows. others are pairs of an
// address on the page and the one that stands for it here.
func typeIn(t *testing.T, page, base string, others ...string) {
	t.Helper()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: scripts/setup.sh curl", tool)
		}
	}
	all := blocks(t, page)
	if len(all) == 0 {
		t.Fatalf("%s has no commands; has its form changed?", page)
	}
	script := curl
	for _, b := range all {
		script += b.commands + "\necho '" + mark + "'\n"
	}
	dir := t.TempDir()
	replace := append(others, "http://127.0.0.1:8420", base, "run_…", "$RUN", "/backups", dir)
	script = strings.NewReplacer(replace...).Replace(script)
	furnish(t, dir)

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "bash")
	shell.Dir = dir
	shell.Env = []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "GORACE=atexit_sleep_ms=0",
		"ERRAND_ADMIN_KEY=" + key, "ERRAND_URL=" + base, "ERRAND_MODEL=offline"}
	shell.Stdin = strings.NewReader(script)
	var printed, said bytes.Buffer
	shell.Stdout, shell.Stderr = &printed, &said
	if err := shell.Run(); err != nil {
		outputs := strings.Split(printed.String(), mark+"\n")
		at := min(len(outputs), len(all)) - 1
		t.Fatalf("%s: in this block a command failed (%v):\n%s\nit printed\n%s\n%s", page, err, all[at].commands, outputs[at], last(said.String()))
	}
	outputs := strings.Split(printed.String(), mark+"\n")
	if len(outputs) != len(all)+1 {
		t.Fatalf("%s: %d blocks have %d outputs:\n%s", page, len(all), len(outputs), &printed)
	}
	for i, b := range all {
		if got := alike(outputs[i]); b.shown != "" && got != b.shown {
			t.Errorf("%s: this\n%s\nprints\n%s\nand the page shows\n%s", page, b.commands, got, b.shown)
		}
	}
}

// last is the end of a text.
func last(text string) string { return text[max(0, len(text)-1000):] }

// furnish puts into a directory what pages speak of: the program, a handbook, and the
// data of a server that is stopped.
func furnish(t *testing.T, dir string) {
	t.Helper()
	self, err := filepath.Abs(os.Args[0])
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "errand"))
	}
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "papers"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "papers", "late-fees.md"), []byte("# Late fees\nFive percent.\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// unlike are parts of an output that differ each time.
var unlike = []struct {
	pattern *regexp.Regexp
	is      string
}{
	{regexp.MustCompile(`\b(run|agt|act|key|file|wh|sch|req)_[0-9a-f]{8,}`), "${1}_…"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?Z?`), "2026-11-22T10:00:00Z"},
	{regexp.MustCompile(`127\.0\.0\.1:\d{4,5}`), "127.0.0.1:8420"},
}

// alike puts one word for what differs from run to run.
func alike(text string) string {
	for _, u := range unlike {
		text = u.pattern.ReplaceAllString(text, u.is)
	}
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.Join(lines, "\n")
}

// TestJavaScript runs the pages' code for SDKs, with the packages that e2e/sdk pins.
func TestJavaScript(t *testing.T) {
	t.Parallel()
	node := "../.tools/bin/node"
	if _, err := os.Stat(node); err != nil {
		node = "node"
	}
	node, err := exec.LookPath(node)
	if _, missing := os.Stat("../e2e/sdk/node_modules/openai"); err != nil || missing != nil {
		t.Skip("Node.js with the packages of e2e/sdk is not installed: scripts/setup.sh node sdk")
	}
	if node, err = filepath.Abs(node); err != nil {
		t.Fatal(err)
	}
	base := serve(t, nil)
	for path, body := range map[string]string{
		"/v1/agents":       `{"name": "clerk", "model": "default", "instructions": "Answer questions about the time.", "tools": ["time.now"]}`,
		"/v1/agent/robots": `{"member_id": "my-robot", "display_name": "Analyst"}`,
	} {
		ask(t, site{base, key}, "POST "+path, body)
	}
	for page, imports := range map[string]string{"openai.md": "", "yao.md": "", "you.md": `import { You } from "@youdotcom-oss/sdk";` + "\n"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fence.FindAllStringSubmatch(string(text), -1) {
			if f[1] != "js" {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			run := exec.CommandContext(ctx, node, "--input-type=module")
			run.Dir, run.Env = "../e2e/sdk", []string{"PATH=" + os.Getenv("PATH"), "ERRAND_API_KEY=" + key}
			run.Stdin = strings.NewReader(imports + strings.ReplaceAll(f[2], "http://127.0.0.1:8420", base))
			if out, err := run.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", page, err, out, fmt.Sprint(f[2]))
			}
			cancel()
		}
	}
}
