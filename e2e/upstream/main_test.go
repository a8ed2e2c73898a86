// Package upstream puts the real program in front of model providers that
// misbehave.
//
// It promises that each way of misbehaving has an endpoint of its own, so that
// what one does holds up no other, that every request is counted before it is
// answered, and that a run which ends does so for the stated reason and has made
// no call that the provider had not written to its end.
//
// What the client makes of an answer, byte by byte, and its time limits are in
// internal/model/openai; the pace of calls in internal/model/router.
//
// To add a way of misbehaving, add a line to TestEnds.
package upstream

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
