// Package keys tests from outside who may do what, and what is written down of it:
// every route that changes something leaves a line, lines that were tampered with are
// found, keys end at once.
//
// It promises that each test has a server of its own.
//
// To have another route in the table of acts, edit audit_test.go.
package keys

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
