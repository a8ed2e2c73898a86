// Package upgrade holds that today's program goes on with the data of every format
// that an earlier one has written.
//
// It promises that each format has a data directory in testdata, made by the last
// program that wrote it: with runs that have ended, that wait, and that a kill -9
// has cut, with agents, keys, webhooks, files, schedules and robots as far as there
// were any. Today's program reads all of it as it was read then, byte for byte in
// the logs, and every run that has not ended goes on to its end.
//
// To make the fixture of a new format, run scripts/fixture.sh. To change what one
// has in it, edit life_test.go; what an upgrade must keep, upgrade_test.go.
package upgrade

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
