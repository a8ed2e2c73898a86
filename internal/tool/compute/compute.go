// Package compute is the tool compute: it runs a small program in Starlark, a
// dialect of Python that was made to be embedded, and gives back what the program
// says. It is safe: a program can reach nothing but its own values.
//
// What it promises: no file, no network, no clock, no randomness, no load; the
// same program gives the same result. A program ends: by itself, at its limit of
// steps, of depth, of memory or of time, or when its call is cancelled, and each
// of these is told to the model in words. Whatever a program does, it does not
// harm this server.
//
// The library bounds steps, but neither the memory nor the time of one operation:
// "a" * 10**9, or comparing lists that hold each other a thousandfold, is a single
// step. So a program runs in a process of its own, which holds nothing but the
// program and has hard limits; it is this same program, started again (Command).
// Inside it softer limits of steps, depth and heap are looked at every thousand
// steps, because their messages name the line.
//
// A tour: compute.go (the tool), program.go (one program from source to result),
// builtin.go (what Starlark lacks and models expect), worker.go and confine_*.go
// (the process, from outside and from inside).
//
// To change what a program may use, edit builtin.go; how much of it, program.go
// and worker.go.
package compute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// Name is the tool's name.
const Name = "compute"

const (
	// maxSource is how long a program may be: far longer than models write.
	maxSource = 32 << 10
	// patience is how long a program may take, with the start of its process. On an
	// idle machine the limit of steps is reached in less than half of it.
	patience = 10 * time.Second
	// atOnce bounds the processes, and so the memory of all programs together. A
	// call beyond waits for a place, which takes none of its patience.
	atOnce = 4
)

const description = "Calculates: runs a program in Starlark, a small dialect of Python, and returns the value of its last line and what it printed. " +
	"Use it for every calculation that matters, however simple. " +
	"Numbers are whole numbers of any size, and floats; / always gives a float, // a whole number. " +
	"There are def, lambda, if, for, while, comprehensions, lists, dicts, sets, strings, and the modules math and json without import. " +
	"Write pow(2, 10) instead of 2 ** 10, and str() or % formatting instead of f-strings; sum, round, min, max, sorted and abs are as in Python. " +
	"There are no import, class, try, files, network, time or random."

const parameters = `{"type":"object","properties":{"expression":{"type":"string","description":"An expression such as (12 + 3) * 7, or a program of several lines whose last line is an expression"}},"required":["expression"],"additionalProperties":false}`

// Compute is the tool. It is safe for concurrent use.
type Compute struct {
	executable string
	places     chan struct{}
}

// New returns the tool over an executable that calls Serve when its one argument
// is Command. Without one the tool says at each call that it can't compute.
func New(executable string) *Compute {
	return &Compute{executable: executable, places: make(chan struct{}, atOnce)}
}

// Describe is what a run knows of the tool.
func (c *Compute) Describe() run.Tool {
	return run.Tool{
		Name: Name, Description: description, Parameters: json.RawMessage(parameters),
		Class: run.Safe, Preview: "{{expression}}", Version: tool.Digest([]byte("compute 1" + description + parameters)),
	}
}

// Call runs the program.
func (c *Compute) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	var arguments struct {
		Expression string `json:"expression"`
	}
	if err := json.Unmarshal(call.Arguments, &arguments); err != nil {
		return run.ToolResult{}, failed("the arguments are not a JSON object with expression as a string").Because(err)
	}
	if len(arguments.Expression) > maxSource {
		return run.ToolResult{}, failed("the program is longer than %d bytes: compute it in parts", maxSource)
	}
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-ctx.Done():
		return run.ToolResult{}, stopped(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer, err := c.ask(ctx, arguments.Expression)
	switch {
	case err != nil && ctx.Err() != nil:
		return run.ToolResult{}, stopped(ctx)
	case err != nil:
		return run.ToolResult{}, err
	}
	if answer.Error != "" {
		return run.ToolResult{}, failed("%s%s", answer.Error, printedBefore(answer.Printed))
	}
	shown, err := json.Marshal(answer)
	if err != nil {
		return run.ToolResult{}, fmt.Errorf("writing a result: %w", err)
	}
	return run.ToolResult{Output: tool.Bound(string(shown), 0)}, nil
}

func failed(format string, args ...any) *problem.Error {
	return problem.New(problem.ToolFailed, "compute: %s.", fmt.Sprintf(format, args...))
}

// printedBefore tells what a program printed before it failed: it may be what was
// wanted.
func printedBefore(text string) string {
	const enough = 2 << 10
	if text == "" {
		return ""
	}
	return ". It printed before: " + tool.Cut(text, enough)
}

func stopped(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return failed("the program did not end within %s: look for a shorter way", patience).Because(ctx.Err())
	}
	return failed("the call was cancelled before the program ended").Because(ctx.Err())
}
