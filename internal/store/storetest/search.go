package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// Searcher is what lists by text, by cost and from the oldest on ask for. A store
// without it has lists that can't be searched.
type Searcher interface {
	// Search lists runs of one project. Of what Look leaves unlooked at nothing is
	// listed, and Reached says from where on that is.
	Search(ctx context.Context, q run.RunSearch) (run.RunFound, error)
}

// library makes forty runs with titles, models and costs to search for.
func (f *fixture) library() []run.Summary {
	var lines []run.Summary
	for n := range 40 {
		a := f.created(n, func(line *run.Summary) {
			line.Title = fmt.Sprintf("%s invoice Nº %d", []string{"Pay", "CHASE", "Größe der"}[n%3], n)
			line.Model = []string{"openai/gpt-5", "anthropic/claude"}[n%2]
			line.Status = run.Statuses()[n%len(run.Statuses())]
			line.Agent = []string{"robot/Night-Auditor", "agt_1", "agt_2"}[n%3]
			line.Usage.Cost = run.Micros(n * 100)
		})
		f.append(a)
		lines = append(lines, a.Summary)
	}
	return lines
}

func searching(f *fixture) {
	searcher, able := f.s.(Searcher)
	if !able {
		f.Skip("this store's lists can't be searched")
	}
	all := f.library()
	word := func(text string, agents ...string) run.RunWord { return run.RunWord{Text: text, Agents: agents} }
	cost := func(n run.Micros) *run.Micros { return &n }
	has := func(parts ...string) func(*run.Summary) bool {
		return func(line *run.Summary) bool {
			for _, part := range parts {
				if !strings.Contains(line.Title+" "+line.Model+" "+line.Agent, part) {
					return false
				}
			}
			return true
		}
	}
	for name, one := range map[string]struct {
		q    run.RunSearch
		want func(*run.Summary) bool
	}{
		"all":                    {run.RunSearch{}, has()},
		"a word of the title":    {run.RunSearch{Words: []run.RunWord{word("chase")}}, has("CHASE")},
		"not in ASCII":           {run.RunSearch{Words: []run.RunWord{word("größe")}}, has("Größe")},
		"two words":              {run.RunSearch{Words: []run.RunWord{word("pay"), word("claude")}}, has("Pay", "claude")},
		"a word of nobody":       {run.RunSearch{Words: []run.RunWord{word("refund")}}, func(*run.Summary) bool { return false }},
		"a wildcard is none":     {run.RunSearch{Words: []run.RunWord{word("p%y")}}, func(*run.Summary) bool { return false }},
		"a robot":                {run.RunSearch{Words: []run.RunWord{word("auditor")}}, has("robot/Night-Auditor")},
		"an agent's name":        {run.RunSearch{Words: []run.RunWord{word("clerk", "agt_2")}}, has("agt_2")},
		"the beginning of an id": {run.RunSearch{Words: []run.RunWord{word("run_" + id(7).String()[:12])}}, func(line *run.Summary) bool { return line.ID.String()[:12] == id(7).String()[:12] }},
		"dear ones":              {run.RunSearch{MinCost: cost(3000)}, func(line *run.Summary) bool { return line.Usage.Cost >= 3000 }},
		"free ones":              {run.RunSearch{MaxCost: cost(0)}, func(line *run.Summary) bool { return line.Usage.Cost == 0 }},
		"of two statuses": {run.RunSearch{RunQuery: run.RunQuery{Statuses: []run.Status{run.Running, run.Completed}}, Words: []run.RunWord{word("invoice")}},
			func(line *run.Summary) bool { return line.Status == run.Running || line.Status == run.Completed }},
		"of a time": {run.RunSearch{RunQuery: run.RunQuery{After: id(10).Time(), Until: id(20).Time()}},
			func(line *run.Summary) bool {
				return !line.CreatedAt.Before(id(10).Time()) && line.CreatedAt.Before(id(20).Time())
			}},
		"of an agent": {run.RunSearch{RunQuery: run.RunQuery{Agent: "agt_1"}, MinCost: cost(500)}, func(line *run.Summary) bool { return line.Agent == "agt_1" && line.Usage.Cost >= 500 }},
	} {
		for _, oldest := range []bool{false, true} {
			var want []run.Summary
			for i := range all {
				if one.want(&all[i]) {
					want = append(want, all[i])
				}
			}
			if !oldest {
				slices.Reverse(want)
			}
			for _, pace := range []struct{ limit, look int }{{0, 0}, {3, 0}, {3, 5}, {100, 7}, {1, 1}} {
				q := one.q
				q.Project, q.Oldest, q.Limit, q.Look = "default", oldest, pace.limit, pace.look
				if diff := cmp.Diff(titles(want), titles(f.leaf(searcher, q))); diff != "" {
					f.Errorf("%s, oldest first: %v, %+v (-want +got):\n%s", name, oldest, pace, diff)
				}
			}
		}
	}
}

// leaf follows a search to its end.
func (f *fixture) leaf(searcher Searcher, q run.RunSearch) (lines []run.Summary) {
	f.Helper()
	for range 200 {
		found, err := searcher.Search(f.ctx(), q)
		if err != nil {
			f.Fatal(err)
		}
		if q.Limit > 0 && len(found.Lines) > q.Limit {
			f.Fatalf("%d lines for a limit of %d", len(found.Lines), q.Limit)
		}
		lines = append(lines, found.Lines...)
		switch {
		case !found.Reached.IsZero():
			q.Before = found.Reached
		case q.Limit > 0 && len(found.Lines) == q.Limit:
			q.Before = lines[len(lines)-1].ID
		default:
			return lines
		}
	}
	f.Fatal("the search has no end")
	return nil
}
