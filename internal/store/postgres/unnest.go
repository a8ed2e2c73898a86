package postgres

import (
	"fmt"
	"strings"
)

// unnest is a table function over arrays of these types, which are the statement's
// parameters from the first on. A statement over arrays writes a group in one go,
// however large it is, and is planned once.
func unnest(types ...string) string {
	columns := make([]string, len(types))
	for i, one := range types {
		columns[i] = fmt.Sprintf("$%d::%s[]", i+1, one)
	}
	return "unnest(" + strings.Join(columns, ", ") + ")"
}

// columnNames splits a list of columns.
func columnNames(list string) []string { return strings.Split(list, ", ") }
