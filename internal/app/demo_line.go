package app

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// What a mail line does with a connection.
const (
	pass       int32 = iota // carry everything
	holdAll                 // carry nothing: the call has begun and no byte has left
	holdAnswer              // carry the e-mail there, and not the word that it was taken
)

// mailLine stands between a server and its mail server and can be held, so that
// the demo can kill the server at exact moments.
type mailLine struct {
	listener net.Listener
	to       string
	mode     atomic.Int32
	held     atomic.Bool // a connection is being held in the present mode
	open     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
}

func newMailLine(to string) (*mailLine, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &mailLine{listener: listener, to: to}
	l.open.Go(l.accept)
	return l, nil
}

func (l *mailLine) addr() string { return l.listener.Addr().String() }

// holding reports whether a connection stands where the mode holds it.
func (l *mailLine) holding() bool { return l.held.Load() }

// set changes what happens to connections from now on.
func (l *mailLine) set(mode int32) {
	l.mode.Store(mode)
	l.held.Store(false)
}

// close ends the line and everything on it.
func (l *mailLine) close() {
	_ = l.listener.Close() // nothing is left to lose
	l.mu.Lock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.open.Wait()
}

func (l *mailLine) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.keep(conn)
		mode := l.mode.Load()
		if mode == holdAll {
			l.held.Store(true)
			continue
		}
		l.open.Go(func() { l.carry(conn, mode == holdAnswer) })
	}
}

func (l *mailLine) keep(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conn)
}

// carry connects both sides until one of them ends.
func (l *mailLine) carry(from net.Conn, hold bool) {
	defer from.Close()
	to, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer to.Close()
	l.keep(to)
	l.open.Go(func() {
		_, _ = io.Copy(to, from) // ends when the sender does
		_ = to.Close()
	})
	l.answers(from, to, hold)
}

// answers carries the mail server's answers back. To hold means to stop after its
// 354, with which it asks for the e-mail's text: what it says next, that it has
// taken it, never arrives.
func (l *mailLine) answers(from, to net.Conn, hold bool) {
	piece := make([]byte, 4<<10)
	asked := false
	for {
		n, err := to.Read(piece)
		if n > 0 && hold && asked {
			l.held.Store(true)
			_, err = io.Copy(io.Discard, to)
		} else if n > 0 {
			if _, failed := from.Write(piece[:n]); failed != nil {
				err = errors.Join(err, failed)
			}
			asked = asked || strings.HasPrefix(string(piece[:n]), "354")
		}
		if err != nil || n == 0 {
			return
		}
	}
}
