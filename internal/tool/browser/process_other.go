//go:build !linux && !windows

package browser

import "syscall"

// apart gives Chromium a process group of its own, by which all of it can be
// ended. When this server dies, Chromium reads the end of the pipe by which it is
// driven, and ends by itself.
func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // it may have ended before
