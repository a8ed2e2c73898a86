//go:build !linux

package compute

import "time"

// confine has nothing that this system would hold a process to. What remains are
// the limits of steps, depth and heap, the library's own of a gigabyte for one
// operation, and the time after which the process is killed.
func confine(uint64, time.Duration) error { return nil }
