package postgres

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of linux/tcp.h, which package syscall leaves out.
const tcpUserTimeout = 18

// deaf has the kernel break a connection on which something that was sent is not
// acknowledged for so long. Left alone it tries for a quarter of an hour, with pauses of
// two minutes at the end.
func deaf(conn *net.TCPConn, after time.Duration) error {
	socket, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = socket.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(after.Milliseconds()))
	})
	if err == nil {
		err = failed
	}
	return err
}
