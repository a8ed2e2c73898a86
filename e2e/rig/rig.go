// Package rig is what the end-to-end tests stand on: the real program as a process
// of its own, and around it what a program meets outside: a model's endpoint, the
// tools' owner, a mail server, clients.
//
// It promises that everything stays on 127.0.0.1, that a process is ended by its
// own id and only if the rig has started it, that each ledger is complete (a call
// is in it before it is answered), and that every answer which a Client gets is
// held against api/openapi.yaml. A server that reports a data race or a panic
// fails its test.
//
// To change how the program is built, edit binary.go; what it is started with,
// world.go; what the model answers, model.go.
package rig

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests with the program built, and removes it afterwards.
// What a test has started must have ended with it.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	remove, err := build()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rig:", err)
		return 1
	}
	defer remove()
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "rig: a test has left something running:", err)
		return 1
	}
	return code
}
