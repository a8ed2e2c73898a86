package wiretest

import (
	"slices"
	"strings"
	"testing"

	"errand/e2e/contract"
	"errand/internal/api/wire"
)

// Agree holds a table of routes and the contract together: the operations that the
// contract has under tags of this API are in the table, and the other way round.
func Agree(t *testing.T, routes []wire.Route, ours func(tags []string) bool) {
	t.Helper()
	terms, err := contracted()
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]contract.Operation{}
	for _, operation := range terms.Operations() {
		if ours(operation.Tags) {
			described[operation.Method+" "+operation.Path] = operation
		}
	}
	for _, route := range routes {
		name := route.Method + " " + strings.Replace(route.Path, "...}", "}", 1) // as OpenAPI has it
		operation, ok := described[name]
		if !ok {
			t.Errorf("%s is not in api/openapi.yaml", name)
			continue
		}
		delete(described, name)
		query := slices.Sorted(slices.Values(route.Query))
		if operation.Scope != route.Scope || operation.Open != route.Open || !slices.Equal(slices.Sorted(slices.Values(operation.Query)), query) {
			t.Errorf("%s: the contract says %+v, the table scope %q (open: %t), query %v", name, operation, route.Scope, route.Open, query)
		}
	}
	for name := range described {
		t.Errorf("%s is in api/openapi.yaml and not in the table", name)
	}
}
