package compute

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

// Command is the one argument with which this executable is the interpreter and
// nothing else: it reads a program from its input, runs it, and writes the Answer
// as JSON.
const Command = "compute-worker"

// The limits of the process. A program that goes beyond them kills it.
const (
	// hardMemory is what the process may take beside what it has when it begins. The
	// runtime takes it 64 MB at a time.
	hardMemory = 2 * maxHeap
	// hardStack is room for a thousand calls, and for a program that nests deeply
	// in its text.
	hardStack = 64 << 20
)

// maxWords is how much of what a dying process says is read: its first lines say
// why.
const maxWords = 4 << 10

// ask has a program run in a process of its own, which is gone when it returns.
// Nothing of this server's environment is there.
func (c *Compute) ask(ctx context.Context, program string) (Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var words bytes.Buffer
	process := exec.CommandContext(ctx, c.executable, Command)
	process.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	process.Dir, process.Stdin = "/", strings.NewReader(program)
	process.Stderr = &few{to: &words, room: maxWords}
	process.WaitDelay = 100 * time.Millisecond // a killed process can't hold its pipes; this is for what nobody foresees
	out, err := process.StdoutPipe()
	if err != nil {
		return Answer{}, unable(err)
	}
	if err := process.Start(); err != nil {
		return Answer{}, unable(err)
	}
	var answer Answer
	decoded := json.NewDecoder(io.LimitReader(out, 16*maxShown)).Decode(&answer) // escapes in JSON take up to six bytes
	if decoded == nil {
		cancel() // it has said everything: how it ends is of no interest
	}
	ended := process.Wait()
	if decoded == nil {
		return answer, nil
	}
	return Answer{}, died(fmt.Errorf("the interpreter ended (%v): %s", ended, words.String()))
}

// few keeps the beginning of what is written to it.
type few struct {
	to   *bytes.Buffer
	room int
}

// Write takes all and keeps what there is room for.
func (f *few) Write(p []byte) (int, error) {
	kept := min(len(p), f.room)
	f.room -= kept
	f.to.Write(p[:kept])
	return len(p), nil
}

// Serve is the interpreter's process: one program, one answer.
func Serve(in io.Reader, out io.Writer) error {
	source, err := io.ReadAll(io.LimitReader(in, maxSource+1))
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	debug.SetMaxStack(hardStack)
	debug.SetMemoryLimit(maxHeap * 3 / 4) // what is not used any more goes before it counts
	if err := confine(hardMemory, patience); err != nil {
		return fmt.Errorf("limiting the process: %w", err)
	}
	if err := json.NewEncoder(out).Encode(interpret(string(source))); err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	return nil
}

// unable says that there is no process. It is for the operator to mend.
func unable(err error) error {
	return failed("this server can't start its interpreter; calculate without it, and say so").Because(err)
}

// died says why there is no answer, from what the process said in the end.
func died(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "CPU time limit"), strings.Contains(text, "signal: killed"):
		return failed("the program did not end within %s: look for a shorter way", patience).Because(err)
	case strings.Contains(text, "stack exceeds"), strings.Contains(text, "stack overflow"):
		return failed("the program nests too deeply: write it flatter, or use a loop").Because(err)
	case strings.Contains(text, "out of memory"), strings.Contains(text, "cannot allocate memory"):
		return failed("the program needs more than %d MB of memory: compute with less at a time", hardMemory>>20).Because(err)
	}
	return failed("the interpreter ended without an answer; another program may work").Because(err)
}
