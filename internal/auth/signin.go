package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
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

// links are those that sign in once. Where one node is alone, they are kept in memory: a link is for the
// person who has just asked for it, and a server that starts prints another one. The
// zero value is ready.
type links struct {
	stored bool // they are rows, and this is not used

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
	return b.newLink(ctx, caller.KeyID)
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
	token, _, err = b.newLink(ctx, adminID)
	return token, err
}

func (b *Book) newLink(ctx context.Context, key string) (token string, until time.Time, err error) {
	random := make([]byte, sessionBytes)
	_, _ = rand.Read(random)
	token = base64.RawURLEncoding.EncodeToString(random)
	now := b.now()
	until = now.Add(LinkLife).UTC().Truncate(time.Second)
	hash := sha256.Sum256([]byte(token))
	if b.links.stored {
		row := run.Row{Kind: linkKind, ID: hex.EncodeToString(hash[:]), Created: now, Expires: until, Data: []byte(strconv.Quote(key))}
		if err = b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: run.MustNotExist}}}); err != nil {
			return "", until, fmt.Errorf("making a link: %w", err)
		}
		return token, until, nil
	}
	b.links.add(hash, signLink{key: key, until: until}, now)
	return token, until, nil
}

// linkKind is the kind of rows that links are where there are several nodes: one opens
// the link on whichever node the balancer picks. Only the hash of a token is stored.
const linkKind = "sign_link"

// StoreLinks keeps links in the store, for all nodes, and not in memory.
func (b *Book) StoreLinks() { b.links.stored = true }

// takeLink ends a link that is in force, and returns which key it is for.
func (b *Book) takeLink(ctx context.Context, token string, now time.Time) (key string, held bool, err error) {
	hash := sha256.Sum256([]byte(token))
	if !b.links.stored {
		link, held := b.links.take(hash, now)
		return link.key, held, nil
	}
	row, err := b.rows.Row(ctx, linkKind, "", hex.EncodeToString(hash[:]))
	if problem.Is(err, problem.NotFound) {
		return "", false, nil
	}
	if err == nil {
		err = b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: row.Version, Delete: true}}})
	}
	if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) {
		return "", false, nil // somebody was quicker
	}
	if err != nil {
		return "", false, fmt.Errorf("looking a link up: %w", err)
	}
	key, err = strconv.Unquote(string(row.Data))
	return key, err == nil && now.Before(row.Expires), err
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
	id, held, err := b.takeLink(ctx, token, now)
	if err != nil {
		return Opened{}, err
	}
	if !held {
		id = "key_decoy" // so that the work is the same
	}
	row, err := b.rows.Row(ctx, keyKind, "", id)
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
