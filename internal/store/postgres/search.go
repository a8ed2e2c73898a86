package postgres

import (
	"context"
	"fmt"

	"errand/internal/run"
	"errand/internal/store"
)

// searchChunk is how many lines one statement of a search brings here to be looked at.
const searchChunk = 2000

// Search lists one project's runs by what no index has: it looks at line after line of
// what the indexes leave, as far as the search lets it, and says how far that was.
func (s *Store) Search(ctx context.Context, q run.RunSearch) (found run.RunFound, err error) {
	matches := store.Searching(&q)
	page := q.RunQuery
	var chunk []run.Summary
	for {
		page.Limit = searchChunk
		if q.Look > 0 {
			page.Limit = min(searchChunk, q.Look-found.Looked)
		}
		sql, arguments := runsSQL(&page, q.Oldest)
		chunk = chunk[:0]
		if err := s.query(ctx, collect(&chunk), sql, arguments...); err != nil {
			return found, fmt.Errorf("searching runs: %w", err)
		}
		for i := range chunk {
			if found.Looked++; matches(&chunk[i]) {
				found.Lines = append(found.Lines, chunk[i])
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
