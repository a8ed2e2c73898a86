//go:build race

package indextest

// Raced says that the race detector slows tests down: SQLite, which is Go here, runs
// some eighty times slower under it.
const Raced = true
