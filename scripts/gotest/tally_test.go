package main

import (
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	const pkg = `"Package":"errand/internal/run"`
	cases := []struct {
		name   string
		ci     bool
		events string
		want   string // the end of what is printed, with the sum
		good   bool
	}{
		{"all pass", false, `
			{"Action":"run",` + pkg + `,"Test":"TestA"}
			{"Action":"output",` + pkg + `,"Test":"TestA","Output":"chatter\n"}
			{"Action":"pass",` + pkg + `,"Test":"TestA/one"}
			{"Action":"pass",` + pkg + `,"Test":"TestA"}
			{"Action":"pass",` + pkg + `,"Elapsed":1.5}`,
			"ok    errand/internal/run                         1.5 s  2 passed, 0 failed\n2 passed, 0 failed\n", true},
		{"a failure shows what the test said", false, `
			{"Action":"output",` + pkg + `,"Test":"TestA","Output":"=== RUN   TestA\n"}
			{"Action":"output",` + pkg + `,"Test":"TestA","Output":"    a_test.go:7: got 1, want 2\n"}
			{"Action":"fail",` + pkg + `,"Test":"TestA"}
			{"Action":"fail",` + pkg + `,"Elapsed":0.1}`,
			"    a_test.go:7: got 1, want 2\nFAIL  errand/internal/run                         0.1 s  0 passed, 1 failed\n0 passed, 1 failed\n", false},
		{"a package that fails after its tests", false, `
			{"Action":"pass",` + pkg + `,"Test":"TestA"}
			{"Action":"output",` + pkg + `,"Output":"a goroutine leaked\n"}
			{"Action":"fail",` + pkg + `}`,
			"a goroutine leaked\nFAIL  errand/internal/run                         0.0 s  1 passed, 1 failed\n1 passed, 1 failed\n", false},
		{"a package that does not compile", false, `
			{"ImportPath":"errand/internal/run","Action":"build-output","Output":"a.go:1: undefined: x\n"}
			{"Action":"fail",` + pkg + `}`,
			"a.go:1: undefined: x\nFAIL  errand/internal/run                         0.0 s  0 passed, 1 failed\n0 passed, 1 failed\n", false},
		{"a missing tool on a laptop", false, skipped(pkg),
			"    a_test.go:7: PostgreSQL is not installed\nok    errand/internal/run                         0.0 s  1 passed, 0 failed, 1 skipped\n1 passed, 0 failed, 1 skipped\n", true},
		{"a missing tool in CI", true, skipped(pkg),
			"CI has to run this test: let scripts/setup.sh install what it needs.\nFAIL  errand/internal/run                         0.0 s  1 passed, 1 failed\n1 passed, 1 failed\n", false},
		{"long ones are named, the longest first", false, `
			{"Action":"pass",` + pkg + `,"Test":"TestA","Elapsed":16}
			{"Action":"pass",` + pkg + `,"Test":"TestB/part","Elapsed":99}
			{"Action":"pass",` + pkg + `,"Test":"TestB","Elapsed":99.5}
			{"Action":"pass",` + pkg + `,"Test":"TestC","Elapsed":14}
			{"Action":"pass",` + pkg + `,"Elapsed":100}`,
			"4 passed, 0 failed\nlong  errand/internal/run                        99.5 s  TestB\nlong  errand/internal/run                        16.0 s  TestA\n4 passed, 0 failed\n", true},
		{"nothing", false, "", "0 passed, 0 failed\n", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			tally := newTally(&out, c.ci)
			if err := tally.read(strings.NewReader(c.events)); err != nil {
				t.Fatal(err)
			}
			tally.sum()
			if !strings.HasSuffix(out.String(), c.want) {
				t.Errorf("printed:\n%s\nwant at its end:\n%s", out.String(), c.want)
			}
			if err := tally.verdict(); (err == nil) != c.good {
				t.Errorf("verdict %v, want good = %v", err, c.good)
			}
		})
	}
}

func skipped(pkg string) string {
	return `
		{"Action":"output",` + pkg + `,"Test":"TestB","Output":"    a_test.go:7: PostgreSQL is not installed\n"}
		{"Action":"skip",` + pkg + `,"Test":"TestB"}
		{"Action":"pass",` + pkg + `,"Test":"TestA"}
		{"Action":"pass",` + pkg + `}`
}

// A go test that is cut off in the middle must not look like a success.
func TestTallyCutOff(t *testing.T) {
	var out strings.Builder
	err := newTally(&out, false).read(strings.NewReader(`{"Action":"start","Package":"errand/internal/run"}`))
	if err == nil {
		t.Error("a package that never ended was taken for a success")
	}
}
