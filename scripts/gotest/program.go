package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programVariable names the program to e2e/rig, whose packages each make their own
// where it names none.
const programVariable = "ERRAND_BINARY"

// program makes the program once for all packages that start it, as e2e/rig would:
// linking it takes as long as many a test.
func program(race bool) (remove func(), err error) {
	if os.Getenv(programVariable) != "" {
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "errand-program-")
	if err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "errand")
	args := []string{"build", "-buildvcs=false", "-o", path}
	if race {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, ".")...)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		remove()
		return nil, fmt.Errorf("building the program: %w", err)
	}
	return remove, os.Setenv(programVariable, path)
}
