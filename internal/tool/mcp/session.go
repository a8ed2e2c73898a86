package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/internal/problem"
)

// session is one connection to a server, from its opening to its end.
type session struct {
	sdk    *sdk.ClientSession
	ctx    context.Context // of everything that the connection does
	cancel context.CancelFunc
	kill   func()          // ends a program; nil for a URL
	exited <-chan struct{} // closed when the program has ended; nil for a URL
	over   chan struct{}   // closed when the connection has ended
	pool   *pool
	once   sync.Once

	mu      sync.Mutex
	tokens  int
	waiting map[string]*silence // calls under way, by progress token
}

// ended reports whether the connection is known to be gone.
func (s *session) ended() bool {
	select {
	case <-s.over:
		return true
	default:
		return false
	}
}

// close ends the connection. It returns at once; the pool waits for the rest.
func (s *session) close() {
	s.once.Do(func() {
		s.pool.byes.Go(func() {
			cut := time.AfterFunc(byeTime, s.cut) // a server that doesn't answer holds up nobody
			defer cut.Stop()
			_ = s.sdk.Close() // the server may be gone already
			if s.exited != nil {
				<-s.exited
			}
			<-s.over
		})
	})
}

// byeTime is how long a server has to take notice of a good-bye.
const byeTime = 2 * time.Second

// leave frees what a connection that has ended held. A program may still run: it
// has the time of a good-bye to end by itself.
func (s *session) leave() {
	if s.exited != nil {
		cut := time.AfterFunc(byeTime, s.kill)
		defer cut.Stop()
		<-s.exited
	}
	s.cancel()
	_ = s.sdk.Close() // or it would wait for ever for what the server says
}

// cut breaks the connection off.
func (s *session) cut() {
	s.cancel()
	if s.kill != nil {
		s.kill()
	}
}

// dial opens a session, within the endpoint's timeout. changed is called when the
// server says that its tools have changed.
func (s *Servers) dial(ctx context.Context, e *endpoint, changed func()) (*session, error) {
	made := &session{pool: s.pool, over: make(chan struct{}), waiting: map[string]*silence{}}
	client := s.client(e, made, changed)
	f := &flight{safe: true}
	var err error
	if e.program != nil {
		err = s.start(ctx, e, client, made)
	} else {
		err = s.reach(withFlight(ctx, f), e, client, made)
	}
	if err != nil {
		code := problem.ToolFailed
		if denied := f.denied.Load(); denied != nil {
			code = denied.Code
		}
		return nil, problem.New(code, "The MCP server %s (%s) can't be reached: %s. Nothing was sent.", e.name, e.shown, reason(ctx, e, f, err)).Because(err)
	}
	s.pool.work.Go(func() {
		_ = made.sdk.Wait() // however it ended, it has
		close(made.over)
		made.leave()
	})
	return made, nil
}

// client makes the protocol's client for one session. It offers the server
// nothing: no files, no model, no questions to a person.
func (s *Servers) client(e *endpoint, made *session, changed func()) *sdk.Client {
	log := s.cfg.Logger.With("server", e.name, "url", e.shown)
	return sdk.NewClient(&sdk.Implementation{Name: "errand", Version: s.cfg.Agent}, &sdk.ClientOptions{
		Capabilities:           &sdk.ClientCapabilities{},
		MultiRoundTrip:         &sdk.MultiRoundTripOptions{Disabled: true},
		Logger:                 slog.New(slog.DiscardHandler), // what matters comes back as an error
		ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) { changed() },
		ProgressNotificationHandler: func(_ context.Context, r *sdk.ProgressNotificationClientRequest) {
			made.progress(fmt.Sprint(r.Params.ProgressToken))
			log.Debug("progress of an MCP call", "progress", r.Params.Progress, "total", r.Params.Total, "message", clean(r.Params.Message))
		},
	})
}

// reach connects to a URL. auto tries streamable HTTP, and SSE if the server
// answered and does not speak it: one that can't be reached is not tried twice.
func (s *Servers) reach(ctx context.Context, e *endpoint, client *sdk.Client, made *session) error {
	carry := s.courier(e)
	if e.transport != SSE {
		err := s.connect(ctx, e, client, made, &sdk.StreamableClientTransport{
			Endpoint: e.credentials.URL, HTTPClient: carry.client(true), MaxEventSize: maxMessage,
		})
		status := carry.status.Load()
		older := status == http.StatusNotFound || status == http.StatusMethodNotAllowed || status == http.StatusBadRequest || status == http.StatusNotAcceptable || status == http.StatusUnsupportedMediaType
		if err == nil || e.transport == Streamable || !older {
			return err
		}
		if f := flightOf(ctx); f != nil {
			f.status.Store(0) // what comes of the next attempt is what is told
		}
	}
	return s.connect(ctx, e, client, made, &sdk.SSEClientTransport{
		Endpoint: e.credentials.URL, HTTPClient: carry.client(false), MaxEventSize: maxMessage,
	})
}

// lastWithSessions is the newest version of the protocol that begins with
// initialize.
const lastWithSessions = "2025-11-25"

// errLate says that connecting took longer than the timeout.
var errLate = errors.New("it took too long")

// connect opens the session on a transport. Its context lives as long as the
// connection, and ends early only if connecting takes too long.
func (s *Servers) connect(ctx context.Context, e *endpoint, client *sdk.Client, made *session, over sdk.Transport) error {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(e.timeout, func() { cancel(errLate) })
	var options *sdk.ClientSessionOptions
	if _, old := over.(*sdk.SSEClientTransport); old {
		// Servers of that age know no newer way to begin, and some hang up on it.
		options = &sdk.ClientSessionOptions{ProtocolVersion: lastWithSessions}
	}
	session, err := client.Connect(ctx, over, options)
	if !late.Stop() && err == nil {
		err = errLate
		_ = session.Close() // nobody will use it
	}
	if err != nil {
		if context.Cause(ctx) == errLate {
			err = errLate
		}
		cancel(nil)
		return err
	}
	made.sdk, made.ctx, made.cancel = session, ctx, func() { cancel(nil) }
	return nil
}

// silence ends a call that nothing was heard of for too long.
type silence struct {
	timer *time.Timer
	limit time.Duration
}

// await registers a call: progress that the server reports of it starts its
// time again. The returned token goes with the call.
func (s *session) await(limit time.Duration, cut func()) (token string, stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens++
	token = "call-" + strconv.Itoa(s.tokens)
	s.waiting[token] = &silence{timer: time.AfterFunc(limit, cut), limit: limit}
	return token, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.waiting[token].timer.Stop()
		delete(s.waiting, token)
	}
}

func (s *session) progress(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.waiting[token]; w != nil && w.timer.Stop() {
		w.timer.Reset(w.limit)
	}
}
