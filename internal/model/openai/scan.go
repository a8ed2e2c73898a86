package openai

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of what a provider sends: its answers nest six
// deep, and a call's arguments are a string to it.
const maxDepth = 100

// scanner walks a JSON text once and builds nothing. It exists because a stream
// is one small JSON text per token, and because the libraries replace bytes that
// are no UTF-8: some servers cut a character between two events, and its halves
// must come through to be put together again.
//
// A scanner that has met something unexpected is bad and stays so; what its
// methods return then means nothing, and they move no more.
type scanner struct {
	data    []byte
	at      int
	depth   int
	bad     bool
	scratch []byte // holds strings that had escapes, until the next text
}

func (s *scanner) reset(data []byte) {
	s.data, s.at, s.depth, s.bad, s.scratch = data, 0, 0, false, s.scratch[:0]
}

// peek returns the next byte that is not space, or 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.data) && s.data[s.at] > ' ' {
		return s.data[s.at]
	}
	return s.space()
}

func (s *scanner) space() byte {
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// accept consumes c if it comes next.
func (s *scanner) accept(c byte) bool {
	if s.bad || s.peek() != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) expect(c byte) {
	if !s.accept(c) {
		s.bad = true
	}
}

// end reports whether exactly one complete value was read.
func (s *scanner) end() bool { return !s.bad && s.peek() == 0 && s.at == len(s.data) }

// object reads an object; field must consume the value of each name.
func (s *scanner) object(field func(name []byte)) {
	s.list('{', '}', func() {
		name := s.text()
		s.expect(':')
		if !s.bad {
			field(name)
		}
	})
}

// array reads an array; item must consume each value.
func (s *scanner) array(item func()) { s.list('[', ']', item) }

func (s *scanner) list(open, shut byte, item func()) {
	s.expect(open)
	if s.depth++; s.depth > maxDepth {
		s.bad = true
	}
	for first := true; !s.bad; first = false {
		if s.accept(shut) {
			break
		}
		if !first {
			s.expect(',')
		}
		if !first && s.peek() == shut {
			s.bad = true // a comma before the end
		}
		if !s.bad {
			item()
		}
	}
	s.depth--
}

// skip reads over any value and returns its bytes.
func (s *scanner) skip() []byte {
	first := s.peek()
	start := s.at
	switch {
	case s.bad:
	case first == '{':
		s.object(func([]byte) { s.skip() })
	case first == '[':
		s.array(func() { s.skip() })
	case first == '"':
		s.text()
	case first == 't':
		s.word("true")
	case first == 'f':
		s.word("false")
	case first == 'n':
		s.word("null")
	default:
		s.number()
	}
	return s.data[start:s.at]
}

func (s *scanner) word(word string) {
	if s.bad || !bytes.HasPrefix(s.data[s.at:], []byte(word)) {
		s.bad = true
		return
	}
	s.at += len(word)
}

// null consumes a null if it comes next.
func (s *scanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.word("null")
	return true
}

// number reads over a number, exactly as JSON spells it, and returns it.
func (s *scanner) number() []byte {
	s.peek()
	start := s.at
	s.one('-')
	if !s.one('0') && !s.digits() {
		s.bad = true
	}
	if s.one('.') && !s.digits() {
		s.bad = true
	}
	if s.one('e') || s.one('E') {
		if !s.one('-') {
			s.one('+')
		}
		if !s.digits() {
			s.bad = true
		}
	}
	return s.data[start:s.at]
}

func (s *scanner) one(c byte) bool {
	if s.bad || s.at == len(s.data) || s.data[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scanner) digits() bool {
	start := s.at
	for s.at < len(s.data) && s.data[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at > start
}

// count reads a number of tokens, or a null as 0. What is not a count that an
// int32 holds counts as 0: no reply is lost for a strange figure.
func (s *scanner) count() int {
	if s.null() {
		return 0
	}
	digits := s.number()
	if n, err := strconv.ParseInt(string(digits), 10, 32); err == nil && n >= 0 {
		return int(n)
	}
	if f, err := strconv.ParseFloat(string(digits), 64); err == nil && f >= 0 && f < 1<<31 {
		return int(f)
	}
	return 0
}

// text reads a string, or a null as nil. Bytes that are no UTF-8 stay as they
// are. An escaped half of a surrogate pair becomes the three bytes that UTF-8
// would have for it, so that part.take can join it with the other half.
func (s *scanner) text() []byte {
	if s.null() {
		return nil
	}
	s.expect('"')
	if s.bad {
		return nil
	}
	start := s.at
	for i, c := range s.data[start:] { // the loop that most of the time goes into
		if c > '\\' || c > '"' && c < '\\' || c == ' ' || c == '!' {
			continue
		}
		s.at = start + i
		switch c {
		case '"':
			s.at++
			return s.data[start : s.at-1]
		case '\\':
			return s.escaped(start)
		}
		break // a control character
	}
	s.bad = true
	return nil
}

// escaped goes on reading a string that began at start, from its first escape.
func (s *scanner) escaped(start int) []byte {
	begin := len(s.scratch)
	s.scratch = append(s.scratch, s.data[start:s.at]...)
	for s.at < len(s.data) {
		c := s.data[s.at]
		s.at++
		switch {
		case c == '"':
			return s.scratch[begin:]
		case c < ' ':
			s.bad = true
			return nil
		case c != '\\':
			s.scratch = append(s.scratch, c)
		case !s.escape():
			s.bad = true
			return nil
		}
	}
	s.bad = true
	return nil
}

// escape reads what follows a backslash.
func (s *scanner) escape() bool {
	if s.at == len(s.data) {
		return false
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		s.scratch = append(s.scratch, c)
	case 'b':
		s.scratch = append(s.scratch, '\b')
	case 'f':
		s.scratch = append(s.scratch, '\f')
	case 'n':
		s.scratch = append(s.scratch, '\n')
	case 'r':
		s.scratch = append(s.scratch, '\r')
	case 't':
		s.scratch = append(s.scratch, '\t')
	case 'u':
		return s.unicode()
	default:
		return false
	}
	return true
}

func (s *scanner) unicode() bool {
	r, ok := s.hex()
	if !ok {
		return false
	}
	if !utf16.IsSurrogate(r) {
		s.scratch = utf8.AppendRune(s.scratch, r)
		return true
	}
	if rest := s.data[s.at:]; len(rest) > 1 && rest[0] == '\\' && rest[1] == 'u' {
		before := s.at
		s.at += 2
		second, ok := s.hex()
		if !ok {
			return false
		}
		if joined := utf16.DecodeRune(r, second); joined != utf8.RuneError {
			s.scratch = utf8.AppendRune(s.scratch, joined)
			return true
		}
		s.at = before
	}
	s.scratch = append(s.scratch, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	return true
}

func (s *scanner) hex() (rune, bool) {
	if len(s.data)-s.at < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s.data[s.at : s.at+4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	s.at += 4
	return r, true
}
