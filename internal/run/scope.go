package run

import "strings"

// ScopeIn reports whether the granted scopes include the wanted one: by name, by
// admin, by a wildcard such as context:*, or by the other spelling of a context
// scope (context:finance is finance:read). No wish is always granted.
func ScopeIn(granted []string, wanted string) bool {
	if wanted == "" {
		return true
	}
	wanted = canonicalScope(wanted)
	for _, scope := range granted {
		scope = canonicalScope(scope)
		if scope == wanted || scope == "admin" {
			return true
		}
		if prefix, ok := strings.CutSuffix(scope, "*"); ok && strings.HasPrefix(wanted, prefix) {
			return true
		}
	}
	return false
}

// contexts are the sources whose scope has two spellings in the documents.
var contexts = []string{"calendar", "documents", "finance"}

func canonicalScope(scope string) string {
	for _, name := range contexts {
		if scope == name+":read" {
			return "context:" + name
		}
	}
	return scope
}
