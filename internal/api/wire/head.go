package wire

import (
	"bytes"
	"math"
	"strconv"
)

// head reads the heads of a connection's requests as they arrive and finds what
// two servers in a row could read differently: net/http takes a line that ends
// without a carriage return, a folded header, and a length beside chunks, which a
// proxy before it may take for something else. The end of one request would then
// be the begin of another that nobody has checked.
//
// It looks at heads only. A body of known length is passed over; behind chunks
// nothing is looked at, because such a request is the last of its connection.
type head struct {
	begun   bool   // the request line has been read
	partial []byte // a line whose end has not arrived
	lengths int    // Content-Length headers so far
	length  int64
	coded   bool  // it has a Transfer-Encoding
	left    int64 // bytes of the body that have not arrived
}

// scan looks at the next bytes. It returns how many of them may go on, which is
// all of them unless it also returns what is wrong.
func (h *head) scan(p []byte) (pass int, fault string) {
	for at := 0; at < len(p); {
		if h.left > 0 {
			skipped := min(h.left, int64(len(p)-at))
			h.left -= skipped
			at += int(skipped)
			continue
		}
		end := bytes.IndexByte(p[at:], '\n')
		if end < 0 {
			h.partial = append(h.partial, p[at:]...) // net/http bounds a head, and so this
			return len(p), ""
		}
		line := p[at : at+end+1]
		if len(h.partial) > 0 {
			line = append(h.partial, line...)
			h.partial = nil
		}
		if len(line) < 2 || line[len(line)-2] != '\r' {
			return at + end, "a line of its head ends without a carriage return"
		}
		if fault := h.line(line[:len(line)-2]); fault != "" {
			return at, fault
		}
		at += end + 1
	}
	return len(p), ""
}

// line takes a line of a head without its end.
func (h *head) line(line []byte) string {
	switch {
	case !h.begun:
		h.begun = true // net/http reads the request line well enough
	case len(line) == 0:
		return h.end()
	case line[0] == ' ' || line[0] == '\t':
		return "a header is folded over two lines"
	default:
		name, value, _ := bytes.Cut(line, []byte(":"))
		h.header(name, bytes.Trim(value, " \t"))
	}
	return ""
}

func (h *head) header(name, value []byte) {
	switch {
	case len(name) == len("Content-Length") && bytes.EqualFold(name, []byte("Content-Length")):
		h.lengths++
		// What is no number is refused by net/http.
		if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && n >= 0 {
			h.length = n
		}
	case len(name) == len("Transfer-Encoding") && bytes.EqualFold(name, []byte("Transfer-Encoding")):
		h.coded = true
	}
}

// end is the end of a head.
func (h *head) end() string {
	switch {
	case h.coded && h.lengths > 0:
		return "it has both Content-Length and Transfer-Encoding"
	case h.lengths > 1:
		return "it has more than one Content-Length"
	case h.coded:
		*h = head{left: math.MaxInt64}
	default:
		*h = head{left: h.length}
	}
	return ""
}
