package openai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Bounds of an answer. The longest replies of today's models are half a
// mebibyte; the room above that is for escapes and for the models of tomorrow.
const (
	maxLine  = 4 << 20  // one line of a stream: at most one call with all its arguments
	maxReply = 16 << 20 // a whole answer
	maxError = 64 << 10 // an error body: more of it is not read
)

// lingerAfterDone is how long a server that has said [DONE] gets to end its
// answer, so that the connection can be used again.
const lingerAfterDone = 100 * time.Millisecond

// Why a call was cut: causes of the call's context.
var (
	errSilent = errors.New("the provider sent nothing for too long")
	errTotal  = errors.New("the call took too long in all")
)

// watch cuts a call that waits too long. Its timer runs only while the client
// waits for the provider: a slow emit is not the provider's silence.
type watch struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	total  *time.Timer
	timer  *time.Timer
	wait   time.Duration // how long the next wait may be
}

func newWatch(ctx context.Context, limits Timeouts) *watch {
	ctx, cancel := context.WithCancelCause(ctx)
	return &watch{
		ctx: ctx, cancel: cancel, wait: limits.First,
		total: time.AfterFunc(limits.Total, func() { cancel(errTotal) }),
		timer: time.AfterFunc(limits.First, func() { cancel(errSilent) }),
	}
}

func (w *watch) stop() {
	w.total.Stop()
	w.timer.Stop()
	w.cancel(nil)
}

// body reads an answer under the watch.
type body struct {
	from  io.Reader
	watch *watch
}

func (b *body) Read(into []byte) (int, error) {
	b.watch.timer.Reset(b.watch.wait)
	n, err := b.from.Read(into)
	b.watch.timer.Stop()
	return n, err
}

// call makes one request and reads its answer. It waits at the end of a deep
// stack, once for each stream that is open: requests go by pointer, which keeps
// that stack within 8 KiB.
func (c *Client) call(ctx context.Context, req *run.Request, known lessons, emit func(run.Delta)) (run.Reply, error) {
	names := newNames(req.Tools)
	encoded := c.encode(req, names, known)

	watch := newWatch(ctx, c.cfg.Timeouts)
	defer watch.stop()
	request := c.template.WithContext(watch.ctx)
	request.ContentLength = int64(len(encoded))
	request.Body = io.NopCloser(bytes.NewReader(encoded))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(encoded)), nil }

	answer, err := c.transport.RoundTrip(request)
	watch.timer.Stop()
	if err != nil {
		return run.Reply{}, c.broken(ctx, watch, err, problem.ModelUnavailable)
	}
	defer answer.Body.Close()
	from := &body{from: answer.Body, watch: watch}
	if answer.StatusCode != http.StatusOK {
		return run.Reply{}, c.failed(ctx, answer, from, req)
	}

	parts := newAssembler(emit, names, req.Step)
	read := c.readers.Get().(*reader)
	defer func() {
		read.release()
		c.readers.Put(read)
	}()
	read.reset(from)
	if err := c.read(read, answer.Header.Get("Content-Type"), watch, parts); err != nil {
		return c.partial(req, parts), c.explain(ctx, watch, req, err)
	}
	reply := parts.reply()
	reply.Model = c.cfg.Name + "/" + req.Model
	return reply, nil
}

// partial is what had come of a reply that failed.
func (c *Client) partial(req *run.Request, parts *assembler) run.Reply {
	reply := parts.reply()
	reply.Model, reply.Finish = c.cfg.Name+"/"+req.Model, ""
	return reply
}

// read feeds the answer to the assembler: as a stream, or as one JSON text when
// that is what came, whatever was asked for.
func (c *Client) read(read *reader, contentType string, watch *watch, parts *assembler) error {
	first, err := read.peek()
	switch {
	case err == io.EOF:
		return garbled("it was empty")
	case err != nil:
		return err
	case first == '<' || strings.Contains(contentType, "html"):
		return garbled("it was a web page; the base URL may be wrong")
	case first == '{' || first == '[':
		return c.readWhole(read, parts)
	}
	return c.readStream(read, watch, parts)
}

func (c *Client) readWhole(read *reader, parts *assembler) error {
	text, err := read.all(maxReply)
	if err != nil {
		return err
	}
	if err := read.chunk.decode(text); err != nil {
		return err
	}
	if read.chunk.failure == nil && !read.chunk.hasChoice {
		return garbled("it has no choices")
	}
	if err := parts.add(&read.chunk); err != nil {
		return err
	}
	return parts.end(true)
}

func (c *Client) readStream(read *reader, watch *watch, parts *assembler) error {
	for {
		text, err := read.event()
		if err == nil && text == nil { // [DONE]
			watch.wait = min(lingerAfterDone, c.cfg.Timeouts.Tail)
			read.drain()
			return parts.end(false)
		}
		if err != nil {
			if ended := parts.end(false); ended == nil || err == io.EOF {
				return ended // complete but for its end, or cut where no one can tell
			}
			return err
		}
		if read.chunk.failure != nil {
			return &wireFailure{body: read.chunk.failure}
		}
		if err := parts.add(&read.chunk); err != nil {
			return err
		}
		switch {
		case parts.finish != "":
			watch.wait = c.cfg.Timeouts.Tail
		case parts.size > 0:
			watch.wait = c.cfg.Timeouts.Silence
		}
	}
}

// garbled is an answer that can't be understood; why completes the sentence "the
// answer can't be used: …".
type garbled string

func (g garbled) Error() string { return "the answer can't be used: " + string(g) }

// explain turns whatever ended the reading into the error of the call.
func (c *Client) explain(ctx context.Context, watch *watch, req *run.Request, err error) error {
	var why garbled
	var sent *wireFailure
	switch {
	case errors.As(err, &why):
		return problem.New(problem.ModelGarbled, "The answer of %s can't be used: %s.", c.cfg.Name, string(why))
	case errors.As(err, &sent):
		return c.judge(http.StatusOK, sent.body, nil, req)
	}
	return c.broken(ctx, watch, err, problem.ModelGarbled)
}

// broken explains a call that ended by its context or by its connection.
func (c *Client) broken(ctx context.Context, watch *watch, err error, code problem.Code) error {
	if ctx.Err() != nil {
		return fmt.Errorf("calling the model provider %s: %w", c.cfg.Name, ctx.Err())
	}
	limits := c.cfg.Timeouts
	switch cause := context.Cause(watch.ctx); {
	case errors.Is(cause, errTotal):
		return problem.New(problem.ModelTimeout, "%s did not complete its answer within %s.", c.cfg.Name, limits.Total).Because(err)
	case errors.Is(cause, errSilent) && watch.wait == limits.First:
		return problem.New(problem.ModelTimeout, "%s did not begin to answer within %s.", c.cfg.Name, limits.First).Because(err)
	case errors.Is(cause, errSilent):
		return problem.New(problem.ModelTimeout, "%s fell silent in the middle of its answer for %s.", c.cfg.Name, watch.wait).Because(err)
	case code == problem.ModelGarbled:
		return problem.New(code, "The connection to %s broke in the middle of its answer.", c.cfg.Name).Because(err)
	}
	return problem.New(code, "%s can't be reached; check that it is up and that its base URL is right.", c.cfg.Name).Because(err)
}
