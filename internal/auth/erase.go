package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"errand/internal/run"
)

// RevokeAll ends all keys of a project at once.
func (b *Book) RevokeAll(ctx context.Context, project string) error {
	_, err := b.eachKey(ctx, project, func(row *run.Row, key Key) (c run.Commit, err error) {
		if !key.Revoked.IsZero() {
			return c, nil
		}
		key.Revoked = b.now().UTC().Truncate(time.Millisecond)
		changed, err := rowOf(key, row.Name)
		return run.Commit{Rows: []run.RowWrite{{Row: changed, Expect: row.Version}}, Audit: lineOf("key.revoked", &key)}, err
	})
	return err
}

// DropKeys removes the keys of a project, with what is known of their use, the secrets
// that they had before, and the sessions that stood for them. It returns how many
// there were.
func (b *Book) DropKeys(ctx context.Context, project string) (int, error) {
	secrets := map[string]bool{}
	if _, err := b.eachKey(ctx, project, func(row *run.Row, _ Key) (c run.Commit, err error) {
		secrets[row.Name] = true
		return c, nil
	}); err != nil {
		return 0, err
	}
	if err := b.dropSessions(ctx, secrets); err != nil {
		return 0, err
	}
	return b.eachKey(ctx, project, func(row *run.Row, key Key) (c run.Commit, err error) {
		for _, kind := range []string{keyKind, formerKind, useKind} {
			c.Rows = append(c.Rows, run.RowWrite{Row: run.Row{Kind: kind, ID: row.ID}, Expect: run.AnyVersion, Delete: true})
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.uses, key.ID)
		return c, nil
	})
}

// dropSessions removes the sessions that stood for keys with these secrets, by the
// secrets' hashes.
func (b *Book) dropSessions(ctx context.Context, secrets map[string]bool) error {
	for after := ""; ; {
		page, err := b.rows.Rows(ctx, run.RowQuery{Kind: sessionKind, After: after, Limit: pageSize})
		if err != nil {
			return fmt.Errorf("reading sessions: %w", err)
		}
		var c run.Commit
		for i := range page {
			var stored storedSession
			if err := json.Unmarshal(page[i].Data, &stored); err != nil {
				return fmt.Errorf("reading the session %s: %w", page[i].ID, err)
			}
			if secrets[stored.Secret] {
				gone := run.Row{Kind: sessionKind, ID: page[i].ID}
				c.Rows = append(c.Rows, run.RowWrite{Row: gone, Expect: run.AnyVersion, Delete: true})
			}
			after = page[i].ID
		}
		if len(c.Rows) > 0 {
			if err := b.rows.Append(ctx, c); err != nil {
				return fmt.Errorf("ending sessions: %w", err)
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// eachKey commits what change makes of each key of a project, a page of keys at a
// time, and again where somebody else has changed one meanwhile.
func (b *Book) eachKey(ctx context.Context, project string, change func(*run.Row, Key) (run.Commit, error)) (count int, err error) {
	defer b.forget() // also after an error: some may have been written
	for after := ""; ; {
		page, err := b.rows.Rows(ctx, run.RowQuery{Kind: keyKind, After: after, Limit: pageSize})
		if err != nil {
			return count, fmt.Errorf("reading the keys of %s: %w", project, err)
		}
		var c run.Commit
		mine := 0
		for i := range page {
			key, err := keyOf(page[i])
			if err != nil {
				return count, err
			}
			if key.Project != project {
				continue
			}
			one, err := change(&page[i], key)
			if err != nil {
				return count, err
			}
			c.Rows, c.Audit, mine = append(c.Rows, one.Rows...), append(c.Audit, one.Audit...), mine+1
		}
		if len(c.Rows) > 0 {
			err = b.rows.Append(ctx, c)
		}
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) {
			continue // the page again, as it stands now
		}
		if err != nil {
			return count, fmt.Errorf("changing the keys of %s: %w", project, err)
		}
		b.forget() // those of this page, before the next one is looked for
		count += mine
		if len(page) < pageSize {
			return count, nil
		}
		after = page[len(page)-1].ID
	}
}

// EndErasure removes the project itself, of which nothing else is left, with the line
// that says who has erased it. It is the last commit of an erasure.
func (b *Book) EndErasure(ctx context.Context, p Project) error {
	data, err := json.Marshal(struct {
		Since   time.Time      `json:"since"`
		Removed map[string]int `json:"removed"`
	}{p.Erasure.Since, p.Erasure.Removed})
	if err != nil {
		return err
	}
	write, err := p.write()
	if err != nil {
		return err
	}
	write.Delete = true
	err = b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}, Audit: []run.Audit{{
		Project: p.Name, Actor: p.Erasure.By, ActorName: p.Erasure.ByName, Action: "project.erased", Target: p.Name, Data: data,
	}}})
	if err != nil {
		return fmt.Errorf("removing the project %s: %w", p.Name, err)
	}
	return nil
}
