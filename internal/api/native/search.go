package native

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Lists of runs by text, by cost, or from the oldest on. No index has what they ask
// for, because one of the words of every run would cost each run more than all else that
// the store does for it. So a request looks at the lines of so many runs and no more, and
// its answer says how far it came: the next page goes on from there.

// Search lists runs by what no index has. A store has this method.
type Search interface {
	Search(ctx context.Context, q run.RunSearch) (run.RunFound, error)
}

const (
	// searchLook is how many runs one request looks at: a fraction of a second.
	searchLook   = 50_000
	maxWords     = 10
	maxTextRunes = 200
	// idSlack is how far a run's creation may lie from the time in its id.
	idSlack = time.Minute
	// namedAgents bounds the agents among whose names a word is looked for.
	namedAgents = 1000
)

// searchedBody says how far a search has come.
type searchedBody struct {
	Runs     int        `json:"runs"`     // that this page has looked at
	Until    *time.Time `json:"until"`    // when the last of them was made; null = all were looked at
	Complete bool       `json:"complete"` // nothing is left to look at behind this page
}

// runList is a page of runs.
type runList struct {
	listBody[lineBody]
	Searched *searchedBody `json:"searched,omitzero"`
}

// searchFilters are the parameters of lists of runs that no index answers, and what
// lists may have beside their lines.
func searchFilters() []string { return []string{"q", "cost_min", "cost_max", "order", "include"} }

// searchOf reads what is searched for; narrow reports whether that is anything at all.
func (a *API) searchOf(ctx context.Context, r *wire.Request, query *wire.Query, plain run.RunQuery) (q run.RunSearch, narrow bool, err error) {
	q = run.RunSearch{RunQuery: plain, MinCost: costOf(query, "cost_min"), MaxCost: costOf(query, "cost_max")}
	q.Oldest = query.OneOf("order", "newest", "oldest") == "oldest"
	text := strings.Fields(strings.ToLower(query.String("q")))
	if len(text) > maxWords || len([]rune(query.String("q"))) > maxTextRunes {
		query.Refuse("q", "must have at most %d words and %d characters.", maxWords, maxTextRunes)
	}
	if err := query.Err(); err != nil {
		return q, false, err
	}
	for _, word := range text {
		agents, err := a.namedLike(ctx, r.Caller.Project, word)
		if err != nil {
			return q, false, err
		}
		q.Words = append(q.Words, run.RunWord{Text: word, Agents: agents})
		if id, err := run.ParseID(word); err == nil && !id.IsZero() { // a whole one says when the run was made
			q.After, q.Until = id.Time().Add(-idSlack), id.Time().Add(idSlack)
		}
	}
	return q, q.Oldest || len(q.Words) > 0 || q.MinCost != nil || q.MaxCost != nil, nil
}

// costOf reads a sum in US dollars.
func costOf(query *wire.Query, name string) *run.Micros {
	if !query.Has(name) {
		return nil
	}
	dollars, err := strconv.ParseFloat(query.String(name), 64)
	if err != nil || !(dollars >= 0) || dollars > 1e9 {
		query.Refuse(name, "must be a sum in US dollars such as 0.25, not %q", query.String(name))
		return nil
	}
	cost := run.Micros(math.Round(dollars * 1e6))
	return &cost
}

// namedLike returns the ids of the agents whose name has this word.
func (a *API) namedLike(ctx context.Context, project, word string) ([]string, error) {
	var ids []string
	for after, seen := "", 0; seen < namedAgents; {
		page, err := a.book.List(ctx, project, after, maxPage)
		if err != nil {
			return nil, fmt.Errorf("listing agents for a search: %w", err)
		}
		for i := range page {
			if strings.Contains(strings.ToLower(page[i].Name), word) {
				ids = append(ids, page[i].ID)
			}
		}
		if seen += len(page); len(page) < maxPage {
			break
		}
		after = page[len(page)-1].ID
	}
	return ids, nil
}

// searched is what a page has found.
type searched struct {
	lines   []run.Summary // up to one more than the page
	looked  int
	reached run.ID // zero = all was looked at, or the page is full
}

// search looks until the page is full, all is looked at, or it was enough.
func (a *API) search(ctx context.Context, r *wire.Request, q run.RunSearch, limit int) (s searched, err error) {
	if a.cfg.Search == nil {
		return s, problem.New(problem.NotAvailable, "The store of this server has no lists by q, cost_min, cost_max and order: leave them out.")
	}
	for {
		q.Limit, q.Look = limit+1-len(s.lines), searchLook-s.looked
		found, err := a.cfg.Search.Search(ctx, q)
		if err != nil {
			return s, fmt.Errorf("searching runs: %w", err)
		}
		s.looked += found.Looked
		s.reached = found.Reached
		full := len(found.Lines) == q.Limit
		if full {
			q.Before = found.Lines[q.Limit-1].ID
		}
		s.lines = append(s.lines, slices.DeleteFunc(found.Lines, func(line run.Summary) bool { return !r.Caller.For(line.Agent) })...)
		switch {
		case len(s.lines) > limit || !full:
			return s, nil
		case s.looked >= searchLook:
			s.reached = q.Before
			return s, nil
		}
	}
}

// page is a page of what was found, and where the next one begins.
func (s *searched) page(limit int) runList {
	list := runList{listBody: listOf(s.lines, limit, showLine, func(last *run.Summary) string { return runID(last.ID) })}
	list.Searched = &searchedBody{Runs: s.looked, Complete: !list.HasMore && s.reached.IsZero()}
	if !list.HasMore && !s.reached.IsZero() {
		list.HasMore, list.NextCursor = true, optional(runID(s.reached))
	}
	switch {
	case !s.reached.IsZero():
		list.Searched.Until = moment(s.reached.Time())
	case list.HasMore:
		list.Searched.Until = moment(s.lines[limit-1].CreatedAt)
	}
	return list
}
