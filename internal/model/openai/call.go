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
// stack, once for each stream that is open: requests go by pointer, results have
// names, and what is done before and after the wait has frames of its own, which
// keeps that stack within 8 KiB.
func (c *Client) call(ctx context.Context, req *run.Request, known remote.Lessons, emit func(run.Delta)) (reply run.Reply, err error) {
	names := remote.NewNames(req.Tools)
	watch := remote.NewWatch(ctx, c.cfg.Timeouts)
	defer watch.Stop()
	answer, err := c.send(ctx, watch, req, c.encode(req, names, known))
	if err != nil {
		return reply, err
	}
	defer answer.Body.Close()
	from := &remote.Body{From: answer.Body, Watch: watch}
	if answer.StatusCode != http.StatusOK {
		return reply, c.failed(ctx, answer, from, req)
	}
	parts := newAssembler(emit, names, req.Step)
	err = c.receive(from, answer.Header.Get("Content-Type"), parts)
	parts.fill(&reply)
	reply.Model = c.cfg.Name + "/" + req.Model
	if err != nil {
		reply.Finish = "" // what had come of it
		err = c.explain(ctx, watch, req, err)
	}
	return reply, err
}

// send makes the request, and returns its answer when that begins.
func (c *Client) send(ctx context.Context, watch *remote.Watch, req *run.Request, encoded []byte) (*http.Response, error) {
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
		return nil, watch.Broken(ctx, c.cfg.Name, err, problem.ModelUnavailable)
	}
	return answer, nil
}

// receive reads the answer by one of the readers that are at hand.
func (c *Client) receive(from *remote.Body, contentType string, parts *assembler) error {
	read := c.readers.Get().(*reader)
	defer func() {
		read.release()
		c.readers.Put(read)
	}()
	read.reset(from)
	return c.read(read, contentType, from.Watch, parts)
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
			return failedWith(read.chunk.failure)
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
