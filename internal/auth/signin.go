package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	// LinkLife is how long a link that signs in waits for its one use.
	LinkLife = 15 * time.Minute
	// mostLinks bounds the memory; when there are more, the oldest is void.
	mostLinks = 64
)

// links are those that sign in once. They are kept in memory alone: a link is for the
// person who has just asked for it, and a server that starts prints another one. The
// zero value is ready.
type links struct {
	mu  sync.Mutex
	all map[[sha256.Size]byte]signLink
}

type signLink struct {
	key   string // its id
	until time.Time
}

// Link makes a link that signs in once as the caller, and returns its token.
func (b *Book) Link(ctx context.Context, caller *Caller) (token string, until time.Time, err error) {
	line := run.Audit{Project: caller.Project, Action: "session_link.created", Target: caller.KeyID}
	if err := b.rows.Append(ctx, run.Commit{Audit: []run.Audit{line}}); err != nil {
		return "", until, fmt.Errorf("making a link: %w", err)
	}
	token, until = b.newLink(caller.KeyID)
	return token, until, nil
}

// AdminLink makes a link that signs in once as the admin key, for whoever starts the
// server; an empty one when that key is not in force.
func (b *Book) AdminLink(ctx context.Context) (token string, err error) {
	row, err := b.rows.Row(ctx, keyKind, "", adminID)
	if problem.Is(err, problem.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking the admin key up: %w", err)
	}
	if key, err := keyOf(row); err != nil || !key.Live(b.now()) {
		return "", err
	}
	token, _ = b.newLink(adminID)
	return token, nil
}

func (b *Book) newLink(key string) (token string, until time.Time) {
	random := make([]byte, sessionBytes)
	_, _ = rand.Read(random)
	token = base64.RawURLEncoding.EncodeToString(random)
	now := b.now()
	until = now.Add(LinkLife).UTC().Truncate(time.Second)
	b.links.add(sha256.Sum256([]byte(token)), signLink{key: key, until: until}, now)
	return token, until
}

func (l *links) add(hash [sha256.Size]byte, link signLink, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[[sha256.Size]byte]signLink{}
	}
	var oldest [sha256.Size]byte
	for other, known := range l.all {
		if !now.Before(known.until) {
			delete(l.all, other)
		} else if first, any := l.all[oldest]; !any || known.until.Before(first.until) {
			oldest = other
		}
	}
	if len(l.all) >= mostLinks {
		delete(l.all, oldest)
	}
	l.all[hash] = link
}

// take returns a link that is in force, and ends it. It is looked up by the hash of
// its token, so that how long that takes says nothing about the token.
func (l *links) take(hash [sha256.Size]byte, now time.Time) (signLink, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	link, known := l.all[hash]
	delete(l.all, hash)
	return link, known && now.Before(link.until)
}

// SignInByLink begins a session of the key that a link is for; the link is void from
// then on. Former is as for SignIn. Errors: unauthenticated, the same for a link that was
// used, has expired or never was, and for one whose key is not valid any more.
func (b *Book) SignInByLink(ctx context.Context, token string, former *Session) (Opened, error) {
	now := b.now()
	link, held := b.links.take(sha256.Sum256([]byte(token)), now)
	if !held {
		link.key = "key_decoy" // so that the work is the same
	}
	row, err := b.rows.Row(ctx, keyKind, "", link.key)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Opened{}, fmt.Errorf("looking the key of a link up: %w", err)
	}
	if err != nil {
		row = run.Row{Data: b.decoy}
	}
	key, bad := keyOf(row)
	if bad != nil {
		return Opened{}, bad
	}
	if !held || err != nil || !key.Live(now) {
		return Opened{}, problem.New(problem.Unauthenticated,
			"This link has been used, has expired, or is of a server that has started again: ask for another one with \"errand link\", or sign in with a key.")
	}
	return b.open(ctx, callerOf(&key), beginning{secret: row.Name, by: "link", former: former})
}
