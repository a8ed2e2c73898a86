// Package tenant tests from outside what each route of the contract answers to each
// kind of caller: its owner, another project, nobody, strangers, keys that have ended,
// keys with too few scopes, keys for other agents, and browsers that are signed in.
//
// It promises that the table is complete: a route of api/openapi.yaml that is not in
// it fails the test, and each path that has an id is asked with the id of a real thing.
//
// To add a route, edit calls_test.go; a thing that has an id, edit things_test.go.
package tenant

import (
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }
