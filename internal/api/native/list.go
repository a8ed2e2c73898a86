package native

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
