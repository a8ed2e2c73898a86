package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times in /proc: USER_HZ, which Linux shows as 100 a
// second on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime is the processor time that a process has used, its own and the
// system's on its behalf.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(text)
}

// parseStat finds the fields utime and stime. The process's name before them may
// have spaces and brackets, so fields are counted from the last bracket.
func parseStat(text []byte) (time.Duration, error) {
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const user, system = 11, 12 // fields 14 and 15 of proc(5), counted from the third
	if len(fields) <= system {
		return 0, fmt.Errorf("/proc: %d fields of a process's state", len(fields))
	}
	var sum time.Duration
	for _, field := range fields[user : system+1] {
		ticks, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc: %w", err)
		}
		sum += time.Duration(ticks) * tick
	}
	return sum, nil
}

// memory is what a process has of the machine's, in bytes.
type memory struct {
	resident float64 // VmRSS
	peak     float64 // VmHWM
	private  float64 // pages that nobody shares
	anon     float64 // of the resident: not a file's
}

func memoryOf(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	own := parseSizes(status)
	all := parseSizes(rollup)
	return memory{
		resident: own["VmRSS"], peak: own["VmHWM"], anon: all["Anonymous"],
		private: all["Private_Clean"] + all["Private_Dirty"],
	}, nil
}

// parseSizes reads lines such as "VmRSS:   1234 kB", in bytes.
func parseSizes(text []byte) map[string]float64 {
	sizes := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) != 2 || fields[1] != "kB" {
			continue
		}
		if kilo, err := strconv.ParseFloat(fields[0], 64); err == nil {
			sizes[name] = kilo * 1024
		}
	}
	return sizes
}

// parseMetrics reads figures without labels from the Prometheus text format.
func parseMetrics(text []byte) map[string]float64 {
	figures := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.HasPrefix(line, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(fields[1], 64); err == nil {
			figures[fields[0]] = value
		}
	}
	return figures
}

// sizeOf is what the files below a directory hold, in bytes.
func sizeOf(dir string) (float64, error) {
	sum := 0.0
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += float64(info.Size())
		}
		return err
	})
	return sum, err
}
