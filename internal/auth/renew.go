package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// MaxOverlap is how long the secret that a key had before may go on working.
const MaxOverlap = 30 * 24 * time.Hour

// Renew gives a key another secret and returns it; the old one opens nothing from
// then on. Otherwise it is Rotate.
func (b *Book) Renew(ctx context.Context, maker Caller, id string, also func(Issued) ([]run.RowWrite, error)) (Issued, error) {
	return b.Rotate(ctx, maker, id, 0, also)
}

// Rotate gives a key another secret and returns it; the one that it had works for as
// long as overlap says, and no older one does. The rows that also returns are written
// in the same transaction; also may be nil. Errors: not_found, also for a key of
// another project; conflict when it is revoked or has expired; scope_denied when it
// was granted more than the maker has, who would get all of that, or speaks with
// another voice than theirs, which they would get too; invalid_request
// (overlap_s); *run.RowConflict for a row of also.
func (b *Book) Rotate(ctx context.Context, maker Caller, id string, overlap time.Duration, also func(Issued) ([]run.RowWrite, error)) (Issued, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return Issued{}, problem.Invalid("overlap_s", "must be from 0 to %d: the seconds for which the secret that the key has now goes on working.", int(MaxOverlap.Seconds()))
	}
	for {
		row, err := b.rows.Row(ctx, keyKind, "", id)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return Issued{}, fmt.Errorf("renewing a key: %w", err)
		}
		var key Key
		if err == nil {
			if key, err = keyOf(row); err != nil {
				return Issued{}, err
			}
		}
		if err := b.renewable(&key, maker, id); err != nil {
			return Issued{}, err
		}
		if err := b.mayHave(ctx, &key, maker); err != nil {
			return Issued{}, err
		}
		issued := Issued{Key: key, Secret: newSecret()}
		issued.Prefix = prefixOf(issued.Secret)
		changed, err := rowOf(issued.Key, fingerprint(issued.Secret))
		if err != nil {
			return Issued{}, err
		}
		writes := []run.RowWrite{{Row: changed, Expect: row.Version}, b.former(row, overlap)}
		if also != nil {
			more, err := also(issued)
			if err != nil {
				return Issued{}, err
			}
			writes = append(writes, more...)
		}
		err = b.rows.Append(ctx, run.Commit{Rows: writes, Audit: lineOf("key.rotated", &issued.Key)})
		b.forget() // also after an error: the write may have happened
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) && conflict.Kind == keyKind {
			continue // changed meanwhile, perhaps revoked: look again
		}
		if err != nil {
			return Issued{}, fmt.Errorf("renewing a key: %w", err)
		}
		return issued, nil
	}
}

// former keeps the secret that a key has had, or lets go of it.
func (b *Book) former(key run.Row, overlap time.Duration) run.RowWrite {
	now := b.now()
	return run.RowWrite{Expect: run.AnyVersion, Delete: overlap == 0, Row: run.Row{
		Kind: formerKind, ID: key.ID, Name: key.Name, Created: now, Expires: now.Add(overlap), Data: []byte("{}"),
	}}
}

// renewable says why a key can't have another secret, or nothing.
func (b *Book) renewable(key *Key, maker Caller, id string) error {
	switch {
	case key.ID == "" || key.Project != maker.Project:
		return problem.New(problem.NotFound, "There is no key %q in this project.", id)
	case !key.Live(b.now()):
		return problem.New(problem.Conflict, "The key %s has been revoked or has expired: make a new one.", id)
	}
	for _, scope := range slices.Sorted(slices.Values(key.Scopes)) {
		if err := Allow(maker, scope); err != nil {
			return err
		}
	}
	return nil
}
