package app

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetPages lets go of the pages of this program's own file that the start has
// read and that few use again: what makes tables and compiles patterns in every
// package. They count as memory of the process, and come back from the page cache
// when they are needed. Only pages that nobody has written are touched; what goes
// wrong leaves everything as it is.
func forgetPages() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	file, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer file.Close()
	var m mapping
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := lines.Text()
		if next, ok := readMapping(line); ok {
			m.forget(self)
			m = next
			continue
		}
		if size, ok := strings.CutPrefix(line, "Anonymous:"); ok && strings.TrimSpace(size) != "0 kB" {
			m.written = true
		}
	}
	m.forget(self)
}

// mapping is one stretch of the process's memory.
type mapping struct {
	from, to uintptr
	path     string
	written  bool // it may be, or has been
}

// readMapping reads the head line of a mapping: "400000-fff000 r-xp 0 fe:00 7 /path".
func readMapping(line string) (mapping, bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 || strings.HasSuffix(fields[0], ":") {
		return mapping{}, false
	}
	low, high, _ := strings.Cut(fields[0], "-")
	from, errFrom := strconv.ParseUint(low, 16, 64)
	to, errTo := strconv.ParseUint(high, 16, 64)
	m := mapping{from: uintptr(from), to: uintptr(to), written: strings.Contains(fields[1], "w")}
	if len(fields) > 5 {
		m.path = strings.Join(fields[5:], " ")
	}
	return m, errFrom == nil && errTo == nil
}

func (m mapping) forget(self string) {
	if m.path == self && !m.written && m.to > m.from {
		// A system that refuses keeps the pages, as it would have anyway.
		_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, m.from, m.to-m.from, syscall.MADV_DONTNEED)
	}
}
