//go:build !linux

package app

// forgetPages does nothing where it is not known how.
func forgetPages() {}
