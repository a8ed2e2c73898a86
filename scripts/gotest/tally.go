package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// event is one line of go test -json; see go doc cmd/test2json.
type event struct {
	Action  string
	Package string
	Test    string // empty for the package itself
	Output  string
	Elapsed float64 // in seconds
}

// tally counts tests and tells what failed.
type tally struct {
	out                     io.Writer
	ci                      bool
	passed, failed, skipped int
	packages                map[string]*packageTally
	longest                 []event // tests that took long, the longest first
}

// packageTally is what is known of a package whose tests are under way.
type packageTally struct {
	passed, failed, skipped int
	output                  map[string][]string // by test, until it ends; "" is the package's own
}

func newTally(out io.Writer, ci bool) *tally {
	return &tally{out: out, ci: ci, packages: make(map[string]*packageTally)}
}

// read takes in the events of one go test.
func (t *tally) read(from io.Reader) error {
	decoder := json.NewDecoder(from)
	for {
		var e event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			return t.closed()
		}
		if err != nil {
			return err
		}
		t.take(e)
	}
}

// closed reports packages that never ended: go test itself was cut off.
func (t *tally) closed() error {
	for name := range t.packages {
		return fmt.Errorf("%s was still under way at the end", name)
	}
	return nil
}

func (t *tally) take(e event) {
	if e.Action == "build-output" { // belongs to no test; the package's fail follows
		fmt.Fprint(t.out, e.Output)
		return
	}
	if e.Package == "" {
		return
	}
	p := t.packages[e.Package]
	if p == nil {
		p = &packageTally{output: make(map[string][]string)}
		t.packages[e.Package] = p
	}
	switch {
	case e.Action == "output":
		if !strings.HasPrefix(e.Output, "=== ") && !strings.HasPrefix(e.Output, "FAIL") {
			p.output[e.Test] = append(p.output[e.Test], e.Output)
		}
	case e.Action != "pass" && e.Action != "fail" && e.Action != "skip":
	case e.Test == "":
		t.end(e, p)
		delete(t.packages, e.Package)
	default:
		t.endTest(e, p)
		t.time(e)
		delete(p.output, e.Test)
	}
}

// missingTool is what a test says when it skips itself for want of a program.
const missingTool = "is not installed"

func (t *tally) endTest(e event, p *packageTally) {
	said := strings.Join(p.output[e.Test], "")
	switch {
	case e.Action == "pass":
		p.passed++
	case e.Action == "skip" && t.ci && strings.Contains(said, missingTool):
		p.failed++
		fmt.Fprintf(t.out, "%sCI has to run this test: let scripts/setup.sh install what it needs.\n", said)
	case e.Action == "skip":
		p.skipped++
		fmt.Fprint(t.out, said)
	default:
		p.failed++
		fmt.Fprint(t.out, said)
	}
}

// end prints a package's line. One that failed without a failed test (it did not
// compile, a goroutine leaked, the time was up) counts as one failure, and all
// that it said is shown, also by tests that never ended.
func (t *tally) end(e event, p *packageTally) {
	word := "ok  "
	if e.Action == "fail" {
		if p.failed == 0 {
			p.failed++
		}
		for _, said := range sorted(p.output) {
			fmt.Fprint(t.out, said)
		}
	}
	if p.failed > 0 {
		word = "FAIL"
	}
	t.passed += p.passed
	t.failed += p.failed
	t.skipped += p.skipped
	if p.passed+p.failed+p.skipped > 0 {
		fmt.Fprintf(t.out, "%s  %-40s %6.1f s  %s\n", word, e.Package, e.Elapsed, counts(p.passed, p.failed, p.skipped))
	}
}

// Tests that took longer than long are named at the end, mostNamed of them: what makes
// everybody wait should be seen.
const (
	long      = 15.0 // seconds
	mostNamed = 15
)

// time keeps a test that took long. Parts of tests are in their tests.
func (t *tally) time(e event) {
	if e.Elapsed < long || strings.Contains(e.Test, "/") {
		return
	}
	t.longest = append(t.longest, e)
	slices.SortStableFunc(t.longest, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	t.longest = t.longest[:min(len(t.longest), mostNamed)]
}

// sum prints what took long, and the line that ends it all.
func (t *tally) sum() {
	for _, e := range t.longest {
		fmt.Fprintf(t.out, "long  %-40s %6.1f s  %s\n", e.Package, e.Elapsed, e.Test)
	}
	fmt.Fprintln(t.out, counts(t.passed, t.failed, t.skipped))
}

// verdict is nil when tests ran and none failed.
func (t *tally) verdict() error {
	if t.failed > 0 {
		return errors.New("some tests failed")
	}
	if t.passed == 0 {
		return errors.New("no test ran")
	}
	return nil
}

func counts(passed, failed, skipped int) string {
	line := fmt.Sprintf("%d passed, %d failed", passed, failed)
	if skipped > 0 {
		line += fmt.Sprintf(", %d skipped", skipped)
	}
	return line
}

// sorted returns the outputs in the order of their tests' names.
func sorted(output map[string][]string) []string {
	names := make([]string, 0, len(output))
	for name := range output {
		names = append(names, name)
	}
	slices.Sort(names)
	var said []string
	for _, name := range names {
		said = append(said, output[name]...)
	}
	return said
}
