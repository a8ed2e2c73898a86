package client

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"sync"
)

// payload is the body of a request, which may have to be sent more than once.
type payload interface {
	// open returns the body from its start; size below 0 = not known. Nobody reads
	// the one before any more.
	open() (body io.Reader, size int64, err error)
	// kind is its Content-Type.
	kind() string
	// again reports whether it can be opened another time.
	again() bool
}

// payloadOf is the payload of a call's body, or nil where it has none.
func payloadOf(body any) (payload, error) {
	switch body := body.(type) {
	case nil:
		return nil, nil
	case *form:
		return body, nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	return document(text), nil
}

// document is a body in JSON.
type document []byte

func (d document) open() (io.Reader, int64, error) { return bytes.NewReader(d), int64(len(d)), nil }
func (document) kind() string                      { return "application/json" }
func (document) again() bool                       { return true }

// form is a file with what is said of it. Its boundary stays the same, because a
// request that is sent again must be the same to the byte.
type form struct {
	before, after []byte // what stands around the file
	mime          string
	content       io.Reader
	seeker        io.Seeker // nil = content can be read once
	start, size   int64     // of content; size below 0 = not known
	reading       *lease
}

func newForm(wanted NewFile) (*form, error) {
	if wanted.Content == nil {
		return nil, errors.New("sending a file: Content is missing")
	}
	var text bytes.Buffer
	writer := multipart.NewWriter(&text)
	err := writer.WriteField("purpose", cmp.Or(wanted.Purpose, "context"))
	if len(wanted.Metadata) > 0 {
		metadata, encoding := json.Marshal(wanted.Metadata)
		err = errors.Join(err, encoding, writer.WriteField("metadata", string(metadata)))
	}
	_, begun := writer.CreateFormFile("file", cmp.Or(wanted.Name, "file"))
	head := text.Len()
	if err := errors.Join(err, begun, writer.Close()); err != nil {
		return nil, fmt.Errorf("encoding the form: %w", err)
	}
	f := &form{before: text.Bytes()[:head], after: text.Bytes()[head:], mime: writer.FormDataContentType(), content: wanted.Content, size: -1}
	if seeker, ok := wanted.Content.(io.Seeker); ok {
		f.measure(seeker)
	}
	return f, nil
}

// measure learns where the content begins and how long it is. What can't seek
// although it has the method, as a pipe that is an os.File, is read once.
func (f *form) measure(seeker io.Seeker) {
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil {
		return
	}
	end, err := seeker.Seek(0, io.SeekEnd)
	if err != nil {
		return
	}
	f.seeker, f.start, f.size = seeker, start, end-start
}

func (f *form) open() (io.Reader, int64, error) {
	if f.reading != nil {
		f.reading.end()
	}
	if f.seeker != nil {
		if _, err := f.seeker.Seek(f.start, io.SeekStart); err != nil {
			return nil, 0, fmt.Errorf("reading the file from its start: %w", err)
		}
	}
	f.reading = &lease{from: f.content}
	size := int64(-1)
	if f.size >= 0 {
		size = int64(len(f.before)) + f.size + int64(len(f.after))
	}
	return io.MultiReader(bytes.NewReader(f.before), f.reading, bytes.NewReader(f.after)), size, nil
}

func (f *form) kind() string { return f.mime }
func (f *form) again() bool  { return f.seeker != nil }

// lease is a reader that can be taken back. A request that has failed may be read
// for a while yet, which must not move the file under the next one.
type lease struct {
	mu   sync.Mutex
	from io.Reader // nil = taken back
}

func (l *lease) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		return 0, errors.New("this request is over")
	}
	return l.from.Read(p)
}

func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from = nil
}
