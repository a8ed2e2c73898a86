package auth

import (
	"context"
	"fmt"

	"errand/internal/problem"
)

// A voice is what counts where several have to agree, or somebody else has to. A key
// that was made by a key with admin has a voice of its own: giving those to people is
// how it is said who they are. One that any other key has made has its maker's voice,
// so that nobody agrees with themselves by making keys; and nobody but an admin gives
// another secret to a key that has another voice than theirs, and so gets to hold it.

// Voice returns the id of the key whose voice the key with this id has: its own, or
// its maker's. What is no key speaks for itself.
func (b *Book) Voice(ctx context.Context, id string) (string, error) {
	row, err := b.rows.Row(ctx, keyKind, "", id)
	if problem.Is(err, problem.NotFound) {
		return id, nil
	}
	if err != nil {
		return "", fmt.Errorf("looking up whose voice a key has: %w", err)
	}
	key, err := keyOf(row)
	return key.Voice, err
}

// voiceFor is the voice of a key that the maker makes.
func (b *Book) voiceFor(ctx context.Context, maker Caller, id string) (string, error) {
	if Allow(maker, "admin") == nil {
		return id, nil
	}
	return b.Voice(ctx, maker.KeyID)
}

// mayHave says why the maker may not have a secret of the key, or nothing.
func (b *Book) mayHave(ctx context.Context, key *Key, maker Caller) error {
	if key.ID == maker.KeyID || Allow(maker, "admin") == nil {
		return nil
	}
	own, err := b.Voice(ctx, maker.KeyID)
	if err != nil || key.Voice == own {
		return err
	}
	return problem.New(problem.ScopeDenied,
		"The key %s speaks with a voice of its own, which whoever has its secret has too: use a key with admin, or that key itself if it has keys:write. The key %s gives secrets to itself and to keys of its own voice.",
		key.ID, maker.KeyName)
}

// borrowed is the id of the key whose voice this one has; empty where it has its own.
func (k *Key) borrowed() string {
	if k.Voice == k.ID {
		return ""
	}
	return k.Voice
}
