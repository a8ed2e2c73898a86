package browser

import (
	"context"
	"io"
	"sync"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// Search finds pages, for browser.search.
type Search interface {
	Find(ctx context.Context, project, query string, count int) (run.Found, error)
}

// Files opens stored files, for browser.upload_file.
type Files interface {
	// Open returns a file's name and content, or a not_found problem.
	Open(ctx context.Context, project, id string) (name string, content io.ReadCloser, err error)
}

// Keeper keeps screenshots.
type Keeper interface {
	// Keep stores a PNG and returns its id and its address on this server.
	Keep(ctx context.Context, project string, id run.ID, png []byte) (file, url string, err error)
}

// Config is what a Browser needs.
type Config struct {
	Chromium string           // path or name, from the settings or from Find; empty = every action fails and says what to install
	Dir      string           // required: where profiles are, of this server alone
	Guard    *egress.Guard    // required: which addresses may be called
	Now      func() time.Time // required
	Search   Search           // nil = browser.search opens a search engine's page
	Files    Files            // nil = browser.upload_file says that there are none
	Keeper   Keeper           // nil = screenshots are shown and not kept
	// EachStep keeps a screenshot after every action that shows a page.
	EachStep bool

	ActionTime time.Duration // for one action; 0 = 30 s
	IdleTime   time.Duration // after which the tabs of a run that goes on are closed, and Chromium when there are no tabs; 0 = 30 min
	MaxTabs    int           // of one run; 0 = 8
	MaxRuns    int           // that have tabs at a time; 0 = 16
	MaxActions int           // of one run; 0 = 500
}

func (c Config) withDefaults() Config {
	set := func(value *int, usual int) {
		if *value == 0 {
			*value = usual
		}
	}
	if c.ActionTime == 0 {
		c.ActionTime = 30 * time.Second // as long as people wait for a page
	}
	if c.IdleTime == 0 {
		c.IdleTime = 30 * time.Minute // longer than a model thinks, and than most people take to approve
	}
	set(&c.MaxTabs, 8)
	set(&c.MaxRuns, 16) // each has a renderer of some 100 MB
	set(&c.MaxActions, 500)
	return c
}

// owner is whom a session belongs to: a run of a project.
type owner struct {
	project string
	run     run.ID
}

// Browser is all tools over one Chromium, which runs while it is used. It is safe
// for concurrent use.
type Browser struct {
	cfg      Config
	mu       sync.Mutex
	sessions map[owner]*session
	closed   bool
	closing  sync.WaitGroup // sessions of runs that have ended
	stop     chan struct{}
	swept    chan struct{} // closed when the sweeper has ended; nil = none runs

	launching chan struct{} // holds one: a single start at a time
	process   *process      // guarded by launching
}

// New returns the browser. Nothing is started.
func New(cfg Config) *Browser {
	return &Browser{cfg: cfg.withDefaults(), sessions: map[owner]*session{}, stop: make(chan struct{}), launching: make(chan struct{}, 1)}
}

// Tools returns the tools. Closing any one of them closes the browser.
func (b *Browser) Tools() []tool.Tool {
	var all []tool.Tool
	for _, a := range actions() {
		all = append(all, &act{browser: b, action: a})
	}
	return all
}

// Close ends all sessions and Chromium. Calls that are under way fail.
func (b *Browser) Close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	swept := b.swept
	b.mu.Unlock()
	close(b.stop)
	if swept != nil {
		<-swept
	}
	b.launching <- struct{}{}
	if b.process != nil {
		b.process.end()
		b.process = nil
	}
	b.closing.Wait()
	return nil // launching stays taken: nothing starts any more
}

// enter takes the run's session, made if there is none, for one action.
func (b *Browser) enter(ctx context.Context, id owner) (*session, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil, problem.New(problem.ToolFailed, "The browser is closed: this server is stopping.")
	}
	s := b.sessions[id]
	if s == nil {
		spare := b.spare()
		if spare != nil {
			defer spare.close()
		} else if len(b.sessions) >= b.cfg.MaxRuns {
			b.mu.Unlock()
			return nil, problem.New(problem.ToolFailed, "%d runs use the browser, which is as many as this server lets. Try again later.", b.cfg.MaxRuns)
		}
		s = newSession()
		b.sessions[id] = s
	}
	s.busy++
	if b.swept == nil {
		b.swept = make(chan struct{})
		go b.sweep(b.swept)
	}
	b.mu.Unlock()
	select {
	case s.turn <- struct{}{}:
		return s, nil
	case <-ctx.Done():
		b.leave(id, s, false)
		return nil, problem.New(problem.ToolFailed, "The call was cancelled while it waited for the run's other actions.").Because(ctx.Err())
	}
}

// spareTime is after how long a session gives way to a new one when there are too
// many: few models think for longer between two actions.
const spareTime = time.Minute

// spare takes out the session that was not used for longest, when there must be
// room for another and one can be spared.
func (b *Browser) spare() *session {
	if len(b.sessions) < b.cfg.MaxRuns {
		return nil
	}
	var oldest owner
	var found *session
	for id, s := range b.sessions {
		if s.busy == 0 && b.cfg.Now().Sub(s.used) >= spareTime && (found == nil || s.used.Before(found.used)) {
			oldest, found = id, s
		}
	}
	if found != nil {
		delete(b.sessions, oldest)
	}
	return found
}

// leave gives the session back.
func (b *Browser) leave(id owner, s *session, entered bool) {
	if entered {
		<-s.turn
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.busy--
	s.used = b.cfg.Now()
	switch {
	case s.busy > 0 || b.sessions[id] != s:
	case s.over:
		b.discard(id, s)
	case s.process == nil:
		delete(b.sessions, id) // it was closed, or never opened
	}
}

// Release closes what a run that has ended had open, at once or as soon as its last
// call has come back. It does not wait.
func (b *Browser) Release(ended run.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, s := range b.sessions {
		if id.run != ended {
			continue
		}
		if s.over = true; s.busy == 0 {
			b.discard(id, s)
		}
	}
}

// discard closes a session that nobody uses. The lock is held.
func (b *Browser) discard(id owner, s *session) {
	delete(b.sessions, id)
	if b.closed {
		return // it goes with the process
	}
	b.closing.Go(s.close)
}

// ready gives the session a living process and a current tab.
func (b *Browser) ready(ctx context.Context, s *session) error {
	if s.process != nil && !s.process.dead() {
		if s.current != nil && !s.current.gone() {
			return nil
		}
		if s.current != nil {
			return s.closeTab(ctx, s.current)
		}
	}
	p, err := b.running(ctx)
	if err != nil {
		return err
	}
	return s.open(ctx, p)
}

// running returns the Chromium that runs, started if there is none.
func (b *Browser) running(ctx context.Context) (*process, error) {
	select {
	case b.launching <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-b.stop:
		return nil, problem.New(problem.ToolFailed, "The browser is closed: this server is stopping.")
	}
	defer func() { <-b.launching }()
	if b.process != nil && !b.process.dead() {
		return b.process, nil
	}
	if b.process != nil {
		b.process.end()
		b.process = nil
	}
	made, err := launch(ctx, &b.cfg)
	if err != nil {
		return nil, err
	}
	b.process = made
	return made, nil
}

// sweep closes sessions that nobody uses any more, and Chromium when there is none
// left.
func (b *Browser) sweep(done chan struct{}) {
	defer close(done)
	tick := time.NewTicker(max(b.cfg.IdleTime/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-tick.C:
		}
		b.mu.Lock()
		now, idle := b.cfg.Now(), []*session(nil)
		for id, s := range b.sessions {
			if s.busy == 0 && now.Sub(s.used) >= b.cfg.IdleTime {
				delete(b.sessions, id)
				idle = append(idle, s)
			}
		}
		b.mu.Unlock()
		for _, s := range idle {
			s.close()
		}
		b.rest()
	}
}

// rest ends Chromium if no session is left.
func (b *Browser) rest() {
	select {
	case b.launching <- struct{}{}:
	default:
		return // it is being started
	}
	defer func() { <-b.launching }()
	b.mu.Lock()
	used := len(b.sessions) > 0
	b.mu.Unlock()
	if !used && b.process != nil {
		b.process.end()
		b.process = nil
	}
}
