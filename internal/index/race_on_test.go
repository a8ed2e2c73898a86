//go:build race

package index

// raced says that the race detector slows this test down: SQLite, which is Go
// here, runs some eighty times slower under it.
const raced = true
