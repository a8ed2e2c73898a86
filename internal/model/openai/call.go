package openai

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// lingerAfterDone is how long a server that has said [DONE] gets to end its
// answer, so that the connection can be used again.
const lingerAfterDone = 100 * time.Millisecond

// call makes one request and reads its answer. It waits at the end of a deep
// stack, once for each stream that is open: requests go by pointer, which keeps
// that stack within 8 KiB.
func (c *Client) call(ctx context.Context, req *run.Request, known remote.Lessons, emit func(run.Delta)) (run.Reply, error) {
	names := remote.NewNames(req.Tools)
	encoded := c.encode(req, names, known)

	watch := remote.NewWatch(ctx, c.cfg.Timeouts)
	defer watch.Stop()
	request := c.template.WithContext(watch.Context)
	request.ContentLength = int64(len(encoded))
	request.Body = io.NopCloser(bytes.NewReader(encoded))
	if req.Trace != "" {
		request.Header = request.Header.Clone() // it is shared by all calls
		request.Header.Set("Traceparent", req.Trace)
	}
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(encoded)), nil }

	answer, err := c.transport.RoundTrip(request)
	watch.Answered()
	if err != nil {
		return run.Reply{}, watch.Broken(ctx, c.cfg.Name, err, problem.ModelUnavailable)
	}
	defer answer.Body.Close()
	from := &remote.Body{From: answer.Body, Watch: watch}
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
func (c *Client) read(read *reader, contentType string, watch *remote.Watch, parts *assembler) error {
	first, err := read.peek()
	switch {
	case err == io.EOF:
		return remote.Garbled("it was empty")
	case err != nil:
		return err
	case first == '<' || strings.Contains(contentType, "html"):
		return remote.Garbled("it was a web page; the base URL may be wrong")
	case first == '{' || first == '[':
		return c.readWhole(read, parts)
	}
	return c.readStream(read, watch, parts)
}

func (c *Client) readWhole(read *reader, parts *assembler) error {
	text, err := read.all(remote.MaxReply)
	if err != nil {
		return err
	}
	if err := read.chunk.decode(text); err != nil {
		return err
	}
	if read.chunk.failure == nil && !read.chunk.hasChoice {
		return remote.Garbled("it has no choices")
	}
	if err := parts.add(&read.chunk); err != nil {
		return err
	}
	return parts.end(true)
}

func (c *Client) readStream(read *reader, watch *remote.Watch, parts *assembler) error {
	for {
		text, err := read.event()
		if err == nil && text == nil { // [DONE]
			watch.Wait = min(lingerAfterDone, c.cfg.Timeouts.Tail)
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
			watch.Wait = c.cfg.Timeouts.Tail
		case parts.size > 0:
			watch.Wait = c.cfg.Timeouts.Silence
		}
	}
}

// explain turns whatever ended the reading into the error of the call.
func (c *Client) explain(ctx context.Context, watch *remote.Watch, req *run.Request, err error) error {
	var why remote.Garbled
	var sent *wireFailure
	switch {
	case errors.As(err, &why):
		return problem.New(problem.ModelGarbled, "The answer of %s can't be used: %s.", c.cfg.Name, string(why))
	case errors.As(err, &sent):
		return c.judge(http.StatusOK, sent.body, nil, req)
	}
	return watch.Broken(ctx, c.cfg.Name, err, problem.ModelGarbled)
}
