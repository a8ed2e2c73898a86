// Package ui drives Mission Control as a person does: the real program, a real
// Chromium, every page in both themes and at the width of a desk and of a phone.
//
// It promises that a page under test has said nothing in the console, has asked nobody
// but its own server, has broken no policy, and gives axe nothing to find.
//
// To change what there is to look at, edit seed_test.go; what every visit holds,
// e2e/sdk/ui/visit.mjs; what is done on a page, e2e/sdk/ui/<page>.mjs.
package ui

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
