package rig

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// node22 is what the npm packages of e2e/sdk ask for.
var node22 = regexp.MustCompile(`^v(2[2-9]|[3-9][0-9])\.`)

// SDK is the folder of the scripts that Node.js runs, and of the npm packages
// that they may import.
func SDK(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "e2e", "sdk")
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("e2e/sdk was not found: there is no go.mod above the test's folder")
	}
}

// Node runs a script of e2e/sdk ("you/express.mjs") up to its own end, in the
// world's environment. The test adds what the script has to know to the World's
// Env: usually ERRAND_URL and ERRAND_API_KEY. It skips where Node.js or the
// packages are missing.
func (w *World) Node(t testing.TB, script string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	defer cancel()
	command := w.node(ctx, t, script, args)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if command.ProcessState == nil || ctx.Err() != nil {
		t.Fatalf("node %s %v: %v\n%s", script, args, err, errs.String())
	}
	return Result{Code: command.ProcessState.ExitCode(), Out: out.String(), Err: errs.String()}
}

// NodeServer runs a script, with its arguments behind it, that serves until the
// test ends. It returns when the script has written ready, to either output. Env
// are more variables, as NAME=value.
func (w *World) NodeServer(t testing.TB, ready, script string, env ...string) *exec.Cmd {
	t.Helper()
	words := strings.Fields(script)
	command := w.node(context.Background(), t, words[0], words[1:])
	command.Env = append(command.Env, env...)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stdout, command.Stderr = in, in
	err = command.Start()
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	said, heard, ended := &text{}, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(out)
		for waiting := true; lines.Scan(); {
			_, _ = said.Write(append(lines.Bytes(), '\n'))
			if waiting && strings.Contains(lines.Text(), ready) {
				waiting = false
				close(heard)
			}
		}
		out.Close()
		_ = command.Wait() // it is killed, and that is how it ends
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGKILL) // it may have ended by itself
		<-ended
	})
	select {
	case <-heard:
	case <-ended:
		t.Fatalf("node %s ended before it was ready:\n%s", script, said)
	case <-time.After(startTime):
		t.Fatalf("node %s was not ready in time:\n%s", script, said)
	}
	return command
}

// NodePath is the Node.js that runs the scripts.
func NodePath(t testing.TB) string {
	t.Helper()
	sdk := SDK(t)
	for _, name := range []string{filepath.Join(sdk, "..", "..", ".tools", "bin", "node"), "node"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if version, err := exec.Command(path, "--version").Output(); err == nil && node22.Match(version) {
			if _, err := os.Stat(filepath.Join(sdk, "node_modules", ".installed-lock.json")); err == nil {
				return path
			}
		}
	}
	t.Skip("Node.js 22 with the packages of e2e/sdk is not installed: scripts/setup.sh node sdk")
	return ""
}

func (w *World) node(ctx context.Context, t testing.TB, script string, args []string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(ctx, NodePath(t), append([]string{filepath.Join(SDK(t), script)}, args...)...)
	command.Dir, command.Env = w.Dir, append(w.environment(), "NO_COLOR=1")
	return command
}
