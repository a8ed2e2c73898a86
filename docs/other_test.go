//go:build !unix

package docs

import "testing"

func stopPostgres() {}

func postgresTroubles(*testing.T, func([]string, ...string) string, func(*testing.T, string)) {}
