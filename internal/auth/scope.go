package auth

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"errand/internal/problem"
	"errand/internal/run"
)

// Scopes lists every scope that a key can be granted, in the order of the docs.
// Beside context:* stand context:<name>, and <name>:read as the other spelling
// of the documented ones.
func Scopes() []string {
	return []string{
		"runs:read", "runs:write", "runs:approve",
		"agents:read", "agents:write", "agents:execute",
		"tools:read", "tools:write", "index:read", "index:write",
		"webhooks:manage", "files:read", "files:write", "keys:write", "audit:read", "metrics:read",
		"context:*", "admin",
	}
}

// DefaultScopes is what a key gets whose maker names no scopes: all that work
// needs, and nothing with which it could make or end keys, or see what others did.
func DefaultScopes() []string {
	return slices.DeleteFunc(Scopes(), func(scope string) bool {
		return scope == "admin" || scope == "keys:write" || scope == "audit:read" || scope == "metrics:read"
	})
}

var contextScope = regexp.MustCompile(`^context:[a-z0-9][a-z0-9_.-]{0,63}$`)

// checkScopes adds a fault for each scope that is none. known are the further
// scopes that the project's tools ask for.
func checkScopes(scopes, known []string, faults map[string]string) {
	if scopes != nil && len(scopes) == 0 {
		faults["scopes"] = "name at least one scope, or leave the field out for the usual ones"
	}
	all := append(Scopes(), known...)
	for i, scope := range scopes {
		if slices.Contains(all, scope) || contextScope.MatchString(scope) || scope != "" && isContext(scope) {
			continue
		}
		hint := "the scopes are " + strings.Join(all, ", ")
		if near := problem.Nearest(scope, all); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		faults[fmt.Sprintf("scopes[%d]", i)] = fmt.Sprintf("there is no scope %q: %s", scope, hint)
	}
}

// isContext reports whether the scope is the second spelling of a context scope:
// those are just the scopes other than its own that context:* grants.
func isContext(scope string) bool {
	return run.ScopeIn([]string{"context:*"}, scope)
}
