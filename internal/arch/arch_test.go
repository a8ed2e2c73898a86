package arch

import (
	"slices"
	"strings"
	"testing"
)

// rules hold for every package.
var rules = []rule{imports, packageName, reachRule, purity, noInit, sizes, packageComment, interfaces, variables, finished, decoders}

// textRules hold for every file that is not Go.
var textRules = []func(text) []complaint{finishedText, textSize}

func TestHouse(t *testing.T) {
	h := load(t)
	if len(h.packages) == 0 {
		t.Fatal("found no Go files: is root in source_test.go right?")
	}
	var found []complaint
	for _, p := range h.packages {
		for _, check := range rules {
			found = append(found, check(h, p)...)
		}
	}
	for _, text := range h.texts {
		for _, check := range textRules {
			found = append(found, check(text)...)
		}
	}
	slices.SortFunc(found, func(a, b complaint) int { return strings.Compare(a.where, b.where) })

	needed := make([]bool, len(exceptions))
	for _, c := range found {
		if !excused(c, needed) {
			t.Errorf("%s: %s: %s", c.where, c.rule, c.what)
		}
	}
	for i, e := range exceptions {
		if e.why == "" {
			t.Errorf("exceptions_test.go: say why %s may break the rule %q", e.file, e.rule)
		}
		if !needed[i] {
			t.Errorf("exceptions_test.go: nothing in %s breaks the rule %q any more: take the line out", e.file, e.rule)
		}
	}
}
