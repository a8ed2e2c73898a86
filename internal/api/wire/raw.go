package wire

import (
	"errors"
	"io"
	"strings"
	"time"
)

// rawBody is a body that its route's handler reads, within the route's limit and
// the time that it may take.
type rawBody struct {
	r           *Request
	left, limit int64
	patience    time.Duration
	err         error // of the last read, for good
}

// Reader returns the body of a Raw route as it arrives. A read may fail with a
// problem: the body is too large, too slow or cut off. With an Idempotency-Key a
// repetition is known by the key and the body's length alone, because its answer
// is due before the body is read.
func (r *Request) Reader() io.Reader {
	if r.raw == nil {
		return strings.NewReader("")
	}
	return r.raw
}

func (b *rawBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one byte more than the limit tells a full body from a larger one
	}
	n, err := b.r.http.Body.Read(p)
	switch {
	case int64(n) > b.left:
		n, b.err = int(b.left), tooLarge(b.limit)
	case errors.Is(err, io.EOF):
		b.err = io.EOF
	case err != nil:
		b.err = b.r.cut(err, b.patience)
	}
	b.left -= int64(n)
	return n, b.err
}

// drain reads what a handler has left of its body: a client that is still sending
// would not see an answer before its connection is closed. What is above the limit
// is left to net/http, which closes.
func (r *Request) drain() {
	if r.raw != nil {
		_, _ = io.Copy(io.Discard, r.raw) // the answer says what there is to say
	}
}
