//go:build unix

package cluster

import (
	"net"
	"sync"
	"testing"
)

// link is the way between a node and its database. It can be cut as a network is, where
// nothing arrives and nobody is told, or as a cable is by a switch that says so.
type link struct {
	listener net.Listener
	to       string
	working  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	broken bool
	stuck  chan struct{} // not nil while nothing passes
	conns  map[net.Conn]bool
}

// newLink makes a way from a free port at an address to another place.
func newLink(t testing.TB, at, to string) *link {
	t.Helper()
	l := &link{to: to, conns: map[net.Conn]bool{}}
	var err error
	if l.listener, err = net.Listen("tcp", net.JoinHostPort(at, "0")); err != nil {
		t.Fatal(err)
	}
	l.working.Go(l.accept)
	t.Cleanup(func() {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
		l.heal()
		l.listener.Close()
		l.hangUp()
		l.working.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

// silence lets nothing pass, until heal; what was sent meanwhile arrives then.
func (l *link) silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck == nil {
		l.stuck = make(chan struct{})
	}
}

// sever breaks all connections and lets none be made, until heal.
func (l *link) sever() {
	l.mu.Lock()
	l.broken = true
	l.mu.Unlock()
	l.hangUp()
}

func (l *link) heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = false
	if l.stuck != nil {
		close(l.stuck)
		l.stuck = nil
	}
}

func (l *link) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for conn := range l.conns {
		conn.Close()
	}
}

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		if err != nil || !l.keep(near, far) {
			near.Close()
			if err == nil {
				far.Close()
			}
			continue
		}
		l.working.Go(func() { l.carry(near, far) })
		l.working.Go(func() { l.carry(far, near) })
	}
}

// keep notes the two ends of a connection, if there may be one.
func (l *link) keep(ends ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken || l.closed {
		return false
	}
	for _, end := range ends {
		l.conns[end] = true
	}
	return true
}

// carry takes what one end says to the other.
func (l *link) carry(from, to net.Conn) {
	defer func() {
		from.Close()
		to.Close()
		l.mu.Lock()
		delete(l.conns, from)
		l.mu.Unlock()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		stuck := l.stuck
		l.mu.Unlock()
		if stuck != nil {
			<-stuck
		}
		if n > 0 {
			if _, wrong := to.Write(buffer[:n]); wrong != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
