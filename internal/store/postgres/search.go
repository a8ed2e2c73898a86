package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// How many lines one statement of a search brings here to be looked at: few at first,
// because a common word is found among them, and then more, because each statement takes
// a round trip.
const (
	firstChunk  = 125
	searchChunk = 2000
)

// Search lists one project's runs by what no index has: it looks at line after line of
// what the indexes leave, as far as the search lets it, and says how far that was.
func (s *Store) Search(ctx context.Context, q run.RunSearch) (found run.RunFound, err error) {
	likely, matches := store.Likely(&q), store.Searching(&q)
	page := q.RunQuery
	for most := firstChunk; ; most = min(4*most, searchChunk) {
		page.Limit = most
		if q.Look > 0 {
			page.Limit = min(most, q.Look-found.Looked)
		}
		chunk, err := s.glance(ctx, &page, q.Oldest)
		if err != nil {
			return found, fmt.Errorf("searching runs: %w", err)
		}
		lines, err := s.whole(ctx, chunk, likely)
		if err != nil {
			return found, fmt.Errorf("searching runs: %w", err)
		}
		for i := range chunk {
			found.Looked++
			if line, there := lines[chunk[i].ID]; there && matches(&line) {
				found.Lines = append(found.Lines, line)
			}
			if len(found.Lines) == q.Limit && q.Limit > 0 {
				return found, nil
			}
		}
		if len(chunk) < page.Limit {
			return found, nil
		}
		page.Before = chunk[len(chunk)-1].ID
		if found.Looked == q.Look {
			found.Reached = page.Before
			return found, nil
		}
	}
}

// glance reads of a list's lines what store.Likely asks for: a fifth of what there is.
func (s *Store) glance(ctx context.Context, page *run.RunQuery, oldest bool) (chunk []run.Summary, err error) {
	sql, arguments := walkSQL("id, agent, model, title, cost", page, oldest)
	err = s.query(ctx, func(rows pgx.Rows) error {
		var line run.Summary
		var id [16]byte
		var cost int64
		err := rows.Scan(&id, &line.Agent, &line.Model, &line.Title, &cost)
		line.ID, line.Usage.Cost = id, run.Micros(cost)
		chunk = append(chunk, line)
		return err
	}, sql, arguments...)
	return chunk, err
}

// whole reads those lines of a chunk that are likely to be looked for. One that was
// deleted since is not there.
func (s *Store) whole(ctx context.Context, chunk []run.Summary, likely func(*run.Summary) bool) (map[run.ID]run.Summary, error) {
	var ids [][16]byte
	for i := range chunk {
		if likely(&chunk[i]) {
			ids = append(ids, chunk[i].ID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var list []run.Summary
	err := s.query(ctx, collect(&list), "SELECT "+lineColumns+" FROM runs WHERE id = ANY ($1) AND NOT deleted", ids)
	lines := make(map[run.ID]run.Summary, len(list))
	for i := range list {
		lines[list[i].ID] = list[i]
	}
	return lines, err
}
