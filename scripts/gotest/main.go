// Command gotest runs go test, with the race detector and in random order, in
// each of the named modules and says what came of it: a line for every package,
// the whole output of every test that failed, and at the end the sum of all of
// them on a line of its own, "N passed, N failed".
//
//	go run ./scripts/gotest . internal/model/openai/oracle
//
// It exits with 1 when a test or a package failed, or when no test ran at all. A
// test that skips itself because a tool "is not installed" is a failure where
// CI=true: there, all tests have to run.
//
// The program that the whole-program tests start is built once for all of them.
//
// To change how go test is called, edit arguments; to change what is printed,
// edit tally.go; to change how the program is built, edit program.go.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(1)
	}
}

// run tests the modules one after the other: two cores are little, and each
// go test uses both already.
func run(modules []string) error {
	ci := os.Getenv("CI") == "true"
	race := cgo()
	if !race {
		if ci {
			return errors.New("there is no C compiler, which the race detector needs: scripts/setup.sh gcc installs one")
		}
		fmt.Println("No C compiler was found: the tests run without the race detector.")
	}
	remove, err := program(race)
	if err != nil {
		return err
	}
	defer remove()
	t := newTally(os.Stdout, ci)
	for _, dir := range modules {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := testModule(dir, race, t); err != nil {
			return err
		}
	}
	t.sum()
	return t.verdict()
}

// testModule feeds the module's go test into t. A failed test is no error here:
// t knows of it.
func testModule(dir string, race bool, t *tally) error {
	cmd := exec.Command("go", arguments(race)...)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	failed := t.failed
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting go test in %s: %w", dir, err)
	}
	readErr := t.read(out)
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case readErr != nil:
		return fmt.Errorf("reading what go test says in %s: %w", dir, readErr)
	case errors.As(err, &exit) && t.failed == failed:
		return fmt.Errorf("go test in %s failed before it ran a test (%v)", dir, err)
	case errors.As(err, &exit):
		return nil
	}
	return err
}

// arguments are go test's. Vet is off because make check has a step for it. The
// limit is for one package: twice what the longest takes, so that a test that hangs
// says so while whoever waits for all of them is still there.
func arguments(race bool) []string {
	args := []string{"test", "-json", "-vet=off", "-shuffle=on", "-timeout=15m"}
	if race {
		args = append(args, "-race")
	}
	return append(args, "./...")
}

// cgo reports whether the race detector can be linked. The go command turns cgo
// off by itself where it finds no C compiler.
func cgo() bool {
	out, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	return err == nil && strings.TrimSpace(string(out)) == "1"
}
