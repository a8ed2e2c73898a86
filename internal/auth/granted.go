package auth

import (
	"context"
	"fmt"

	"errand/internal/problem"
)

// Granted returns what the key with this id is granted now: see Holder.
func (b *Book) Granted(ctx context.Context, project, id string) ([]string, error) {
	holder, err := b.Holder(ctx, project, id)
	return holder.Scopes, err
}

// Holder returns who the holder of the key with this id is now, for work that was
// ordered on its word and is done later: what it is granted, and which agents it is
// for. A key that is revoked, has expired or is not the project's is scope_denied:
// nothing more is done on its word.
func (b *Book) Holder(ctx context.Context, project, id string) (Caller, error) {
	row, err := b.rows.Row(ctx, keyKind, "", id)
	if err != nil && !problem.Is(err, problem.NotFound) {
		return Caller{}, fmt.Errorf("looking a key up: %w", err)
	}
	var key Key
	if err == nil {
		if key, err = keyOf(row); err != nil {
			return Caller{}, err
		}
	}
	if key.ID == "" || key.Project != project || !key.Live(b.now()) {
		return Caller{}, problem.New(problem.ScopeDenied,
			"This was set up with the key %s, which is not valid any more: whoever answers for it now saves it again with a key of their own.", id)
	}
	return callerOf(&key), nil
}
