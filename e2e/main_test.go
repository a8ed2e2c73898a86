// Package e2e tests the whole program from outside: the real binary, over HTTP,
// SMTP and its command line, killed and restarted.
//
// It promises that each test has a server, a model's endpoint, tools and a mail
// server of its own, all on 127.0.0.1, and that every answer of every test fits
// api/openapi.yaml. The long test under load is in e2e/fault.
//
// To change what the tests stand on, edit e2e/rig.
package e2e

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
