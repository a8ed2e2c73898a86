package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Kinds of rows.
const (
	keyKind     = "key"     // in project "": a secret is looked up before its project is known
	projectKind = "project" // in project "": its id is the project's name
)

const (
	// cacheFor is how long a looked-up key is believed. It bounds how long a key
	// works on one node after another node has revoked it.
	cacheFor = 3 * time.Second
	// cacheSize bounds the memory: more keys than are in use within cacheFor.
	cacheSize = 4096
)

// Rows is where keys and projects are kept. internal/store has the implementations.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// RowByName returns the row with this name, or a not_found problem.
	RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
	// Rows returns a page of rows in order of id.
	Rows(ctx context.Context, query run.RowQuery) ([]run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Book looks keys up, makes and revokes them. It is safe for concurrent use.
type Book struct {
	rows  Rows
	now   func() time.Time
	decoy []byte // a stored key that nobody has: see refuse

	mu         sync.Mutex
	cache      map[[sha256.Size]byte]cached
	generation int // grows with each revocation: a lookup that began before is not kept
}

type cached struct {
	key    Key
	caller Caller
	until  time.Time
}

// NewBook returns a Book over the rows. now is the clock; nil means time.Now.
func NewBook(rows Rows, now func() time.Time) *Book {
	if now == nil {
		now = time.Now
	}
	decoy, _ := json.Marshal(storedKey{Name: "decoy", Scopes: Scopes(), Project: DefaultProject})
	return &Book{rows: rows, now: now, decoy: decoy, cache: map[[sha256.Size]byte]cached{}}
}

// Authenticate returns who holds the secret, or the one unauthenticated problem
// that says nothing about why. Another error means that the store could not tell.
func (b *Book) Authenticate(ctx context.Context, secret string) (Caller, error) {
	hash := sha256.Sum256([]byte(secret))
	now := b.now()
	b.mu.Lock()
	known, found := b.cache[hash]
	generation := b.generation
	b.mu.Unlock()
	if found && now.Before(known.until) {
		if !known.key.Live(now) {
			return Caller{}, refused()
		}
		return known.caller, nil
	}
	row, err := b.rows.RowByName(ctx, keyKind, "", hex.EncodeToString(hash[:]))
	missing := problem.Is(err, problem.NotFound)
	if err != nil && !missing {
		return Caller{}, fmt.Errorf("looking a key up: %w", err)
	}
	if missing {
		row.Data = b.decoy // the same work as for a key that is there but void
	}
	key, err := keyOf(row)
	if err != nil {
		return Caller{}, err
	}
	if missing || !key.Live(now) {
		return Caller{}, refused()
	}
	caller := Caller{Project: key.Project, KeyID: key.ID, KeyName: key.Name, Scopes: key.Scopes}
	caller.seed = sha256.Sum256([]byte("errand sealing seed\x00" + secret))
	b.keep(hash, generation, cached{key: key, caller: caller, until: now.Add(cacheFor)})
	return caller, nil
}

// refused is the one answer to every key that opens nothing.
func refused() error {
	return problem.New(problem.Unauthenticated,
		"There is no valid API key in this request: send one as \"Authorization: Bearer sk_…\" or \"x-api-key: sk_…\".")
}

func (b *Book) keep(hash [sha256.Size]byte, generation int, entry cached) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.generation != generation {
		return
	}
	if len(b.cache) >= cacheSize {
		clear(b.cache)
	}
	b.cache[hash] = entry
}

// forget empties the cache, also of lookups under way.
func (b *Book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.generation++
	clear(b.cache)
}

// storedKey is a Key as its row holds it; id, creation and hash are the row's own.
type storedKey struct {
	Name    string    `json:"name"`
	Prefix  string    `json:"prefix,omitempty"`
	Scopes  []string  `json:"scopes"`
	Project string    `json:"project"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
}

func keyOf(row run.Row) (Key, error) {
	var stored storedKey
	if err := json.Unmarshal(row.Data, &stored); err != nil {
		return Key{}, fmt.Errorf("reading the stored key %s: %w", row.ID, err)
	}
	return Key{
		ID: row.ID, Name: stored.Name, Prefix: stored.Prefix, Scopes: stored.Scopes, Project: stored.Project,
		Expires: stored.Expires, Created: row.Created, Revoked: stored.Revoked,
	}, nil
}

// rowOf is the row of a key under the hash of its secret.
func rowOf(key Key, hash string) (run.Row, error) {
	data, err := json.Marshal(storedKey{
		Name: key.Name, Prefix: key.Prefix, Scopes: key.Scopes, Project: key.Project,
		Expires: key.Expires, Revoked: key.Revoked,
	})
	if err != nil {
		return run.Row{}, fmt.Errorf("storing the key %s: %w", key.ID, err)
	}
	return run.Row{Kind: keyKind, ID: key.ID, Name: hash, Created: key.Created, Data: data}, nil
}
