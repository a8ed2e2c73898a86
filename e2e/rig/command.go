package rig

import (
	"bytes"
	"context"
	"os/exec"
	"testing"
)

// Result is what a command came to.
type Result struct {
	Code     int
	Out, Err string
}

// commandTime bounds a command: a program starts, and does much.
const commandTime = 2 * Patience

// Command runs the program in the world's environment, without a terminal, up to
// its own end.
func (w *World) Command(t testing.TB, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	command := exec.CommandContext(ctx, Binary(), args...)
	command.Dir, command.Env = w.Dir, w.environment()
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if command.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	return Result{Code: command.ProcessState.ExitCode(), Out: out.String(), Err: errs.String()}
}
