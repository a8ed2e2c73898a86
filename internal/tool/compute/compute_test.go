package compute

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool/tooltest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == Command { // the test's binary is the interpreter, too
		if err := Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func made(t *testing.T) *Compute {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return New(executable)
}

// program writes a program as arguments.
func program(t *testing.T, source string) string {
	t.Helper()
	text, err := json.Marshal(map[string]string{"expression": source})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTooltest(t *testing.T) {
	tooltest.Run(t, tooltest.Case{
		Tool:  made(t),
		Works: []string{`{"expression":"(12 + 3) * 7"}`, `{"expression":"print(1)"}`},
		Fails: []string{`{"expression":"1 +"}`, `{"expression":""}`, `{"expression":"1 // 0"}`, `{"expression":"x"}`},
		Bad:   []string{`{"expression":7}`, `[]`, `{}`},
		Slow:  `{"expression":"max(range(1000000000000))"}`,
	})
}

func TestPrograms(t *testing.T) {
	c := made(t)
	for _, test := range []struct{ source, want string }{
		{"(12 + 3) * 7", `{"result":"105"}`},
		{"7 / 2", `{"result":"3.5"}`},
		{"7 // 2", `{"result":"3"}`},
		{"0.1 + 0.2", `{"result":"0.30000000000000004"}`},
		{"pow(2, 200)", `{"result":"1606938044258990275541962092341162602522202993782792835301376"}`},
		{"pow(2, 10, 1000), pow(2, -1), pow(2.0, 0.5), pow(-1, pow(10, 30) + 1), pow(0, 0), pow(1, pow(10, 30))", `{"result":"(24, 0.5, 1.4142135623730951, -1, 1, 1)"}`},
		{"round(2.5), round(3.5), round(-2.5), round(2.675, 2), round(1234, -2), round(1250, -2), round(7, 3), round(-0.4, 0), round(2.5, 400)", `{"result":"(2, 4, -2, 2.67, 1200, 1200, 7, -0.0, 2.5)"}`},
		{"round(123456789012345678901235, -1)", `{"result":"123456789012345678901240"}`},
		{"sum([1, 2, 3.5]), sum(range(101)), sum([[1], [2]], [])", `{"result":"(6.5, 5050, [1, 2])"}`},
		{"math.sqrt(16), round(math.pi, 4)", `{"result":"(4.0, 3.1416)"}`},
		{`json.encode({"a": [1, None]})`, `{"result":"{\"a\":[1,null]}"}`},
		{`json.decode('{"a": 1}')["a"]`, `{"result":"1"}`},
		{`"text"`, `{"result":"text"}`},
		{"print(1, 'two')\nprint(3)\n4", `{"result":"4","printed":"1 two\n3\n"}`},
		{"print('only')", `{"printed":"only\n"}`},
		{"def fib(n):\n  return n if n < 2 else fib(n - 1) + fib(n - 2)\nfib(15)", `{"result":"610"}`},
		{"x = 0\nwhile x < 10:\n  x += 3\nx", `{"result":"12"}`},
		{"total = 0\nfor i in range(5):\n  if i % 2 == 0:\n    total += i\ntotal", `{"result":"6"}`},
		{"len(set([1, 1, 2]))", `{"result":"2"}`},
		{"x = 1\nx", `{"result":"1"}`},
	} {
		result, err := c.Call(t.Context(), tooltest.Call(c, program(t, test.source)))
		if err != nil || result.Output != test.want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", test.source, result.Output, err, test.want)
		}
	}
}

// TestMistakes: what the model is told of a program that does not work.
func TestMistakes(t *testing.T) {
	c := made(t)
	for _, test := range []struct{ source, want string }{
		{"1 +", "line 1: got end of file, want primary expression"},
		{"x = 1\ny = x + z\ny", "line 2: undefined: z"},
		{"x = 1\n\nx / 0", "line 3: floating-point division by zero"},
		{"def f(a):\n  return a[3]\nf([1])", "line 2: list index 3 out of range"},
		{"print('before')\n1 // 0", "line 2: floored division by zero. It printed before: before"},
		{"2 ** 10", "write pow(base, exponent)"},
		{`f"{1}"`, "There are no f-strings"},
		{"import math\nmath.pi", "There is no import"},
		{"class A:\n  pass", "Starlark has no class"},
		{`load("x", "y")`, "load not implemented"},
		{"x = 1", "ended without a result"},
		{"", "ended without a result"},
		{"open('/etc/passwd')", "undefined: open"},
		{"1 << 1000000000", "shift count too large"},
		{"pow(10, 1000000000)", "more than 100000 bits"},
		{"pow(1, 1, 0)", "the modulus must be"},
		{"sum(['a'])", "unknown binary op"},
		{"round('a')", "want a number"},
		{strings.Repeat("1", maxSource+1), "longer than 32768 bytes"},
	} {
		_, err := c.Call(t.Context(), tooltest.Call(c, program(t, test.source)))
		if !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, test.want) {
			t.Errorf("%.60s\ngot  %v\nwant %s", test.source, err, test.want)
		}
	}
}

// TestGreed: programs that want more than there is. Each fails within its time,
// its process never takes more than its memory, and this one takes none.
func TestGreed(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	c := made(t)
	deep := func(text string) string { return strings.Repeat(text, maxSource/len(text)-10) }
	for _, test := range []struct{ name, source, want string }{
		{"string", `"a" * 1000000000`, "needs more than 256 MB"},
		{"list", "[0] * 1000000000", "needs more than 256 MB"},
		{"materialized", "list(range(1000000000))", "needs more than 256 MB"},
		{"grown", "x = []\nwhile True:\n  x.append([1, 2, 3])", "the program's values take more than 128 MB|needs more than 256 MB|within 10s"},
		{"doubled", "x = 'a'\nwhile True:\n  x = x + x", "needs more than 256 MB"},
		{"squared", "x = 3\nwhile True:\n  x = x * x", "compute: "},
		{"endless", "while True:\n  pass", "takes more than 100000000 steps|within 10s"},
		{"recursion", "def f(n):\n  return f(n + 1)\nf(0)", "call each other more than 1000 deep"},
		{"laughs", "x = ['ha']\nfor i in range(60):\n  x = [x, x]\nstr(x)", "needs more than 256 MB|within 10s"},
		{"hashing", "x = ()\nfor i in range(60):\n  x = (x, x)\n{x: 1}", "did not end within 10s"},
		{"printing", "while True:\n  print('x' * 1000)", "compute: "},
		{"parentheses", deep("("), "compute: "},
		{"operators", "x = " + deep("not ") + "1\nx", "line 1: excessive nesting"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			result, err := c.Call(t.Context(), tooltest.Call(c, program(t, test.source)))
			got := result.Output
			if err != nil {
				got = problem.From(err).Detail
			}
			if raced { // whose own memory is refused first, in words of its own
				test.want += "|compute: "
			}
			fits := func(want string) bool { return strings.Contains(got, want) }
			if !slices.ContainsFunc(strings.Split(test.want, "|"), fits) { // a busy machine may be out of time first
				t.Errorf("got  %.300s\nwant %s", got, test.want)
			}
		})
	}
	t.Cleanup(func() {
		var children syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children); err != nil {
			t.Fatal(err)
		}
		t.Logf("the largest process took %d MB", children.Maxrss>>10)
		if most := int64(hardMemory>>20 + 96); children.Maxrss>>10 > most && !raced {
			t.Errorf("a process took %d MB, more than %d", children.Maxrss>>10, most)
		}
	})
}

// TestBounds: a long result is cut, and says so.
func TestBounds(t *testing.T) {
	c := made(t)
	result, err := c.Call(t.Context(), tooltest.Call(c, program(t, "for i in range(100000):\n  print('ü' * 50)\n'ä' * 100000")))
	if err != nil || len(result.Output) > 64<<10 || strings.Count(result.Output, "[truncated") != 2 || !json.Valid([]byte(result.Output)) {
		t.Errorf("%d bytes, %v: …%s", len(result.Output), err, result.Output[max(0, len(result.Output)-100):])
	}
}

// TestPlaces: more calls than there are places wait for one, and leave the queue
// when they are cancelled.
func TestPlaces(t *testing.T) {
	c := made(t)
	ctx, cancel := context.WithCancel(t.Context())
	var busy sync.WaitGroup
	for range atOnce {
		busy.Go(func() { _, _ = c.Call(ctx, tooltest.Call(c, `{"expression":"max(range(1000000000000))"}`)) })
	}
	for len(c.places) < atOnce {
		time.Sleep(time.Millisecond)
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := c.Call(short, tooltest.Call(c, `{"expression":"1"}`)); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("got %v while all places were taken", err)
	}
	cancel()
	busy.Wait()
	if result, err := c.Call(t.Context(), tooltest.Call(c, `{"expression":"1"}`)); err != nil || result.Output != `{"result":"1"}` {
		t.Errorf("afterwards: %s, %v", result.Output, err)
	}
}

// TestNoExecutable: a server that may start no process says so.
func TestNoExecutable(t *testing.T) {
	for _, executable := range []string{"", "/nowhere/errand"} {
		c := New(executable)
		_, err := c.Call(t.Context(), tooltest.Call(c, `{"expression":"1"}`))
		if !problem.Is(err, problem.ToolFailed) || !strings.Contains(problem.From(err).Detail, "can't start its interpreter") {
			t.Errorf("%q: got %v", executable, err)
		}
	}
}

// A program that has not begun is not told that it takes too long, however long the
// others take.
func TestAPlaceIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New("")
		for range atOnce {
			c.places <- struct{}{}
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := c.Call(ctx, run.ToolCall{Arguments: json.RawMessage(`{"expression":"1"}`)})
			done <- err
		}()
		time.Sleep(2 * patience)
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("it did not wait: %v", err)
		default:
			cancel()
			if err := <-done; !problem.Is(err, problem.ToolFailed) || !strings.Contains(err.Error(), "cancelled") {
				t.Errorf("cancelled, it says %v", err)
			}
		}
		cancel()
	})
}
