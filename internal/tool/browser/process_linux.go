package browser

import "syscall"

// apart gives Chromium a process group of its own, by which all of it can be
// ended, and has the kernel end it when this server dies in whatever way.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func endGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) } // it may have ended before
