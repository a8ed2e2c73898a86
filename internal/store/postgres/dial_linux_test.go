package postgres

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// A connection whose other end has vanished, without a word, breaks: for who has sent
// something, and for who only listens.
func TestVanishedServer(t *testing.T) {
	for name, say := range map[string]string{"somebody who asks": "SELECT 1", "somebody who listens": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			near, err := watched(new(net.Dialer).DialContext, 2*time.Second, time.Second)(t.Context(), "tcp", listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer near.Close()
			far, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			vanish(t, far.(*net.TCPConn))
			if _, err := near.Write([]byte(say)); err != nil {
				t.Fatal(err)
			}
			if err := near.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			if _, err = near.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
				t.Errorf("the connection ends with %v, want that of the kernel's patience", err)
			}
		})
	}
}

// vanish has the kernel drop all that comes to a connection, before it acknowledges it.
func vanish(t *testing.T, conn *net.TCPConn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	nothing := syscall.SockFilter{Code: syscall.BPF_RET | syscall.BPF_K} // of each packet, keep no byte
	program := syscall.SockFprog{Len: 1, Filter: &nothing}
	var failed syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, failed = syscall.Syscall6(syscall.SYS_SETSOCKOPT, fd, syscall.SOL_SOCKET, syscall.SO_ATTACH_FILTER,
			uintptr(unsafe.Pointer(&program)), unsafe.Sizeof(program), 0)
	})
	if err != nil || failed != 0 {
		t.Fatal(err, failed)
	}
}
