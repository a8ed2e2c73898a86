package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/secret"
	"errand/internal/tool"
)

const (
	// longest bounds a call whatever progress it reports.
	longest = 10 * time.Minute

	// stuck is how long a call that was cut off has to return before its
	// connection is given up: the engine waits 500 ms for it.
	stuck = 200 * time.Millisecond
)

// Why a call is cut off by this server itself.
var (
	errSilent  = errors.New("nothing was heard of it in time")
	errEndless = errors.New("it took too long")
	errCut     = errors.New("its connection was given up")
)

// Call makes one call of the tool that the call's snapshot describes, and refuses
// if it is another one by now: nothing has been sent then.
func (s *Servers) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	e, err := s.callee(ctx, &call)
	if err != nil {
		return run.ToolResult{}, unsent(call.Tool.Name, err)
	}
	rec, err := s.look(ctx, e)
	if err != nil {
		return run.ToolResult{}, unsent(call.Tool.Name, err)
	}
	p := rec.pins.Tools[call.Tool.Remote]
	switch {
	case p == nil || p.Gone:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "The MCP server %s (%s) no longer has this tool. Nothing was sent.", e.name, e.shown)
	case p.Now != nil:
		return run.ToolResult{}, problem.New(problem.ToolChanged, "%s. Nothing was sent.", waits(e, call.Tool.Name))
	case e.describe(call.Tool.Name, &p.Accepted).Version != call.Tool.Version:
		return run.ToolResult{}, problem.New(problem.ToolChanged, "%s was changed before this call could be made; nothing was sent.", call.Tool.Name)
	}
	return s.pool.link(e).call(ctx, e, &call)
}

// callee is the server that a call goes to: the run's own, or the one that the
// tool's name begins with.
func (s *Servers) callee(ctx context.Context, call *run.ToolCall) (*endpoint, error) {
	if call.Server != nil {
		return s.ofRun(call)
	}
	return s.owner(ctx, call.Project, call.Tool.Name)
}

// unsent makes a definite failure of what stood in the way of a call.
func unsent(name string, err error) error {
	if p, ok := egress.Public(err); ok && p.Code != problem.NotFound && p.Code != problem.Internal {
		return err
	}
	if problem.Is(err, problem.NotFound) {
		return problem.New(problem.ToolFailed, "%s is no longer there; nothing was sent.", name).Because(err)
	}
	return problem.New(problem.ToolFailed, "%s could not be looked up on this server; nothing was sent.", name).Because(err)
}

// call makes the call. It is made again, once, if the server certainly did not
// get it: it had forgotten the session, or the connection never stood.
func (l *link) call(ctx context.Context, e *endpoint, call *run.ToolCall) (run.ToolResult, error) {
	for try := 1; ; try++ {
		s, err := l.acquire(ctx, e)
		if err != nil {
			return run.ToolResult{}, err
		}
		f := &flight{}
		result, err := s.call(withFlight(ctx, f), e.timeout, call)
		l.release()
		if err == nil {
			return translate(e, result)
		}
		again := f.gone() || !f.sent.Load()
		if f.gone() && s.sdk.ID() != "" || s.ended() || errors.Is(err, sdk.ErrConnectionClosed) {
			l.drop(s)
		}
		if try == 2 || !again || f.denied.Load() != nil || ctx.Err() != nil {
			return run.ToolResult{}, lost(ctx, e, f, call.Tool.Name, err)
		}
	}
}

// call makes one call on this session. Whatever becomes of it, the session goes
// on, unless it doesn't even let the call be cut off.
func (s *session) call(ctx context.Context, timeout time.Duration, call *run.ToolCall) (*sdk.CallToolResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errCut) })()
	token, stop := s.await(timeout, func() { cancel(errSilent) })
	defer stop()
	end := time.AfterFunc(longest, func() { cancel(errEndless) })
	defer end.Stop()
	arguments := call.Arguments
	if len(arguments) == 0 {
		arguments = json.RawMessage("{}")
	}
	params := &sdk.CallToolParams{Name: call.Tool.Remote, Arguments: arguments}
	if call.Trace != "" { // where the conventions for MCP have it, whatever the transport is
		params.Meta = sdk.Meta{"traceparent": call.Trace}
	}
	params.SetProgressToken(token)
	type answer struct {
		result *sdk.CallToolResult
		err    error
	}
	answered := make(chan answer, 1)
	s.pool.work.Go(func() {
		result, err := s.sdk.CallTool(ctx, params)
		answered <- answer{result, err}
	})
	select {
	case a := <-answered:
		return a.result, because(ctx, a.err)
	case <-ctx.Done():
	}
	timer := time.NewTimer(stuck)
	defer timer.Stop()
	select {
	case a := <-answered:
		return a.result, because(ctx, a.err)
	case <-timer.C: // a program that reads nothing more, for instance
		s.cut()
		return nil, because(ctx, context.Cause(ctx))
	}
}

// because joins an error with the reason for which this server has cut it off.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil && !errors.Is(err, cause) {
		return errors.Join(cause, err)
	}
	return err
}

// lost says what is known of a call that has no result.
func lost(ctx context.Context, e *endpoint, f *flight, name string, err error) error {
	said, why := answered(err), reason(ctx, e, f, err)
	switch {
	case said != nil:
		return problem.New(problem.ToolFailed, "%s was refused by its server: %s", name, tool.Cut(e.redact(clean(said.Message)), maxRefusal)).Because(err)
	case !f.sent.Load():
		return problem.New(problem.ToolFailed, "%s was not called: %s. Nothing was sent.", name, why).Because(err)
	case f.refused():
		return problem.New(problem.ToolFailed, "%s was not called: %s.", name, why).Because(err)
	}
	return problem.New(problem.ToolUnknown, "%s was called and %s: it may or may not have taken effect.", name, why).Because(err)
}

// answered returns the error that the server has answered with, or nil. The
// protocol's client has errors of the same type for what it finds out itself:
// that it is closing, that the server is, that a transport took nothing.
func answered(err error) *jsonrpc.Error {
	const clientCloses, serverCloses, rejected = -32003, -32004, -32005
	switch err := err.(type) {
	case nil:
		return nil
	case *jsonrpc.Error:
		if err.Code == clientCloses || err.Code == serverCloses || err.Code == rejected {
			return nil
		}
		return err
	case interface{ Unwrap() error }:
		return answered(err.Unwrap())
	case interface{ Unwrap() []error }:
		for _, part := range err.Unwrap() {
			if found := answered(part); found != nil {
				return found
			}
		}
	}
	return nil
}

// maxRefusal is how much of a server's error message a model gets to read.
const maxRefusal = 4 << 10

// reason says in a few words why a server gave nothing. What the server itself
// has written goes only into the cause, which the log sees.
func reason(ctx context.Context, e *endpoint, f *flight, err error) string {
	said, status := answered(err), int(f.status.Load())
	denied := f.denied.Load()
	if public, ok := egress.Public(err); ok {
		denied = public
	}
	switch {
	case denied != nil:
		return strings.TrimSuffix(denied.Detail, ".")
	case said != nil:
		return fmt.Sprintf("it answered with error %d: %s", said.Code, tool.Cut(e.redact(clean(said.Message)), 200))
	case errors.Is(err, errSilent), errors.Is(err, errMute), errors.Is(err, errLate), errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer came within %d seconds", int(e.timeout.Seconds()))
	case errors.Is(err, errEndless):
		return fmt.Sprintf("it took longer than %d minutes", int(longest.Minutes()))
	case ctx.Err() != nil:
		return "it was cancelled"
	case errors.Is(err, errLong):
		return fmt.Sprintf("its answer is longer than %d bytes", maxMessage)
	case status >= 300 && status <= 399:
		return fmt.Sprintf("it answered %d %s, a redirect, which is not followed", status, http.StatusText(status))
	case status >= 400:
		return strings.TrimSpace(fmt.Sprintf("it answered %d %s", status, http.StatusText(status)))
	case e.program != nil && errors.Is(err, syscall.ENOENT):
		return "its program was not found"
	case e.program != nil:
		return "its program ended or could not be started"
	case !f.sent.Load():
		return "there was no connection"
	case status == 0:
		return "the connection broke"
	}
	return "its answer could not be understood, or broke off"
}

// redact cuts the credentials out of what a server says.
func (e *endpoint) redact(text string) string {
	for _, value := range e.credentials.secrets() {
		for _, form := range secret.Forms(value) {
			text = strings.ReplaceAll(text, form, "[redacted]")
		}
	}
	return text
}
