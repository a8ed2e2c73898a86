package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	adminID = "key_admin"
	// minAdminRunes: the operator makes this secret up, so it must not be one
	// that can be guessed.
	minAdminRunes = 16
	// adminTries: nodes that start together may all want to write the key.
	adminTries = 5
)

// EnsureAdmin makes the key named admin: all scopes, project default. With a
// secret (any string of 16 characters or more) that is its secret from now on,
// whatever it was before. Without one, and when the store has no key at all, a
// secret is generated and returned, to be shown once; otherwise the result is "".
func (b *Book) EnsureAdmin(ctx context.Context, secret string) (string, error) {
	generated := ""
	if secret == "" {
		empty, err := b.Empty(ctx)
		if err != nil || !empty {
			return "", err
		}
		secret = newSecret()
		generated = secret
	}
	if utf8.RuneCountInString(secret) < minAdminRunes {
		return "", problem.New(problem.InvalidRequest, "The admin key must have at least %d characters.", minAdminRunes)
	}
	for range adminTries {
		err := b.putAdmin(ctx, secret)
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) && !conflict.Name {
			continue // another node was quicker: perhaps with just this secret
		} else if errors.As(err, &conflict) {
			return "", problem.New(problem.Conflict, "The admin key's value belongs to another key: set one of its own.")
		}
		if err != nil {
			return "", fmt.Errorf("setting the admin key: %w", err)
		}
		return generated, nil
	}
	return "", problem.New(problem.Overloaded, "The admin key is being changed by other servers at the same time: start again.")
}

// putAdmin writes the admin key unless it is there as it should be.
func (b *Book) putAdmin(ctx context.Context, secret string) error {
	expect, did := run.MustNotExist, "key.created"
	row, err := b.rows.Row(ctx, keyKind, "", adminID)
	switch {
	case problem.Is(err, problem.NotFound):
	case err != nil:
		return err
	default:
		key, err := keyOf(row)
		if err != nil {
			return err
		}
		if row.Name == fingerprint(secret) {
			if key.Live(b.now()) {
				return nil
			}
			return problem.New(problem.Conflict, "The admin key has been revoked: set another value.")
		}
		expect, did = row.Version, "key.rotated"
	}
	key := Key{
		ID: adminID, Name: "admin", Prefix: prefixOf(secret), Scopes: []string{"admin"},
		Project: DefaultProject, Created: b.now().UTC().Truncate(time.Millisecond),
	}
	if row, err = rowOf(key, fingerprint(secret)); err != nil {
		return err
	}
	defer b.forget()
	return b.write(ctx, key.Project, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: expect}}, Audit: lineOf(did, &key)})
}

// Empty reports whether the store has no key at all.
func (b *Book) Empty(ctx context.Context) (bool, error) {
	page, err := b.rows.Rows(ctx, run.RowQuery{Kind: keyKind, Limit: 1})
	if err != nil {
		return false, fmt.Errorf("looking for keys: %w", err)
	}
	return len(page) == 0, nil
}
