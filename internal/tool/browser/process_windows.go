package browser

import "syscall"

// apart is nothing here. When this server dies, Chromium reads the end of the
// pipe by which it is driven, and ends by itself.
func apart() *syscall.SysProcAttr { return nil }

// endGroup is nothing here: the allocator ends the process that it started, and
// Chromium's others follow it.
func endGroup(int) {}
