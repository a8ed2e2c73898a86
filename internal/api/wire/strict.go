package wire

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"

	"errand/internal/problem"
)

// strictConn is a connection whose requests are looked at before net/http reads
// them: one that could mean one thing here and another at a proxy is refused, and
// what net/http itself refuses is answered as every other error is, in the first
// family's shape, with an id. It is closed after either. Reads come from one
// goroutine at a time, and so does what net/http writes outside of a handler.
type strictConn struct {
	net.Conn
	server *Server
	closed func() // told once
	head   head
	poison []byte // what net/http still has to read instead of the rest
	fault  string // why; guarded by the order of net/http's reads and writes
}

// NetConn is the connection below.
func (c *strictConn) NetConn() net.Conn { return c.Conn }

// Close closes.
func (c *strictConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// unreadable ends a head, wherever it stands, in a way that net/http refuses. An
// error would do so too, but would also cancel an earlier request of this
// connection that is still being answered.
const unreadable = "\x00\r\n\r\n"

// Read reads what may be read.
func (c *strictConn) Read(p []byte) (int, error) {
	for c.fault == "" {
		n, err := c.Conn.Read(p)
		pass, fault := c.head.scan(p[:n])
		if fault != "" {
			c.fault, c.poison = fault, []byte(unreadable)
		}
		if pass > 0 || err != nil {
			return pass, err
		}
	}
	if len(c.poison) > 0 {
		n := copy(p, c.poison)
		c.poison = c.poison[n:]
		return n, nil
	}
	for { // whatever still comes is of no interest, only the end is
		if _, err := c.Conn.Read(p); err != nil {
			return 0, err
		}
	}
}

// ownFault is how every answer goes on, behind its status line, that net/http
// gives by itself to what it can't read, in one write. No other answer does.
const ownFault = "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Write writes, and puts answers of net/http's own into shape.
func (c *strictConn) Write(p []byte) (int, error) {
	const statusAt, longestLine = len("HTTP/1.1 "), 128
	if !bytes.HasPrefix(p, []byte("HTTP/1.1 ")) || !bytes.Contains(p[:min(len(p), longestLine+len(ownFault))], []byte(ownFault)) {
		return c.Conn.Write(p)
	}
	status, err := strconv.Atoi(string(p[statusAt : statusAt+3]))
	if err != nil {
		return c.Conn.Write(p)
	}
	_, said, _ := bytes.Cut(p, []byte(ownFault))
	if _, err := c.Conn.Write(c.server.refusal(status, c.unread(status, string(said)), 0)); err != nil {
		return 0, err
	}
	_ = c.Conn.SetReadDeadline(c.server.cfg.Now().Add(turnPatience)) // a connection that is gone has been hung up
	hangUp(c.Conn)
	return len(p), nil
}

// unread says why a request could not be read.
func (c *strictConn) unread(status int, said string) *problem.Error {
	switch {
	case status == http.StatusRequestHeaderFieldsTooLarge:
		return problem.New(problem.TooLarge, "The request's head is larger than %d bytes: send fewer or shorter headers.", maxHeaderBytes)
	case status == http.StatusNotImplemented:
		return problem.Invalid("Transfer-Encoding", "only chunked is understood: send the body so, or with a Content-Length")
	case c.fault != "":
		return problem.New(problem.InvalidRequest, "The request can't be read safely: %s. Send it as plain HTTP/1.1, with one way to tell where it ends.", c.fault)
	}
	return problem.New(problem.InvalidRequest, "The request is not valid HTTP/1.1 (%.80s): send it with an HTTP client.", said)
}

// refusal is a whole answer to a request that no handler sees.
func (s *Server) refusal(status int, e *problem.Error, retryAfter int) []byte {
	id := requestID(nil)
	family := s.cfg.Families[0]
	shape := NativeFault
	if family.Fault != nil {
		shape = family.Fault
	}
	_, body := shape(Fault{Error: e, RequestID: id, DocURL: s.cfg.DocURL + string(e.Code)})
	text, err := encode(body)
	if err != nil { // an error's body always has a JSON form
		s.cfg.Logger.Error("an error could not be encoded", slog.String("request_id", id), slog.String("error", err.Error()))
	}
	s.cfg.Metrics.Request("none", "other", status, 0)
	s.cfg.Logger.Info("refused", slog.String("request_id", id), slog.Int("status", status), slog.String("error", e.Detail))
	var out bytes.Buffer
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %s\r\nX-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n",
		status, http.StatusText(status), len(text), id)
	if retryAfter > 0 {
		fmt.Fprintf(&out, "Retry-After: %d\r\n", retryAfter)
	} else {
		out.WriteString("X-Should-Retry: false\r\n")
	}
	out.WriteString("\r\n")
	out.Write(text)
	return out.Bytes()
}
