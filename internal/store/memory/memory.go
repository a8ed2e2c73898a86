// Package memory keeps everything in the process's memory: for tests, and for
// runs that nobody wants to keep.
//
// It promises what every store promises (package store), but for one thing: it
// forgets everything when the process ends. Events are kept in their stored form,
// so that a reader never shares memory with a writer and each test exercises the
// codec. Commits are written by a goroutine that lives only while there are some.
//
// To change what a commit does, edit commit.go; what readers see, read.go.
package memory

import (
	"context"
	"sync"
	"time"

	"errand/internal/run"
	"errand/internal/store"
)

// Config is what a Store may be given; its zero value is a plain store.
type Config struct {
	Now func() time.Time // when rows expire; nil = time.Now
	// Refuse, if set, is asked before each commit; its error fails the commit.
	// Tests use it to be a full or a broken disk.
	Refuse func(*run.Commit) error
}

// Store is a store in memory. Make one with New.
type Store struct {
	cfg Config

	mu      sync.RWMutex // guards what follows
	runs    map[run.ID]*record
	rows    map[rowKey]run.Row
	spend   map[run.Account]run.Spend
	audit   []run.Audit
	jobs    map[int64]run.Job
	lastJob int64
	stats   store.Stats
	onJobs  func()
	rates   map[string]time.Time // when each key has all its requests again

	queueMu sync.Mutex // guards what follows
	idle    *sync.Cond // nobody is draining
	queue   []item
	busy    bool
	closed  bool
}

// item is one thing to write, and who wants to know.
type item struct {
	commit run.Commit
	bodies [][]byte // of the commit's events, in order
	err    error    // found before it was queued
	finish int64    // a job to delete
	retry  int64    // a job to try again at due
	due    time.Time
	done   func(error)

	purge   []run.ID // runs to remove
	most    int
	removed func(rows int)
}

// New returns an empty store.
func New(cfg Config) *Store {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Store{cfg: cfg, runs: map[run.ID]*record{}, rows: map[rowKey]run.Row{}, spend: map[run.Account]run.Spend{}, jobs: map[int64]run.Job{}, rates: map[string]time.Time{}}
	s.idle = sync.NewCond(&s.queueMu)
	return s
}

// Submit queues c and returns. done is called exactly once, never from within
// Submit: when c is written or has failed. It must not block.
func (s *Store) Submit(c run.Commit, done func(error)) {
	bodies, err := store.Encode(&c)
	s.push(item{commit: c, bodies: bodies, err: err, done: done})
}

// Append is Submit for callers that wait. When ctx ends first, the commit may
// still be written.
func (s *Store) Append(ctx context.Context, c run.Commit) error {
	return store.Wait(ctx, func(done func(error)) { s.Submit(c, done) })
}

func (s *Store) push(it item) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if s.closed {
		it.err = store.ErrClosed
	}
	s.queue = append(s.queue, it)
	if !s.busy {
		s.busy = true
		go s.drain()
	}
}

// drain writes what is queued, one commit after the other, and ends.
func (s *Store) drain() {
	for {
		s.queueMu.Lock()
		if len(s.queue) == 0 {
			s.busy = false
			s.idle.Broadcast()
			s.queueMu.Unlock()
			return
		}
		group := s.queue
		s.queue = nil
		s.queueMu.Unlock()
		for i := range group {
			poke, err := s.write(&group[i])
			if poke != nil {
				poke()
			}
			group[i].done(err)
		}
	}
}

// OnJobs names the function to call after each commit that brought jobs, or a
// new time for one. It must not block.
func (s *Store) OnJobs(poke func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onJobs = poke
}

// Ping reports whether the store works: it always does until it is closed.
func (s *Store) Ping(context.Context) error {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}

// Stats returns the counters; sizes are zero.
func (s *Store) Stats() store.Stats {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.stats
}

// Close waits for what is queued. Later commits fail; reads go on.
func (s *Store) Close() error {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.closed = true
	for s.busy {
		s.idle.Wait()
	}
	return nil
}
