package yao

import (
	"strconv"

	"errand/internal/api/wire"
)

// Pages of this API's lists; the numbers are its document's.
const (
	defaultSize = 20
	maxSize     = 100
	// maxPage keeps the first row of a page a number; no list is so long.
	maxPage = 1 << 20
)

// paging is the page that a list was asked for.
type paging struct{ Page, Size int }

// readPaging reads page and pagesize. A number outside of the bounds becomes the
// nearest one inside, because clients of this API expect no error of it; the answer
// says which page it is.
func readPaging(q *wire.Query) paging {
	return paging{Page: clamped(q, "page", 1, maxPage), Size: clamped(q, "pagesize", defaultSize, maxSize)}
}

// clamped reads a number from 1 to most.
func clamped(q *wire.Query, name string, absent, most int) int {
	if q.String(name) == "" {
		return absent
	}
	n, err := strconv.Atoi(q.String(name))
	if err != nil {
		q.Refuse(name, "must be a whole number from 1 to %d, not %q", most, q.String(name))
	}
	return min(max(n, 1), most)
}

// first is the place of the page's first row, from 0.
func (p paging) first() int { return (p.Page - 1) * p.Size }

// cut returns the page's rows of all that there are up to its end.
func cut[T any](all []T, p paging) []T {
	begin := min(p.first(), len(all))
	return all[begin:min(begin+p.Size, len(all))]
}

// listBody is a page of a list.
type listBody[B any] struct {
	Data     []B `json:"data"`
	Total    int `json:"total"` // of all pages
	Page     int `json:"page"`
	PageSize int `json:"pagesize"`
}
