package wire

import (
	"bytes"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/problem"
)

const (
	// turnPatience is how long a connection that has to be turned away may take
	// for its request: an answer that comes before the question is lost.
	turnPatience = 250 * time.Millisecond
	// maxTurned bounds how many are turned away at a time, because each still
	// costs what the server has run out of.
	maxTurned = 8
)

// Door says how a listener lets connections in.
type Door struct {
	Most   int  // connections at a time; 0 = any number
	Secure bool // TLS follows: what is said before it is not understood
}

// Guard returns a listener that holds no more connections than its door allows,
// so that the process keeps file descriptors for its own work. Whoever comes on
// top is told so (503, Retry-After), or on a TLS door only closed. Without TLS its
// connections are strict; see strictConn.
func (s *Server) Guard(listener net.Listener, door Door) net.Listener {
	return &guard{Listener: listener, server: s, door: door, turned: make(chan struct{}, maxTurned), closed: make(chan struct{})}
}

type guard struct {
	net.Listener
	server *Server
	door   Door
	open   atomic.Int64
	turned chan struct{} // holds one for each that is being turned away
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a connection that there is room for.
func (g *guard) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g.open.Add(1) <= int64(g.door.Most) || g.door.Most == 0 {
			return g.admit(conn), nil
		}
		g.open.Add(-1)
		select {
		case g.turned <- struct{}{}:
			go func() {
				g.turnAway(conn)
				<-g.turned
			}()
		case <-g.closed:
			_ = conn.Close() // nobody answers any more
		}
	}
}

// Close ends the listener and waits for those who are being turned away.
func (g *guard) Close() error {
	err := g.Listener.Close()
	g.once.Do(func() {
		close(g.closed)
		for range maxTurned {
			g.turned <- struct{}{}
		}
	})
	return err
}

func (g *guard) admit(conn net.Conn) net.Conn {
	left := sync.OnceFunc(func() { g.open.Add(-1) })
	if g.door.Secure {
		return &countedConn{conn, left}
	}
	return &strictConn{Conn: conn, server: g.server, closed: left}
}

// countedConn is a connection whose end is counted.
type countedConn struct {
	net.Conn
	closed func()
}

// NetConn is the connection below.
func (c *countedConn) NetConn() net.Conn { return c.Conn }

// Close closes.
func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// turnAway hears a request and answers that there is no room. It ignores what
// fails on the way: nobody is left to tell.
func (g *guard) turnAway(conn net.Conn) {
	defer conn.Close()
	if g.door.Secure {
		return
	}
	_ = conn.SetDeadline(g.server.cfg.Now().Add(turnPatience))
	heard := make([]byte, 4<<10)
	n, err := conn.Read(heard)
	if err != nil {
		return
	}
	e := problem.New(problem.Overloaded, "This server holds all the connections that it can; try again in a moment. Its operator can raise the limit of file descriptors (ulimit -n).")
	if _, err := conn.Write(g.server.refusal(http.StatusServiceUnavailable, e, 1)); err != nil || bytes.HasSuffix(heard[:n], []byte("\r\n\r\n")) {
		return // a whole request without a body: nothing is left to be read
	}
	hangUp(conn)
}

// hangUp ends a connection whose last answer has been written. What is not read
// when it closes would cut that answer off; the connection's deadline bounds it.
func hangUp(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	rest := make([]byte, 4<<10)
	for {
		if _, err := conn.Read(rest); err != nil {
			return
		}
	}
}
