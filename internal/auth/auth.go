// Package auth knows who calls: API keys, the projects that they belong to, and
// the scopes that they were granted.
//
// What it promises: a secret is shown once and stored only as its SHA-256; a
// missing, foreign, revoked or expired key gets one and the same answer after
// the same work; a revocation is in force on this server when it returns and
// on every other node within three seconds; nobody hands out more than they have.
//
// A tour: auth.go (who calls and what that allows), scope.go (the closed list of
// scopes), secret.go (what a key looks like), book.go (looking a key up),
// issue.go (making, listing and revoking keys), renew.go (another secret), voice.go
// (which keys are one voice), used.go (when a key was used last), session.go and signin.go (who has signed in in a browser), project.go, admin.go (the first key), ledger.go
// (budgets as model calls are held against them), budgets.go (making and changing
// them), booked.go (what they have seen when a server starts).
//
// To add a scope, edit scope.go. To change what a key looks like, edit secret.go.
package auth

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// DefaultProject is the project of the admin key, and of keys that name none.
const DefaultProject = "default"

// Key is an API key as everyone may see it: all but its secret.
type Key struct {
	ID      string // key_…
	Name    string
	Prefix  string // the first characters of the secret, to recognise it by
	Scopes  []string
	Project string
	Agents  []string  // ids of the agents that it is for; nil = all
	Limits  Limits    // zero = those of the server
	Expires time.Time // zero = never
	Created time.Time
	Revoked time.Time // zero = in force
	Used    time.Time // zero = not yet, as far as is known: see List
	Voice   string    // id of the key whose voice it has where several must agree: its own, or see voice.go
}

// Limits are what one key may do at most. Zero fields say nothing.
type Limits struct {
	PerMinute int `json:"per_minute,omitempty"` // requests
	AtOnce    int `json:"at_once,omitempty"`    // runs at work
}

// Live reports whether the key opens doors at this time.
func (k *Key) Live(now time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || now.Before(k.Expires))
}

// Caller is who sent a request. It is handed along as an argument.
type Caller struct {
	Project string
	KeyID   string
	KeyName string
	Scopes  []string
	Agents  []string // ids of the agents that the key is for; nil = all
	Limits  Limits
	KeyEnds time.Time // when the key expires; zero = never
	Session *Session  // that the request came in by; nil = it has a key of its own

	// seed comes from the secret itself, which is stored nowhere: what is sealed
	// with it can't be read by someone who has the database.
	seed [sha256.Size]byte
}

func callerOf(key *Key) Caller {
	return Caller{
		Project: key.Project, KeyID: key.ID, KeyName: key.Name, Scopes: key.Scopes, Agents: key.Agents, Limits: key.Limits, KeyEnds: key.Expires,
	}
}

func seedOf(secret string) [sha256.Size]byte {
	return sha256.Sum256([]byte("errand sealing seed\x00" + secret))
}

// SealingKey derives a 32-byte encryption key that only a request with the
// caller's secret can derive again. Purpose keeps apart what is sealed for
// different reasons.
func (c *Caller) SealingKey(purpose, salt string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, c.seed[:], []byte(salt), purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("deriving a sealing key: %w", err)
	}
	return key, nil
}

// For reports whether the caller's key is for runs of this agent: its id, empty for a
// run without one.
func (c *Caller) For(agent string) bool {
	return c.Agents == nil || agent != "" && slices.Contains(c.Agents, agent)
}

// AdHoc returns nil when the caller may have work done that no saved agent does, and
// otherwise a scope_denied problem: a key that is for some agents alone may not.
func AdHoc(caller Caller) error {
	if caller.Agents == nil {
		return nil
	}
	return problem.New(problem.ScopeDenied, "The key %s is for the agents %s alone: name one of them, or use another key for this.",
		caller.KeyName, strings.Join(caller.Agents, ", "))
}

// Allow returns nil when the caller was granted the scope, and otherwise a
// scope_denied problem that names what was asked for and what there is.
func Allow(caller Caller, scope string) error {
	if run.ScopeIn(caller.Scopes, scope) {
		return nil
	}
	granted := "nothing"
	if len(caller.Scopes) > 0 {
		granted = strings.Join(caller.Scopes, ", ")
	}
	return problem.New(problem.ScopeDenied,
		"This needs the scope %s, and the key %s was granted %s: use a key with %s.", scope, caller.KeyName, granted, scope)
}
