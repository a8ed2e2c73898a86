package mcp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"errand/internal/problem"
)

const (
	// idle is how long a connection is kept that nobody uses: a conversation with
	// pauses finds it warm, and a server that is not used any more is left alone.
	idle = 5 * time.Minute

	// listLife is how long a server's list is taken as it is, where the server
	// doesn't say that it has changed.
	listLife = time.Minute

	// faultLife is how long a server that could not be reached is not tried again:
	// long enough that the tools of one run cost one timeout, short enough that a
	// restart is noticed.
	faultLife = 5 * time.Second

	// maxLinks is from when on one that rests is closed for each new one: requests
	// may name any number of servers, and a connection costs both sides.
	maxLinks = 1024

	// closeTime bounds the good-byes at the end of this process.
	closeTime = 5 * time.Second
)

// pool has a link for each server that is in use.
type pool struct {
	servers *Servers
	ctx     context.Context // of all that outlives a call; ended by close
	cancel  context.CancelFunc
	work    sync.WaitGroup
	byes    sync.WaitGroup // sessions that are being closed

	mu     sync.Mutex
	links  map[string]*link
	closed bool
}

func newPool(s *Servers) *pool {
	ctx, cancel := context.WithCancel(context.Background())
	return &pool{servers: s, ctx: ctx, cancel: cancel, links: map[string]*link{}}
}

// link returns the one link to a server, for its project and credentials.
func (p *pool) link(e *endpoint) *link {
	key := e.key()
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.links[key]
	if l == nil {
		if len(p.links) >= maxLinks {
			p.evict()
		}
		l = &link{pool: p, key: key}
		p.links[key] = l
	}
	return l
}

// evict closes a link that nobody uses, if there is one; p.mu is held.
func (p *pool) evict() {
	for key, l := range p.links {
		l.mu.Lock()
		free := l.users == 0 && l.opening == nil && l.listing == nil
		l.mu.Unlock()
		if free {
			delete(p.links, key)
			l.shut()
			return
		}
	}
}

// spawn runs what must have ended before close returns.
func (p *pool) spawn(work func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.work.Go(work)
	return true
}

func (p *pool) close() error {
	p.mu.Lock()
	p.closed = true
	links := p.links
	p.links = map[string]*link{}
	p.mu.Unlock()
	for _, l := range links {
		l.shut()
	}
	done := make(chan struct{})
	go func() {
		p.byes.Wait()
		p.cancel()
		p.work.Wait()
		close(done)
	}()
	timer := time.NewTimer(closeTime)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-timer.C:
		p.cancel()
		return errors.New("a connection to an MCP server did not end in time")
	}
}

// link is the shared connection to one server. Its session is opened when
// somebody needs it, and closed when nobody has for a while.
type link struct {
	pool *pool
	key  string

	mu      sync.Mutex
	session *session
	opening *opening
	users   int
	rest    *time.Timer // runs while there are no users
	listed  *listing
	listing *opening // of a list that is being fetched
	failed  error    // of the last attempt, for faultLife
	failure time.Time
}

// opening is work that several wait for.
type opening struct {
	done    chan struct{}
	session *session
	list    *listing
	err     error
}

// acquire returns a session that stood a moment ago. release must follow.
func (l *link) acquire(ctx context.Context, e *endpoint) (*session, error) {
	l.mu.Lock()
	if l.session != nil && l.session.ended() {
		l.session = nil
	}
	if s := l.session; s != nil {
		l.use()
		l.mu.Unlock()
		return s, nil
	}
	o := l.opening
	if o == nil {
		if l.failed != nil && l.pool.servers.cfg.Now().Sub(l.failure) < faultLife {
			defer l.mu.Unlock()
			return nil, l.failed
		}
		o = &opening{done: make(chan struct{})}
		l.opening = o
		if !l.pool.spawn(func() { l.open(e, o) }) {
			l.opening = nil
			l.mu.Unlock()
			return nil, problem.New(problem.ToolFailed, "This server is shutting down. Nothing was sent.")
		}
	}
	l.use()
	l.mu.Unlock()
	select {
	case <-o.done:
		if o.err != nil {
			l.release()
		}
		return o.session, o.err
	case <-ctx.Done():
		l.release()
		return nil, problem.New(problem.ToolFailed, "The MCP server %s (%s) can't be reached: %s. Nothing was sent.", e.name, e.shown, impatience(ctx, e)).Because(ctx.Err())
	}
}

// impatience says why nobody waited any longer.
func impatience(ctx context.Context, e *endpoint) string {
	switch {
	case errors.Is(context.Cause(ctx), errLate):
		return fmt.Sprintf("no answer came within %d seconds", int(e.timeout.Seconds()))
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "no answer came in the time that there was"
	}
	return "it was cancelled"
}

// open connects, for all who wait.
func (l *link) open(e *endpoint, o *opening) {
	o.session, o.err = l.pool.servers.dial(l.pool.ctx, e, l.forget)
	if o.err != nil {
		l.pool.servers.cfg.Logger.Debug("an MCP server can't be reached", "server", e.name, "url", e.shown, "error", o.err)
	}
	l.mu.Lock()
	l.opening, l.session = nil, o.session
	l.failed, l.failure = o.err, l.pool.servers.cfg.Now()
	l.mu.Unlock()
	close(o.done)
}

// use counts a user; l.mu is held.
func (l *link) use() {
	l.users++
	if l.rest != nil {
		l.rest.Stop()
		l.rest = nil
	}
}

// release ends a use. The last one starts the rest.
func (l *link) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.users--; l.users == 0 {
		l.rest = time.AfterFunc(idle, l.retire)
	}
}

// retire closes a link that nobody has used for a while.
func (l *link) retire() {
	l.pool.mu.Lock()
	l.mu.Lock()
	busy := l.users > 0
	if !busy && l.pool.links[l.key] == l {
		delete(l.pool.links, l.key)
	}
	l.mu.Unlock()
	l.pool.mu.Unlock()
	if !busy {
		l.shut()
	}
}

// shut closes the session, in the background: saying good-bye may take a while.
func (l *link) shut() {
	l.mu.Lock()
	s := l.session
	l.session, l.listed = nil, nil
	if l.rest != nil {
		l.rest.Stop()
	}
	l.mu.Unlock()
	if s != nil {
		s.close()
	}
}

// drop forgets a session that turned out to be of no use.
func (l *link) drop(s *session) {
	l.mu.Lock()
	if l.session == s {
		l.session = nil
	}
	l.mu.Unlock()
	s.close()
}

// forget drops the list: the server has said that it has changed.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listed = nil
}

// fresh returns the list, if it is young enough; l.mu is held.
func (l *link) fresh() *listing {
	if l.listed != nil && l.pool.servers.cfg.Now().Sub(l.listed.at) < listLife {
		return l.listed
	}
	return nil
}

// list returns the server's list, at most listLife old.
func (l *link) list(ctx context.Context, e *endpoint) (*listing, error) {
	l.mu.Lock()
	if list := l.fresh(); list != nil {
		l.mu.Unlock()
		return list, nil
	}
	o := l.fetching(e)
	l.mu.Unlock()
	if o == nil {
		return nil, problem.New(problem.ToolFailed, "This server is shutting down. Nothing was sent.")
	}
	select {
	case <-o.done:
		return o.list, o.err
	case <-ctx.Done():
		return nil, problem.New(problem.ToolFailed, "The MCP server %s (%s) did not list its tools: %s.", e.name, e.shown, impatience(ctx, e)).Because(ctx.Err())
	}
}

// fetching returns the fetching of a list that is under way, and begins it if
// there is none; l.mu is held. Nil means that this process ends.
func (l *link) fetching(e *endpoint) *opening {
	if l.listing == nil {
		o := &opening{done: make(chan struct{})}
		if !l.pool.spawn(func() { l.fetch(e, o) }) {
			return nil
		}
		l.listing = o
	}
	return l.listing
}

func (l *link) fetch(e *endpoint, o *opening) {
	ctx, cancel := context.WithTimeoutCause(l.pool.ctx, e.timeout, errLate) // connecting included
	defer cancel()
	o.list, o.err = l.ask(ctx, e)
	l.mu.Lock()
	l.listing = nil
	if o.err == nil {
		l.listed = o.list
	}
	l.mu.Unlock()
	close(o.done)
}

// ask fetches the list. Asking does no harm, so it is tried again on a new
// session when the old one has expired or died.
func (l *link) ask(ctx context.Context, e *endpoint) (*listing, error) {
	var list *listing
	for try := 1; ; try++ {
		s, err := l.acquire(ctx, e)
		if err != nil {
			return nil, err
		}
		at := l.pool.servers.cfg.Now()
		f := &flight{safe: true}
		list, err = lists(withFlight(ctx, f), s.sdk, l.pool.servers.cfg.Schemas)
		l.release()
		if err == nil {
			list.at = at
			return list, nil
		}
		if try == 2 || ctx.Err() != nil || !(f.gone() || s.ended()) {
			return nil, unlisted(ctx, e, f, err)
		}
		l.drop(s)
	}
}

// unlisted says why there is no list.
func unlisted(ctx context.Context, e *endpoint, f *flight, err error) error {
	return problem.New(problem.ToolFailed, "The MCP server %s (%s) did not list its tools: %s.", e.name, e.shown, reason(ctx, e, f, err)).Because(err)
}

// freshen fetches a list in the background that has grown old, so that the next
// who asks sees what has changed.
func (l *link) freshen(e *endpoint) {
	s := l.pool.servers
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fresh() != nil || l.listing != nil || l.failed != nil && s.cfg.Now().Sub(l.failure) < faultLife {
		return
	}
	o := l.fetching(e)
	if o == nil {
		return
	}
	l.pool.spawn(func() {
		<-o.done
		if o.err != nil {
			return // whoever calls a tool of it is told
		}
		if _, err := s.observe(l.pool.ctx, e, o.list); err != nil && l.pool.ctx.Err() == nil {
			s.cfg.Logger.Warn("what an MCP server has could not be written down", "server", e.name, "error", fmt.Sprint(err))
		}
	})
}
