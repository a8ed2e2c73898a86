package anthropic

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/ssestream"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// maxStream bounds a stream: each few bytes of a reply come in an event of about
// a hundred.
const maxStream = 8 * remote.MaxReply

// lingerAfterStop is how long a server that has said message_stop gets to end its
// answer, so that the connection can be used again.
const lingerAfterStop = 100 * time.Millisecond

// answered is an answer whose status is not 200.
type answered struct {
	status int
	header http.Header
	body   []byte
}

func (*answered) Error() string { return "the provider reports an error" }

// sender makes the HTTP call in place of the SDK's own client: under the watch,
// without redirects, bounded.
type sender struct {
	client *Client
	watch  *remote.Watch
	accept string // what the content type must have in it
	begun  bool   // an answer has come
}

// Do sends one request.
func (s *sender) Do(r *http.Request) (*http.Response, error) {
	answer, err := s.client.transport.RoundTrip(r)
	s.watch.Answered()
	if err != nil {
		return nil, err
	}
	s.begun = true
	read := &body{Body: remote.Body{From: answer.Body, Watch: s.watch}, under: answer.Body}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		s.watch.Wait = s.client.cfg.Timeouts.Silence
		text, err := io.ReadAll(io.LimitReader(read, remote.MaxError))
		if err != nil && r.Context().Err() != nil {
			return nil, err
		}
		return nil, &answered{status: answer.StatusCode, header: answer.Header, body: text}
	}
	if kind := answer.Header.Get("Content-Type"); !strings.Contains(kind, s.accept) {
		answer.Body.Close()
		if strings.Contains(kind, "html") {
			return nil, remote.Garbled("it was a web page; the base URL may be wrong")
		}
		return nil, remote.Garbled("it is of another type than was asked for")
	}
	answer.Body = read
	return answer, nil
}

// body reads an answer under the watch, and no more of it than makes sense.
type body struct {
	remote.Body
	under io.Closer
	line  int // bytes since the last line end
	all   int
}

// Read reads what comes next, or says that it is too much.
func (b *body) Read(into []byte) (int, error) {
	n, err := b.Body.Read(into)
	b.all += n
	b.line += n
	if end := bytes.LastIndexByte(into[:n], '\n'); end >= 0 {
		b.line = n - end - 1
	}
	if b.line > remote.MaxLine || b.all > maxStream {
		return 0, remote.Garbled("it is too long")
	}
	return n, err
}

// Close closes the answer.
func (b *body) Close() error { return b.under.Close() }

// call makes one request and reads its answer.
func (c *Client) call(ctx context.Context, req *run.Request, known remote.Lessons, emit func(run.Delta)) (run.Reply, error) {
	names := remote.NewNames(req.Tools)
	watch := remote.NewWatch(ctx, c.cfg.Timeouts)
	defer watch.Stop()
	over := &sender{client: c, watch: watch, accept: "event-stream"}
	options := []option.RequestOption{option.WithHTTPClient(over)}
	if req.Trace != "" {
		options = append(options, option.WithHeader("Traceparent", req.Trace))
	}
	stream := c.messages.NewStreaming(watch.Context, build(req, names, known), options...)
	parts := newAssembler(emit, names, req)
	err := stream.Err()
	if err == nil {
		defer stream.Close()
		err = c.read(stream, watch, parts)
	}
	reply := parts.reply()
	reply.Model = c.cfg.Name + "/" + req.Model
	if err != nil {
		reply.Finish, reply.Carry = "", nil
		return reply, c.explain(ctx, over, req, err)
	}
	return reply, nil
}

// read feeds the events to the assembler.
func (c *Client) read(stream *ssestream.Stream[sdk.MessageStreamEventUnion], watch *remote.Watch, parts *assembler) error {
	for stream.Next() {
		event := stream.Current()
		if err := parts.add(&event); err != nil {
			return err
		}
		switch {
		case parts.stopped:
			watch.Wait = min(lingerAfterStop, c.cfg.Timeouts.Tail)
			for range 16 { // a server that has stopped and goes on is left to itself
				if !stream.Next() {
					break
				}
			}
			return parts.end()
		case parts.finish != "":
			watch.Wait = c.cfg.Timeouts.Tail
		case parts.size > 0:
			watch.Wait = c.cfg.Timeouts.Silence
		}
	}
	err := stream.Err()
	var failed *sdk.Error
	if errors.As(err, &failed) {
		return err
	}
	if ended := parts.end(); ended == nil || err == nil {
		return ended // complete but for its end, or cut where no one can tell
	}
	return err
}

// explain turns whatever ended the call into its error.
func (c *Client) explain(ctx context.Context, over *sender, req *run.Request, err error) error {
	var sent *answered
	var inside *sdk.Error
	var why remote.Garbled
	switch {
	case errors.As(err, &sent):
		return c.judge(sent, req)
	case errors.As(err, &inside):
		return c.place.Judge(http.StatusOK, remote.ParseFailure([]byte(inside.RawJSON())), nil, req.Model)
	case errors.As(err, &why):
		return problem.New(problem.ModelGarbled, "The answer of %s can't be used: %s.", c.cfg.Name, string(why))
	case !over.begun:
		return over.watch.Broken(ctx, c.cfg.Name, err, problem.ModelUnavailable)
	case over.watch.Context.Err() == nil && notJSON(err):
		return problem.New(problem.ModelGarbled, "The answer of %s can't be used: an event of its stream is not JSON.", c.cfg.Name).Because(err)
	}
	return over.watch.Broken(ctx, c.cfg.Name, err, problem.ModelGarbled)
}
