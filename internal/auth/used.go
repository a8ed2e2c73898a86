package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"errand/internal/run"
)

const (
	// useEvery is how often it is written that a key is in use: people look for keys
	// that nobody has used for months, and a write for each request would cost one.
	useEvery = 5 * time.Minute
	// usePatience bounds what a request waits for that.
	usePatience = time.Second
)

// use is when a key was used.
type use struct {
	seen    time.Time
	written time.Time
}

// storedUse is a use as its row holds it.
type storedUse struct {
	At time.Time `json:"at"`
}

// use notes that a key was used. Whether that reaches the disk decides nothing.
func (b *Book) use(ctx context.Context, id string, now time.Time) {
	b.mu.Lock()
	known := b.uses[id]
	due := now.Sub(known.written) >= useEvery
	if known.seen = now; due {
		known.written = now
	}
	b.uses[id] = known
	b.mu.Unlock()
	if !due {
		return
	}
	data, err := json.Marshal(storedUse{now.UTC().Truncate(time.Second)})
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), usePatience)
	defer cancel()
	row := run.Row{Kind: useKind, ID: id, Created: now, Data: data}
	_ = b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: run.AnyVersion}}})
}

// AtOnce returns how many runs of a key may be at work; 0 = any number. A key that
// can't be looked up has no limit: its runs are bounded by the server's.
func (b *Book) AtOnce(ctx context.Context, id string) int {
	b.mu.Lock()
	known, found := b.limits[id]
	generation, now := b.generation, b.now()
	b.mu.Unlock()
	if found && now.Before(known.until) {
		return known.AtOnce
	}
	row, err := b.rows.Row(ctx, keyKind, "", id)
	if err != nil {
		return 0
	}
	key, err := keyOf(row)
	if err != nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.generation == generation {
		b.limits[id] = believed{key.Limits, now.Add(cacheFor)}
	}
	return key.Limits.AtOnce
}

// used returns when each key was used last, as far as is known.
func (b *Book) used(ctx context.Context) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for after := ""; ; {
		page, err := b.rows.Rows(ctx, run.RowQuery{Kind: useKind, After: after, Limit: pageSize})
		if err != nil {
			return nil, fmt.Errorf("reading when keys were used: %w", err)
		}
		for _, row := range page {
			var stored storedUse
			if err := json.Unmarshal(row.Data, &stored); err != nil {
				return nil, fmt.Errorf("reading when the key %s was used: %w", row.ID, err)
			}
			all[row.ID] = stored.At
		}
		if len(page) < pageSize {
			break
		}
		after = page[len(page)-1].ID
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, known := range b.uses {
		if known.seen.After(all[id]) {
			all[id] = known.seen.UTC().Truncate(time.Second)
		}
	}
	return all, nil
}
