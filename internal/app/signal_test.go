package app

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"errand/client"
)

// child starts errand serve as a process of its own and returns it with its URL.
func (w *world) child() (*exec.Cmd, string) {
	w.t.Helper()
	command := exec.Command(os.Args[0], "serve", "--addr", "127.0.0.1:0")
	command.Env, command.Stderr = w.env, os.Stderr
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = command.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "API" {
			go io.Copy(io.Discard, out) //nolint:errcheck // ends with the process
			return command, fields[1]
		}
	}
	w.t.Fatal("the server did not start")
	return nil, ""
}

// wait returns the exit code.
func wait(t *testing.T, command *exec.Cmd) int {
	t.Helper()
	err := command.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return command.ProcessState.ExitCode()
}

func TestSIGTERMDrainsAndASecondOneDoesNotWait(t *testing.T) {
	tool := newSlowTool(t)
	defer close(tool.release)
	w := newWorld(t).with("ERRAND_EGRESS_ALLOW=127.0.0.0/8", "ERRAND_LOG_LEVEL=error")
	command, url := w.child()
	api := client.New(url, adminKey)
	if _, err := api.Tools.Create(t.Context(), map[string]any{"name": "boiler.read", "url": tool.URL, "effect": "safe"}); err != nil {
		t.Fatal(err)
	}
	task := client.Task{Model: "offline", Prompt: "Read the boiler", Tools: []string{"boiler.read"}, Background: true}
	if _, err := api.Runs.Create(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	<-tool.came
	signal := func() {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	signal()
	eventually(t, "the listener to close", func() bool {
		_, err := client.New(url, adminKey, client.WithRetries(0)).Models.List(t.Context())
		return err != nil
	})
	signal()
	if code := wait(t, command); code != exitCancelled || time.Since(begun) > drainTime {
		t.Errorf("exit %d after %v", code, time.Since(begun))
	}

	command, _ = w.child() // the directory is free again, and so is the run
	<-tool.came
	tool.release <- struct{}{}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := wait(t, command); code != 0 {
		t.Errorf("a drained server exits with %d", code)
	}
}
