package rig

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// binaryVariable names a program that has been built already.
const binaryVariable = "ERRAND_BINARY"

// build makes the program once per test process, with the race detector if the
// tests have it, unless the environment names one. Its path is in the environment
// from then on.
func build() (remove func(), err error) {
	if path := os.Getenv(binaryVariable); path != "" {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%s: %w", binaryVariable, err)
		}
		return func() {}, nil
	}
	dir, err := os.MkdirTemp("", "errand-e2e-")
	if err != nil {
		return nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	path := filepath.Join(dir, "errand")
	args := []string{"build", "-buildvcs=false", "-o", path}
	if raced {
		args = append(args, "-race")
	}
	command := exec.Command("go", append(args, "errand")...)
	if said, err := command.CombinedOutput(); err != nil {
		remove()
		return nil, fmt.Errorf("building the program: %w\n%s", err, said)
	}
	return remove, os.Setenv(binaryVariable, path)
}

// Binary is the path of the program.
func Binary() string { return os.Getenv(binaryVariable) }
