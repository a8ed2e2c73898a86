package auth

import (
	"cmp"
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
	keyKind     = "key"        // in project "": a secret is looked up before its project is known
	formerKind  = "key_former" // likewise: the secret that a key had before, while it still works
	useKind     = "key_use"    // likewise: when a key was used last
	projectKind = "project"    // in project "": its id is the project's name
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

	idleSession []byte // a stored session that nobody has, likewise
	links       links

	mu         sync.Mutex
	cache      map[entry]cached
	generation int                 // grows with each revocation: a lookup that began before is not kept
	uses       map[string]use      // by key
	limits     map[string]believed // likewise
}

// entry is what was looked up: the hash of a secret, or the stored name of a session.
// The two are kept apart, so that nothing that is stored of a session is the secret of
// anyone while that session is in use.
type entry struct {
	session bool
	hash    [sha256.Size]byte
}

type cached struct {
	key    Key
	caller Caller
	until  time.Time
}

// believed are limits, for as long as another node may have changed them.
type believed struct {
	Limits
	until time.Time
}

// NewBook returns a Book over the rows. now is the clock; nil means time.Now.
func NewBook(rows Rows, now func() time.Time) *Book {
	if now == nil {
		now = time.Now
	}
	decoy, _ := json.Marshal(storedKey{Name: "decoy", Scopes: Scopes(), Project: DefaultProject})
	idle, _ := json.Marshal(storedSession{Secret: fingerprint("nobody's")})
	return &Book{rows: rows, now: now, decoy: decoy, idleSession: idle, cache: map[entry]cached{}, uses: map[string]use{}, limits: map[string]believed{}}
}

// Authenticate returns who holds the secret, or the one unauthenticated problem
// that says nothing about why. Another error means that the store could not tell.
func (b *Book) Authenticate(ctx context.Context, secret string) (Caller, error) {
	hash := sha256.Sum256([]byte(secret))
	now := b.now()
	b.mu.Lock()
	known, found := b.cache[entry{hash: hash}]
	generation := b.generation
	b.mu.Unlock()
	if found && now.Before(known.until) {
		if !known.key.Live(now) {
			return Caller{}, refused()
		}
		b.use(ctx, known.key.ID, now)
		return known.caller, nil
	}
	key, until, err := b.find(ctx, hex.EncodeToString(hash[:]), now)
	if err != nil {
		return Caller{}, err
	}
	if !key.Live(now) {
		return Caller{}, refused()
	}
	caller := callerOf(&key)
	caller.seed = seedOf(secret)
	b.keep(entry{hash: hash}, generation, cached{key: key, caller: caller, until: until})
	b.use(ctx, key.ID, now)
	return caller, nil
}

// find looks a secret up, as the one that a key has and as the one that it had
// before; until says how long what was found may be believed. For a key that opens
// nothing, whatever the reason, it does all that work and returns a void one.
func (b *Book) find(ctx context.Context, hash string, now time.Time) (key Key, until time.Time, err error) {
	until = now.Add(cacheFor)
	if key, err = b.stored(b.rows.RowByName(ctx, keyKind, "", hash)); err != nil || key.Live(now) {
		return key, until, err
	}
	former, err := b.rows.RowByName(ctx, formerKind, "", hash)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Key{}, until, fmt.Errorf("looking a former secret up: %w", err)
	}
	held := err == nil && now.Before(former.Expires)
	id := former.ID
	if !held {
		id = "key_decoy"
	}
	if key, err = b.stored(b.rows.Row(ctx, keyKind, "", id)); err != nil || !held {
		return void(), until, err
	}
	if former.Expires.Before(until) {
		until = former.Expires
	}
	return key, until, nil
}

// void is a key that opens nothing.
func void() Key { return Key{Revoked: time.Unix(0, 0)} }

// stored reads a looked-up row. For one that is not there it does the same work as
// for a key that is there but opens nothing, and returns such a key.
func (b *Book) stored(row run.Row, err error) (Key, error) {
	missing := problem.Is(err, problem.NotFound)
	if err != nil && !missing {
		return Key{}, fmt.Errorf("looking a key up: %w", err)
	}
	if missing {
		row = run.Row{Data: b.decoy}
	}
	key, err := keyOf(row)
	if missing {
		key = void()
	}
	return key, err
}

// Changes grows with each change of a key on this server: who has looked at a key
// need not look again before it does, or before cacheFor is over.
func (b *Book) Changes() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.generation
}

// refused is the one answer to every key that opens nothing.
func refused() error {
	return problem.New(problem.Unauthenticated,
		"There is no valid API key in this request: send one as \"Authorization: Bearer sk_…\" or \"x-api-key: sk_…\".")
}

func (b *Book) keep(at entry, generation int, found cached) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.generation != generation {
		return
	}
	if len(b.cache) >= cacheSize {
		clear(b.cache)
	}
	b.cache[at] = found
}

// forget empties the cache, also of lookups under way.
func (b *Book) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.generation++
	clear(b.cache)
	clear(b.limits)
}

// storedKey is a Key as its row holds it; id, creation and hash are the row's own.
type storedKey struct {
	Name    string    `json:"name"`
	Prefix  string    `json:"prefix,omitempty"`
	Scopes  []string  `json:"scopes"`
	Project string    `json:"project"`
	Agents  []string  `json:"agents,omitempty"`
	Limits  Limits    `json:"limits,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Revoked time.Time `json:"revoked,omitzero"`
	Voice   string    `json:"voice,omitempty"` // empty = its own
}

func keyOf(row run.Row) (Key, error) {
	var stored storedKey
	if err := json.Unmarshal(row.Data, &stored); err != nil {
		return Key{}, fmt.Errorf("reading the stored key %s: %w", row.ID, err)
	}
	return Key{
		ID: row.ID, Name: stored.Name, Prefix: stored.Prefix, Scopes: stored.Scopes, Project: stored.Project,
		Agents: stored.Agents, Limits: stored.Limits, Expires: stored.Expires, Created: row.Created, Revoked: stored.Revoked,
		Voice: cmp.Or(stored.Voice, row.ID),
	}, nil
}

// rowOf is the row of a key under the hash of its secret.
func rowOf(key Key, hash string) (run.Row, error) {
	data, err := json.Marshal(storedKey{
		Name: key.Name, Prefix: key.Prefix, Scopes: key.Scopes, Project: key.Project,
		Agents: key.Agents, Limits: key.Limits, Expires: key.Expires, Revoked: key.Revoked,
		Voice: key.borrowed(),
	})
	if err != nil {
		return run.Row{}, fmt.Errorf("storing the key %s: %w", key.ID, err)
	}
	return run.Row{Kind: keyKind, ID: key.ID, Name: hash, Created: key.Created, Data: data}, nil
}
