// Errand runs AI agents durably. Everything is in internal/app; this file only
// hands the process over to it. To change the command line, edit
// internal/app/grammar.go.
package main

import (
	"os"

	"errand/internal/app"
)

func main() {
	stdio := app.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(app.Main(app.Interruptible(), os.Args[1:], os.Environ(), stdio))
}
