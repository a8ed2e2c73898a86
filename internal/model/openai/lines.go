package openai

import (
	"bytes"
	"io"

	"errand/internal/model/remote"
)

// readBuffer is the room that a reader begins with, and goes back to: a thousand
// streams held open at once pay it a thousand times.
const readBuffer = 1 << 10

// reader reads an answer: its events one by one, or all of it. It is kept and
// used again, with its buffers.
type reader struct {
	from       io.Reader
	buffer     []byte
	start, end int
	err        error  // of the last Read, told when the buffer is used up
	joined     []byte // the data lines of an event that is not complete JSON yet
	chunk      chunk
}

func newReader() *reader { return &reader{buffer: make([]byte, readBuffer)} }

func (r *reader) reset(from io.Reader) {
	r.from, r.start, r.end, r.err, r.joined = from, 0, 0, nil, r.joined[:0]
}

// release forgets the answer and gives back what a long line has taken.
func (r *reader) release() {
	r.from, r.err = nil, nil
	r.chunk.clear()
	if cap(r.buffer) > 16*readBuffer {
		r.buffer = make([]byte, readBuffer)
	}
	if cap(r.joined) > 16*readBuffer {
		r.joined = nil
	}
	if cap(r.chunk.scan.scratch) > 16*readBuffer {
		r.chunk.scan.scratch = nil
	}
}

// fill reads more behind what is there, making room first.
func (r *reader) fill(limit int) error {
	if r.err != nil {
		return r.err
	}
	if r.start > 0 && r.end == len(r.buffer) {
		r.end = copy(r.buffer, r.buffer[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buffer) {
		if len(r.buffer) >= limit {
			return remote.Garbled("it is too long")
		}
		r.buffer = append(r.buffer, make([]byte, len(r.buffer))...)
	}
	for range 100 { // as bufio: a Reader that returns neither bytes nor an error is broken
		n, err := r.from.Read(r.buffer[r.end:])
		r.end += n
		r.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// peek returns the first byte that is not space, which it leaves there. A byte
// order mark counts as space.
func (r *reader) peek() (byte, error) {
	for {
		rest := bytes.TrimLeft(r.buffer[r.start:r.end], " \t\r\n\xef\xbb\xbf")
		if len(rest) > 0 {
			r.start = r.end - len(rest)
			return rest[0], nil
		}
		r.start, r.end = 0, 0
		if err := r.fill(remote.MaxLine); err != nil {
			return 0, err
		}
	}
}

// all reads to the end.
func (r *reader) all(limit int) ([]byte, error) {
	for {
		if err := r.fill(limit); err == io.EOF {
			return r.buffer[r.start:r.end], nil
		} else if err != nil {
			return nil, err
		}
	}
}

// drain reads and drops what is left, as far as the watch allows.
func (r *reader) drain() {
	for range 16 { // a server that says [DONE] and goes on is left to itself
		r.start, r.end = 0, 0
		if r.fill(remote.MaxLine) != nil {
			return
		}
	}
}

// line returns the next line without its end. The last one need not have an end.
// The bytes are valid until the next call.
func (r *reader) line() ([]byte, error) {
	searched := 0
	for {
		if i := bytes.IndexByte(r.buffer[r.start+searched:r.end], '\n'); i >= 0 {
			line := r.buffer[r.start : r.start+searched+i]
			r.start += searched + i + 1
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		searched = r.end - r.start
		err := r.fill(remote.MaxLine)
		if err == io.EOF && searched > 0 {
			line := r.buffer[r.start:r.end]
			r.start = r.end
			return bytes.TrimSuffix(line, []byte{'\r'}), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// event decodes the next event into r.chunk and returns its text; nil stands for
// [DONE]. Some servers separate events by one line end instead of two, others
// spread one event over several data lines: a line that is JSON is an event, and
// one that is not is joined with the lines behind it.
func (r *reader) event() ([]byte, error) {
	for {
		line, err := r.line()
		if err != nil {
			if err == io.EOF && len(r.joined) > 0 {
				return nil, remote.Garbled("an event of its stream is not JSON")
			}
			return nil, err
		}
		data, ok := dataOf(line)
		switch {
		case len(line) == 0 && len(r.joined) > 0:
			return nil, remote.Garbled("an event of its stream is not JSON")
		case len(line) > 0 && line[0] == '<':
			return nil, remote.Garbled("it was a web page; the base URL may be wrong")
		case !ok || len(data) == 0:
			continue
		case string(data) == "[DONE]":
			return nil, nil
		}
		if len(r.joined) > 0 {
			r.joined = append(append(r.joined, '\n'), data...)
			data = r.joined
		}
		if err := r.chunk.decode(data); err == nil {
			r.joined = r.joined[:0]
			return data, nil
		}
		if len(r.joined) == 0 {
			r.joined = append(r.joined, data...)
		}
		if len(r.joined) > remote.MaxLine {
			return nil, remote.Garbled("it is too long")
		}
	}
}

// dataOf returns what a line of a stream carries. A bare JSON object counts:
// that is how some servers report an error in a stream that has begun.
func dataOf(line []byte) ([]byte, bool) {
	if len(line) > 0 && line[0] == '{' {
		return line, true
	}
	data, ok := bytes.CutPrefix(line, []byte("data:"))
	return bytes.TrimSpace(data), ok
}
