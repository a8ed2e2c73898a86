//go:build !race

package indextest

// Raced says that the race detector slows tests down.
const Raced = false
