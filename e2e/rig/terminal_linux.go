package rig

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// Terminal is a command that a person sits in front of: its input and output are
// a pseudo-terminal.
type Terminal struct {
	t       testing.TB
	command *exec.Cmd
	master  *os.File
	said    *text
	read    chan struct{}
}

// Sit runs the program on a terminal.
func (w *World) Sit(t testing.TB, args ...string) *Terminal {
	t.Helper()
	master, slave, err := terminal()
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	ctx, cancel := context.WithTimeout(context.Background(), commandTime)
	t.Cleanup(cancel)
	s := &Terminal{t: t, master: master, said: &text{}, read: make(chan struct{})}
	s.command = exec.CommandContext(ctx, Binary(), args...)
	s.command.Dir, s.command.Env = w.Dir, append(w.environment(), "TERM=xterm")
	s.command.Stdin, s.command.Stdout, s.command.Stderr = slave, slave, slave
	s.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.read)
		piece := make([]byte, 4<<10)
		for {
			n, err := master.Read(piece) // fails when the program has let go of its side
			_, _ = s.said.Write(bytes.ReplaceAll(piece[:n], []byte("\r\n"), []byte("\n")))
			if err != nil {
				return
			}
		}
	}()
	return s
}

// terminal opens a pseudo-terminal.
func terminal() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	var number, unlocked uint32
	for request, value := range map[uintptr]*uint32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlocked} {
		if _, _, code := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), request, uintptr(unsafe.Pointer(value))); code != 0 {
			return nil, nil, fmt.Errorf("opening a terminal: %w", code)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	return master, slave, err
}

// Reads waits until the program has said this, as often as it says.
func (s *Terminal) Reads(words string, times int) {
	s.t.Helper()
	deadline := time.Now().Add(Patience)
	for strings.Count(s.said.String(), words) < times {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %q in\n%s", words, s.said)
		}
		Pause(10 * time.Millisecond)
	}
}

// Types types a line, or what is given as it is: \x03 is Ctrl-C.
func (s *Terminal) Types(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// Ends waits for the program's end and returns its exit code and all that it said.
func (s *Terminal) Ends() (int, string) {
	s.t.Helper()
	_ = s.command.Wait() // its state says how it ended
	<-s.read
	s.master.Close()
	return s.command.ProcessState.ExitCode(), s.said.String()
}
