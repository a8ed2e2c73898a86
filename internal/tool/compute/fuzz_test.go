package compute

import (
	"regexp"
	"strings"
	"testing"

	"go.starlark.net/starlark"
)

// FuzzProgram reads programs, and runs none: what can't be read is told with the line
// that is to be mended. (What a program does when it runs is bounded by its process.)
func FuzzProgram(f *testing.F) {
	for _, seed := range []string{
		"(12 + 3) * 7", "def f(x):\n  return x + 1\nf(2)", "2 ** 10", `f"{x}"`, "import math\nmath.sqrt(2)", "class A: pass", "x = [i for i in range(10)]\nx", "nobody", "while True: pass", "\x00", "'", "(", "a\n b", "\"\\x\"", "0b12", "1e", "if", "\r\n\t\f", "\xff", "b'\xff'", "load('x', 'y')", "x = x", "def f(): f = 1\ndef f(): pass", "return 1", strings.Repeat("(", 500), "lambda: 1", "*a", "1 = 2",
	} {
		f.Add(seed)
	}
	line := regexp.MustCompile(`^line \d+: .`)
	known := builtins()
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 1<<12 {
			t.Skip()
		}
		file, err := dialect().Parse("program", source, 0)
		if err == nil {
			_, err = starlark.FileProgram(file, known.Has)
		}
		if err == nil {
			return
		}
		if told := explain(err, source); !line.MatchString(told) || strings.Contains(told, "program:") {
			t.Errorf("%q: %q", source, told)
		}
	})
}
