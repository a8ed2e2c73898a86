//go:build race

package rig

// raced says that the tests run with the race detector, so the program does too.
const raced = true
