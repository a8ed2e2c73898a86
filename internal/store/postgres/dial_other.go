//go:build !linux

package postgres

import (
	"net"
	"time"
)

// deaf leaves it to the kernel's own patience where there is no setting for it.
func deaf(*net.TCPConn, time.Duration) error { return nil }
