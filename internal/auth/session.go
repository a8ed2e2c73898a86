package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// A session stands for a key in a browser, which must not keep the key itself. It is
// a random token of which only the hash is stored, beside the hash of the secret that
// the key had when it began: whatever ends that secret (revocation, expiry, another
// secret in its place) ends the session in the same moment, because both are looked up
// in the same way.

const (
	// SessionIdle is how long a session lasts that nobody uses: over a lunch and not
	// over a night.
	SessionIdle = 12 * time.Hour
	// SessionLongest is when one has to sign in again, whatever one did: once a week.
	SessionLongest = 7 * 24 * time.Hour
	// extendEvery is how often it is written that a session is in use.
	extendEvery = 5 * time.Minute

	sessionKind  = "session" // in project "": a token is looked up before its project is known
	sessionBytes = 32        // random ones of a token: nobody guesses 256 bits
)

// Session is what one has signed in to.
type Session struct {
	ID    string // ses_…
	Began time.Time
	Idle  time.Time // when it ends if nobody uses it before
	Until time.Time // when it ends in any case

	version int64 // of its row
	name    string
	secret  string // fingerprint of the key's secret
}

// Opened is a new session with its token, which is never seen again.
type Opened struct {
	Token  string
	Caller Caller // its Session is the new one
}

type storedSession struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"`
}

// SignIn begins a session of the key that has the secret. Former, if not nil, is the
// session of whoever signs in, which ends: a browser has one. Errors: unauthenticated.
func (b *Book) SignIn(ctx context.Context, secret string, former *Session) (Opened, error) {
	caller, err := b.Authenticate(ctx, secret)
	if err != nil {
		return Opened{}, err
	}
	return b.open(ctx, caller, beginning{secret: fingerprint(secret), by: "key", former: former})
}

// beginning is how a session begins.
type beginning struct {
	secret string // fingerprint
	by     string // key or link
	former *Session
}

func (b *Book) open(ctx context.Context, caller Caller, how beginning) (Opened, error) {
	random := make([]byte, sessionBytes)
	_, _ = rand.Read(random)
	token := base64.RawURLEncoding.EncodeToString(random)
	now := b.now().UTC().Truncate(time.Millisecond)
	made := &Session{ID: "ses_" + newKeyID(now)[len("key_"):], Began: now, Until: now.Add(SessionLongest), name: nameOf(token), secret: how.secret}
	made.Idle = made.idle(now)
	row, err := made.row()
	if err != nil {
		return Opened{}, err
	}
	commit := run.Commit{
		Rows:  []run.RowWrite{{Row: row, Expect: run.MustNotExist}},
		Audit: []run.Audit{sessionLine("session.created", made, &caller, how.by)},
	}
	if how.former != nil {
		commit.Rows = append(commit.Rows, how.former.gone())
	}
	err = b.rows.Append(ctx, commit)
	if how.former != nil {
		b.forget() // also after an error: the write may have happened
	}
	if err != nil {
		return Opened{}, fmt.Errorf("beginning a session: %w", err)
	}
	caller.Session, caller.seed = made, seedOf(token)
	return Opened{Token: token, Caller: caller}, nil
}

// SignOut ends the caller's session: here when it returns, on other nodes within
// three seconds.
func (b *Book) SignOut(ctx context.Context, caller Caller) error {
	err := b.rows.Append(ctx, run.Commit{
		Rows:  []run.RowWrite{caller.Session.gone()},
		Audit: []run.Audit{sessionLine("session.ended", caller.Session, &caller, "")},
	})
	b.forget() // also after an error: the write may have happened
	if err != nil {
		return fmt.Errorf("ending a session: %w", err)
	}
	return nil
}

// Session returns whose session the token is of, or the one unauthenticated problem
// that says nothing about why. Used says that somebody is using it, which keeps it from
// ending for want of use.
func (b *Book) Session(ctx context.Context, token string, used bool) (Caller, error) {
	name, now := nameOf(token), b.now()
	at := entry{session: true, hash: sha256.Sum256([]byte(name))}
	b.mu.Lock()
	known, found := b.cache[at]
	generation := b.generation
	b.mu.Unlock()
	fresh := !found || !now.Before(known.until)
	if fresh {
		var err error
		if known, err = b.resume(ctx, name, now); err != nil {
			return Caller{}, err
		}
	}
	session := known.caller.Session
	if !known.key.Live(now) || !now.Before(session.Idle) || !now.Before(session.Until) {
		return Caller{}, signedOut()
	}
	if fresh {
		known.caller.seed = seedOf(token)
		b.keep(at, generation, known)
	}
	if used {
		b.use(ctx, known.key.ID, now)
		b.extend(ctx, at, session, now)
	}
	return known.caller, nil
}

// resume looks a session up, and its key. For a token that nobody has, it does the
// same work as for one whose key opens nothing any more.
func (b *Book) resume(ctx context.Context, name string, now time.Time) (cached, error) {
	row, err := b.rows.RowByName(ctx, sessionKind, "", name)
	missing := problem.Is(err, problem.NotFound)
	if err != nil && !missing {
		return cached{}, fmt.Errorf("looking a session up: %w", err)
	}
	if missing {
		row.Data = b.idleSession
	}
	var stored storedSession
	if err := json.Unmarshal(row.Data, &stored); err != nil {
		return cached{}, fmt.Errorf("reading a stored session: %w", err)
	}
	key, until, err := b.find(ctx, stored.Secret, now)
	if err != nil {
		return cached{}, err
	}
	if missing {
		key = void()
	}
	session := &Session{
		ID: row.ID, Began: row.Created, Idle: row.Expires, Until: stored.Until, version: row.Version, name: name, secret: stored.Secret,
	}
	caller := callerOf(&key)
	caller.Session = session
	return cached{key: key, caller: caller, until: until}, nil
}

// extend writes that a session is in use, now and then. One that has ended meanwhile
// stays so: its row is not there any more.
func (b *Book) extend(ctx context.Context, at entry, session *Session, now time.Time) {
	later := *session
	if later.Idle = session.idle(now); later.Idle.Sub(session.Idle) < extendEvery {
		return
	}
	row, err := later.row()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), usePatience)
	defer cancel()
	// Whether that reaches the disk decides nothing now, and if it does not, the next
	// request tries again.
	_ = b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: session.version}}})
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.cache, at)
}

// idle is when a session that is used now ends if it is not used again.
func (s *Session) idle(now time.Time) time.Time {
	if idle := now.Add(SessionIdle); idle.Before(s.Until) {
		return idle.UTC().Truncate(time.Millisecond)
	}
	return s.Until
}

// row is the stored form. The store itself forgets it when it has expired.
func (s *Session) row() (run.Row, error) {
	data, err := json.Marshal(storedSession{Secret: s.secret, Until: s.Until})
	if err != nil {
		return run.Row{}, fmt.Errorf("storing the session %s: %w", s.ID, err)
	}
	return run.Row{Kind: sessionKind, ID: s.ID, Name: s.name, Created: s.Began, Expires: s.Idle, Data: data}, nil
}

// gone ends a session, also one that has just been extended.
func (s *Session) gone() run.RowWrite {
	return run.RowWrite{Row: run.Row{Kind: sessionKind, ID: s.ID}, Expect: run.AnyVersion, Delete: true}
}

// nameOf is the stored form of a token. The prefix keeps it apart from the stored form
// of a secret.
func nameOf(token string) string {
	sum := sha256.Sum256([]byte("errand session\x00" + token))
	return hex.EncodeToString(sum[:])
}

func sessionLine(action string, s *Session, caller *Caller, by string) run.Audit {
	line := run.Audit{Project: caller.Project, Action: action, Target: s.ID, Actor: caller.KeyID, ActorName: caller.KeyName}
	if by != "" {
		line.Data, _ = json.Marshal(struct { // strings are always encoded
			By string `json:"by"`
		}{by})
	}
	return line
}

// signedOut is the one answer to every token that opens nothing.
func signedOut() error {
	return problem.New(problem.Unauthenticated,
		"This session has ended, or its key is not valid any more: sign in again, with a key or with a link that \"errand link\" prints.")
}
