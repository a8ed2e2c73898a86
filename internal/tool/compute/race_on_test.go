//go:build race

package compute

// raced: the race detector's own memory counts with a process's.
const raced = true
