package wire

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"sync"
	"time"

	"errand/internal/engine"
	"errand/internal/problem"
)

const (
	heartbeat = 10 * time.Second // of silence, after which a comment shows that the stream lives
	// writePatience is how long one write may block until the reader counts as
	// gone; writeSlack saves setting the deadline anew for each frame.
	writePatience = 10 * time.Second
	writeSlack    = time.Second
	// sendBuffer is what the system holds for a slow reader. The default grows to
	// megabytes, of which a thousand readers would make gigabytes.
	sendBuffer = 64 << 10
	firstHold  = 250 * time.Millisecond
	// keptFrames is the room for frames that a stream keeps from one update to the
	// next: a token's. An event takes more for once: a thousand readers who only
	// wait must not hold that for as long as they wait.
	keptFrames = 512
)

// Stream is an answer as server-sent events.
type Stream struct {
	// Watch begins to watch; ctx ends when the reader has gone.
	Watch func(ctx context.Context) iter.Seq2[engine.Update, error]
	// Emit writes an update's frames: none, one or several; done ends the stream
	// after them. When Watch ends without done (the server drains) the stream
	// ends as it is. When it ends before anything was emitted the answer is 204.
	Emit func(f *Frames, u engine.Update) (done bool, err error)
	// Hold is how long the status line waits for the first frame, so that an
	// early error has a real status; 0 = 250 ms.
	Hold time.Duration
	// Broken writes the frames of an error that comes when the status line has left;
	// nil = the stream ends without a word.
	Broken func(f *Frames, e *problem.Error) error
}

// Frames takes the frames of one update.
type Frames struct {
	buffer bytes.Buffer
	shared []byte
}

// Share makes the update's frames these, which somebody else keeps and nobody
// changes: a reader who does not read holds no copy of them.
func (f *Frames) Share(frames []byte) {
	f.buffer = bytes.Buffer{}
	f.shared = frames
}

// Bytes are the frames so far. They are valid until the update has been sent.
func (f *Frames) Bytes() []byte {
	if f.shared != nil {
		return f.shared
	}
	return f.buffer.Bytes()
}

// reset makes room for the next update.
func (f *Frames) reset() {
	f.shared = nil
	if f.buffer.Cap() > keptFrames {
		f.buffer = bytes.Buffer{}
	}
	f.buffer.Reset()
}

// Frame adds a frame. id and event may be empty; data is copied. Line breaks in
// data (between tokens of JSON that someone else wrote) are left out, because a
// frame has one data line.
func (f *Frames) Frame(id, event string, data []byte) {
	f.head(id, event)
	start := f.buffer.Len()
	f.buffer.Write(data)
	f.tail(start)
}

// JSON adds a frame whose data is the value, encoded as Response.Body is.
func (f *Frames) JSON(id, event string, value any) error {
	begin := f.buffer.Len()
	f.head(id, event)
	start := f.buffer.Len()
	if err := encodeTo(&f.buffer, value); err != nil {
		f.buffer.Truncate(begin)
		return err
	}
	f.tail(start)
	return nil
}

func (f *Frames) head(id, event string) {
	if id != "" {
		f.buffer.WriteString("id: ")
		f.buffer.WriteString(id)
		f.buffer.WriteByte('\n')
	}
	if event != "" {
		f.buffer.WriteString("event: ")
		f.buffer.WriteString(event)
		f.buffer.WriteByte('\n')
	}
	f.buffer.WriteString("data: ")
}

// tail ends a frame whose data begins at start.
func (f *Frames) tail(start int) {
	if data := f.buffer.Bytes()[start:]; bytes.ContainsAny(data, "\r\n") {
		kept := data[:0]
		for _, c := range data {
			if c != '\r' && c != '\n' {
				kept = append(kept, c)
			}
		}
		f.buffer.Truncate(start + len(kept))
	}
	f.buffer.WriteString("\n\n")
}

// reader is the receiving end of a stream. The request's goroutine writes
// frames, a timer writes heartbeats; the lock keeps them apart.
type reader struct {
	mu         sync.Mutex
	request    *Request
	answer     *Response
	controller *http.ResponseController
	gone       context.CancelFunc // called when a write failed
	silence    *time.Timer
	deadline   time.Time
	begun      bool // the status line has been sent
	closed     bool
	cut        error // why a heartbeat has ended it: the key opens nothing any more

	asking sync.Mutex // held while somebody looks at the key; it is not waited for under mu
	left   bool       // the request is over
}

// stream sends an answer as it comes about. An error means that nothing was sent.
func (r *Request) stream(ctx context.Context, answer *Response) error {
	if r.http.Method == http.MethodHead {
		answer.Body, answer.Stream = nil, nil
		r.sent.status = http.StatusOK
		r.familyHeaders(r.writer.Header())
		streamHeaders(r.writer.Header(), answer.Header)
		r.writer.WriteHeader(http.StatusOK)
		return nil
	}
	r.Body = nil // what it said is in the run by now, and a stream may last
	closed := r.server.cfg.Metrics.Stream()
	defer closed()
	request := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if conn, ok := ctx.Value(connKey{}).(*net.TCPConn); ok {
		_ = conn.SetWriteBuffer(sendBuffer) // a system that refuses still works
	}
	hold := answer.Stream.Hold
	if hold == 0 {
		hold = firstHold
	}
	out := &reader{request: r, answer: answer, controller: http.NewResponseController(r.writer), gone: cancel}
	r.sent.stream = true
	out.mu.Lock()
	out.silence = time.AfterFunc(hold, func() { out.beat(ctx) })
	out.mu.Unlock()
	defer out.close()
	var (
		frames Frames
		err    error
	)
	for update, failed := range answer.Stream.Watch(ctx) {
		done := false
		if err = failed; err == nil {
			err = out.still(ctx)
		}
		if err == nil {
			done, err = answer.Stream.Emit(&frames, update)
		}
		if err != nil {
			break
		}
		if out.send(frames.Bytes()) != nil || done {
			break
		}
		frames.reset()
	}
	if cut := out.why(); cut != nil {
		return out.broken(request, cut) // ctx has ended by it
	}
	if err != nil {
		return out.broken(ctx, err)
	}
	return out.end(ctx)
}

// send writes frames and pushes them out. After an error the reader is gone.
func (o *reader) send(frames []byte) error {
	if len(frames) == 0 {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.write(frames)
}

// write is send under the lock.
func (o *reader) write(frames []byte) error {
	r := o.request
	if !o.begun {
		o.begin()
	}
	if now := r.server.cfg.Now(); o.deadline.Sub(now) < writePatience {
		o.deadline = now.Add(writePatience + writeSlack)
		_ = o.controller.SetWriteDeadline(o.deadline) // a test's writer has none
	}
	n, err := r.writer.Write(frames)
	r.sent.bytes += int64(n)
	if err == nil {
		err = o.controller.Flush()
	}
	if err != nil {
		r.sent.failed = true
		o.gone()
		return err
	}
	o.silence.Reset(heartbeat)
	return nil
}

// begin sends the status line with the first bytes.
func (o *reader) begin() {
	o.begun = true
	status := o.answer.Status
	if status == 0 {
		status = http.StatusOK
	}
	o.request.familyHeaders(o.request.writer.Header())
	streamHeaders(o.request.writer.Header(), o.answer.Header)
	o.request.sent.status, o.request.sent.begun = status, o.request.server.cfg.Now()
	o.request.writer.WriteHeader(status)
}

func streamHeaders(header, more http.Header) {
	header["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
	header["Cache-Control"] = []string{"no-cache"}
	header["X-Accel-Buffering"] = []string{"no"} // nginx would hold frames back
	for name, values := range more {
		header[name] = values
	}
}

// beat writes a comment into a silence, unless the key has ended in it: then the request's
// goroutine says so. While something is being written there is none, and that write sets
// the next beat.
func (o *reader) beat(ctx context.Context) {
	ended := o.ended(ctx)
	if !o.mu.TryLock() {
		return
	}
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	if ended != nil {
		o.cut = ended
		o.gone()
		return
	}
	_ = o.write([]byte(": ping\n\n")) // a failure has told the other side already
}

// ended is why the key opens nothing any more, as far as that can be told at once: a
// store that does not answer is no reason to send everybody away.
func (o *reader) ended(ctx context.Context) error {
	if !o.asking.TryLock() {
		return nil // the request's goroutine is looking
	}
	defer o.asking.Unlock()
	if o.left {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if err := o.request.look(ctx); problem.Is(err, problem.Unauthenticated) {
		return err
	}
	return nil
}

// still is the request's, which is for one goroutine at a time.
func (o *reader) still(ctx context.Context) error {
	o.asking.Lock()
	defer o.asking.Unlock()
	return o.request.still(ctx)
}

// why is why a heartbeat has ended the stream; nil = it has not.
func (o *reader) why() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.cut
}

// broken ends a stream by an error: as an HTTP error while that is possible, and as
// a frame after that where the format has one.
func (o *reader) broken(ctx context.Context, err error) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	r := o.request
	if !o.begun {
		r.sent.stream = false
		maps.Copy(r.writer.Header(), o.answer.Header) // which run it is about
		return err
	}
	e := problem.From(err)
	if broken := o.answer.Stream.Broken; broken != nil && ctx.Err() == nil {
		var frames Frames
		if err := broken(&frames, bounded(e)); err != nil || o.write(frames.Bytes()) != nil {
			return nil // a reader who has gone is nobody to tell
		}
		if e.Code != problem.Internal {
			return nil
		}
	}
	if ctx.Err() == nil {
		level := slog.LevelError
		if e.Code == problem.Unauthenticated {
			level = slog.LevelInfo // somebody has ended its key: nothing is wrong here
		}
		r.server.cfg.Logger.LogAttrs(ctx, level, "stream broke",
			slog.String("request_id", r.ID), slog.String("error", err.Error()))
	}
	return nil
}

// end is the regular end: the reader has all, has gone, or has to come back.
func (o *reader) end(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	r := o.request
	switch {
	case o.begun:
		// The deadline stays, so that the last bytes can't block for ever either;
		// net/http takes it off before the connection's next request.
	case ctx.Err() != nil:
		return ctx.Err()
	case r.server.draining():
		o.begin() // an empty stream: an EventSource comes back, after 204 it would not
	default:
		return r.send(Response{Status: http.StatusNoContent, Header: o.answer.Header})
	}
	return nil
}

// close ends the heartbeats, and waits for one that looks at the key.
func (o *reader) close() {
	o.gone()
	o.asking.Lock()
	o.left = true
	o.asking.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.silence.Stop()
}

func (s *Server) draining() bool {
	select {
	case <-s.cfg.Draining:
		return true
	default:
		return false
	}
}
