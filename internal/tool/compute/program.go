package compute

import (
	"errors"
	"fmt"
	"runtime/metrics"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"errand/internal/tool"
)

// The limits of one program inside its process.
const (
	// maxSteps is a second or two of work.
	maxSteps = 100_000_000
	// stride is how many steps pass between two looks at the other limits.
	stride = 1000
	// maxDepth is as deep as Python's own limit of recursion. The steps of a stride
	// may add to it before anyone looks.
	maxDepth = 1000
	// maxHeap is what a program's values may take, in bytes. A list of a million
	// numbers takes 32 MB.
	maxHeap = 128 << 20
	// maxShown bounds the result, and what is printed, in bytes each: together they
	// fit what a model gets to read.
	maxShown = 24 << 10
)

// Answer is what came of a program.
type Answer struct {
	Result  string `json:"result,omitempty"`  // of the last line, if that is an expression; not of None
	Printed string `json:"printed,omitempty"` // by print, a line each
	Error   string `json:"error,omitempty"`   // why it has no result, for the model, with the line
}

// resultName holds the last line's value. No program can name it.
const resultName = "<result>"

// interpret runs a program from source to answer.
func interpret(source string) Answer {
	var printed strings.Builder
	cut := false
	thread := &starlark.Thread{
		Name: Name,
		Print: func(_ *starlark.Thread, line string) {
			if room := maxShown - printed.Len(); len(line) < room {
				printed.WriteString(line + "\n")
			} else if !cut {
				cut = true
				printed.WriteString(tool.Cut(line, max(room, 0)) + "\n[truncated: no more than this is shown]\n")
			}
		},
		OnMaxSteps: look,
	}
	thread.SetMaxExecutionSteps(stride)
	value, err := execute(thread, source)
	answer := Answer{Printed: printed.String()}
	switch {
	case err != nil:
		answer.Error = tool.Cut(explain(err, source), maxShown)
	case value == nil || value == starlark.None:
	default:
		answer.Result = shown(value)
	}
	if answer == (Answer{}) {
		answer.Error = "the program ended without a result: make its last line an expression, or print what you want to know"
	}
	return answer
}

func shown(value starlark.Value) string {
	text, isText := starlark.AsString(value)
	if !isText {
		text = value.String()
	}
	if len(text) > maxShown {
		return tool.Cut(text, maxShown) + "\n[truncated: no more than this is shown]"
	}
	return text
}

// dialect is Starlark with all that Python has and a limit of steps makes safe.
func dialect() *syntax.FileOptions {
	return &syntax.FileOptions{Set: true, While: true, TopLevelControl: true, GlobalReassign: true, Recursion: true}
}

// execute runs a program and returns the value of its last line, if that is an
// expression.
func execute(thread *starlark.Thread, source string) (starlark.Value, error) {
	file, err := dialect().Parse("program", source, 0)
	if err != nil {
		return nil, err
	}
	if n := len(file.Stmts); n > 0 {
		if last, ok := file.Stmts[n-1].(*syntax.ExprStmt); ok {
			start, _ := last.Span()
			file.Stmts[n-1] = &syntax.AssignStmt{OpPos: start, Op: syntax.EQ, LHS: &syntax.Ident{NamePos: start, Name: resultName}, RHS: last.X}
		}
	}
	known := builtins()
	program, err := starlark.FileProgram(file, known.Has)
	if err != nil {
		return nil, err
	}
	globals, err := program.Init(thread, known)
	return globals[resultName], err
}

// look holds a program to its limits, every stride of its steps.
func look(thread *starlark.Thread) {
	steps := thread.ExecutionSteps()
	switch {
	case steps >= maxSteps:
		thread.Cancel(fmt.Sprintf("the program takes more than %d steps: look for a shorter way", maxSteps))
	case thread.CallStackDepth() > maxDepth:
		thread.Cancel(fmt.Sprintf("functions call each other more than %d deep: use a loop", maxDepth))
	case heap() > maxHeap:
		thread.Cancel(fmt.Sprintf("the program's values take more than %d MB", maxHeap>>20))
	}
	thread.SetMaxExecutionSteps(steps + stride)
}

// heap is what values take, with those that are no longer used and not yet
// collected; near the limit they are collected at once (debug.SetMemoryLimit).
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// explain says what is wrong with a program, and where.
func explain(err error, source string) string {
	var syntactic syntax.Error
	var unresolved resolve.ErrorList
	var failed *starlark.EvalError
	switch {
	case errors.As(err, &syntactic):
		return at(syntactic.Pos, syntactic.Msg) + hint(syntactic.Pos, source)
	case errors.As(err, &unresolved):
		return at(unresolved[0].Pos, unresolved[0].Msg)
	case errors.As(err, &failed):
		message := strings.TrimPrefix(failed.Msg, "Starlark computation cancelled: ")
		for i := range failed.CallStack {
			if pos := failed.CallStack.At(i).Pos; pos.Line > 0 { // a builtin has no line
				return at(pos, message)
			}
		}
		return message
	}
	return err.Error()
}

func at(pos syntax.Position, message string) string {
	return fmt.Sprintf("line %d: %s", pos.Line, message)
}

// hint names the way to write what models write because Python has it.
func hint(pos syntax.Position, source string) string {
	lines := strings.Split(source, "\n")
	if int(pos.Line) < 1 || int(pos.Line) > len(lines) {
		return ""
	}
	line := strings.TrimSpace(lines[pos.Line-1])
	switch {
	case strings.Contains(line, "**"):
		return ". There is no **: write pow(base, exponent)"
	case strings.Contains(line, `f"`) || strings.Contains(line, "f'"):
		return `. There are no f-strings: write "%s" % value, or str(value)`
	case strings.HasPrefix(line, "import ") || strings.HasPrefix(line, "from "):
		return ". There is no import: math and json are there without it"
	case strings.HasPrefix(line, "class ") || strings.HasPrefix(line, "try") || strings.HasPrefix(line, "with "):
		return ". Starlark has no class, try and with"
	}
	return ""
}
