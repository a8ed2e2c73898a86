// Package canary tests from outside that no secret comes out: each one that the server
// is given, or makes, has a value that is found again wherever it turns up.
//
// It promises that each canary is proven to have gone where it belongs, so that its
// silence elsewhere means something, and that all that the server says is searched.
//
// To add a secret, edit cage_test.go; something that the server says, canary_test.go.
package canary

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
