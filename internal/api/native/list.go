package native

import (
	"context"

	"errand/internal/api/wire"
)

// Pages of lists; the numbers are the native API document's.
const (
	defaultPage = 20
	maxPage     = 100
)

// listBody is a page of a list. The next page begins after next_cursor, given as
// starting_after; it is null on the last one.
type listBody[B any] struct {
	Object     string  `json:"object"`
	Data       []B     `json:"data"`
	HasMore    bool    `json:"has_more"`
	NextCursor *string `json:"next_cursor"`
}

// listOf makes a page of limit items from up to one more, which only tells that
// there are more.
func listOf[T, B any](found []T, limit int, show func(*T) B, cursor func(*T) string) listBody[B] {
	page := listBody[B]{Object: "list", Data: []B{}}
	if len(found) > limit {
		found = found[:limit]
		last := cursor(&found[limit-1])
		page.HasMore, page.NextCursor = true, &last
	}
	for i := range found {
		page.Data = append(page.Data, show(&found[i]))
	}
	return page
}

// listPage answers a list. Find returns up to limit items after a cursor; filters
// have been read from the query before.
func listPage[T, B any](query *wire.Query, find func(after string, limit int) ([]T, error), show func(*T) B, cursor func(*T) string) (wire.Response, error) {
	after, limit := query.String("starting_after"), query.Int("limit", defaultPage, 1, maxPage)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	found, err := find(after, limit+1)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(listOf(found, limit, show, cursor)), nil
}

// with is a handler that is about a part of the server. A server without that part
// answers what the part's getter says.
func with[P any](part func() (P, error), handle func(context.Context, *wire.Request, P) (wire.Response, error)) wire.Handler {
	return func(ctx context.Context, r *wire.Request) (wire.Response, error) {
		found, err := part()
		if err != nil {
			return wire.Response{}, err
		}
		return handle(ctx, r, found)
	}
}
