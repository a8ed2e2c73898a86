// Package index is this server's own search: a full-text index over files and
// pages that the operator adds.
//
// What it promises:
//   - It is kept apart from the log: what is in it can be added again, and a large
//     upload holds no run up. Where it is kept is a Backing's matter: in a file of its
//     own beside SQLite's log, or in the PostgreSQL database that several nodes share.
//     Both answer alike.
//   - Everything belongs to a project and is found by that project alone.
//   - Any text is a query: quotes, operators and other syntax are just words.
//   - What is added again and has not changed costs nothing; what could not be
//     taken is named with the reason.
//   - A project never has more text than it may, whichever nodes add to it: what would
//     exceed that is refused, and what is there stays. To remove and to replace by less
//     is always possible.
//   - A file's address is index://NAME/PATH, the same for as long as it is there,
//     so that answers can cite it and web.fetch can read it.
//
// A tour: add.go (what goes in), text.go (files become text), search.go (what is asked
// for), word.go and stem.go (texts become words), passage.go (what is shown of a text),
// source.go (lists), backing.go (what keeps it all).
//
// To change what counts as a word, edit word.go; what is kept of a document, backing.go
// and the schemas of both backings (never a released file); what is found first, Find
// in both.
package index

import (
	"context"
	"time"
)

// Pages reads pages of the web. internal/tool/web has the implementation.
type Pages interface {
	// Page returns a page's title, its address after redirects, and its readable
	// text. Errors are problems.
	Page(ctx context.Context, address string) (title, final, text string, err error)
}

// Config says what an Index is made of. Keep must be set.
type Config struct {
	Keep  Backing
	Pages Pages            // nil = pages are refused
	Now   func() time.Time // nil = time.Now
	Most  int64            // bytes of text that one project may have; 0 = any number
}

// Index is safe for concurrent use. Make one with New.
type Index struct {
	cfg  Config
	keep Backing
}

// New makes an index over a backing, which Close closes.
func New(cfg Config) *Index {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Index{cfg: cfg, keep: cfg.Keep}
}

// Close waits for what is under way.
func (x *Index) Close() error { return x.keep.Close() }
