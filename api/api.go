// Package api holds the contract of every HTTP route: openapi.yaml, embedded as
// it stands, so that a server can show the very contract that it keeps.
//
// It promises that the file is valid OpenAPI 3.1, that it lists exactly the
// routes that the server answers, and that answers fit it: tests hold it to this.
//
// To change the contract, edit openapi.yaml, and the dialect's route table with it.
package api

import _ "embed"

// YAML is openapi.yaml.
//
//go:embed openapi.yaml
var YAML []byte
