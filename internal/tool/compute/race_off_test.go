//go:build !race

package compute

const raced = false
