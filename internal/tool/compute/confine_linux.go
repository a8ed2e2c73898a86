package compute

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// confine takes from this process what a program needs not: more memory than it
// is given, more time than it would be waited for, files to open or to grow.
func confine(memory uint64, work time.Duration) error {
	taken, err := space()
	if err != nil {
		return err
	}
	seconds := uint64(work / time.Second)
	for _, limit := range []struct {
		which int
		most  uint64
	}{
		{syscall.RLIMIT_AS, taken + memory},
		{syscall.RLIMIT_CPU, seconds},
		{syscall.RLIMIT_NOFILE, 0},
		{syscall.RLIMIT_FSIZE, 0},
		{syscall.RLIMIT_CORE, 0},
	} {
		if err := syscall.Setrlimit(limit.which, &syscall.Rlimit{Cur: limit.most, Max: limit.most}); err != nil {
			return fmt.Errorf("setting resource limit %d: %w", limit.which, err)
		}
	}
	return nil
}

// space is what counts against RLIMIT_AS so far: all addresses that have a meaning,
// of which Go's runtime reserves far more than it uses. RLIMIT_DATA would count
// memory alone, but does not see what the runtime maps over its reservations.
func space() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("\nVmSize:"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	kilobytes, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading VmSize: %w", err)
	}
	return kilobytes << 10, nil
}
