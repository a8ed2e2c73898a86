package config

import (
	"net"
	"net/netip"
	"strings"
)

// Loopback reports whether the server can be reached from this machine only.
func (c *Config) Loopback() bool { return loopback(c.Addr) }

// loopback reports whether only this machine reaches host:port.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
