package yao

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// filter chooses executions of one robot.
type filter struct {
	member   string
	statuses []string // of executions; nil = any
	trigger  string   // empty = any
	keyword  string   // in the goals, in any case; empty = any
}

// readFilter reads what lists of executions and of results share.
func readFilter(q *wire.Query, member string) filter {
	f := filter{member: member, keyword: strings.ToLower(strings.TrimSpace(q.String("keyword")))}
	if q.String("trigger_type") != "" {
		f.trigger = q.OneOf("trigger_type", robot.ByClock, robot.ByHuman, robot.ByEvent)
	}
	return f
}

// executionStatuses are those of an execution, in the order of its life.
func executionStatuses() []string {
	return []string{
		robot.ExecConfirming, robot.ExecPending, robot.ExecRunning, robot.ExecWaiting, robot.ExecPaused,
		robot.ExecCompleted, robot.ExecFailed, robot.ExecCancelled,
	}
}

// readStatuses reads status and exclude_status; nil = any.
func readStatuses(q *wire.Query) []string {
	wanted, excluded := readWords(q, "status"), readWords(q, "exclude_status")
	if wanted == nil && excluded == nil {
		return nil
	}
	if wanted == nil {
		wanted = executionStatuses()
	}
	kept := slices.DeleteFunc(wanted, func(status string) bool { return slices.Contains(excluded, status) })
	if kept == nil {
		kept = []string{}
	}
	return kept
}

// readWords reads a list of statuses, separated by commas.
func readWords(q *wire.Query, name string) []string {
	var words []string
	for word := range strings.FieldsFuncSeq(q.String(name), func(c rune) bool { return c == ',' || c == ' ' }) {
		if !slices.Contains(executionStatuses(), word) {
			q.Refuse(name, "%.80q is no status: choose from %s, separated by commas", word, strings.Join(executionStatuses(), ", "))
		}
		words = append(words, word)
	}
	return words
}

// runs are the statuses of runs that the filter lets through; nil = any.
func (f *filter) runs() []run.Status {
	if f.statuses == nil {
		return nil
	}
	found := []run.Status{}
	for _, status := range f.statuses { // confirming has none: there is no run yet
		found = append(found, robot.Statuses(status)...)
	}
	return found
}

// allows reports whether an execution of this status is wanted.
func (f *filter) allows(status string) bool {
	return f.statuses == nil || slices.Contains(f.statuses, status)
}

// matches looks into what an execution was started with.
func (f *filter) matches(spec *run.Spec) bool {
	if f.trigger != "" {
		trigger := robot.ByHuman
		if order, ok := robot.ReadOrder(spec); ok {
			trigger = order.Trigger
		}
		if trigger != f.trigger {
			return false
		}
	}
	return f.says(spec.Input.Text)
}

// says reports whether the keyword is in a text.
func (f *filter) says(text string) bool {
	return f.keyword == "" || strings.Contains(strings.ToLower(text), f.keyword)
}

// plain reports whether a run's line is enough to know that it matches.
func (f *filter) plain() bool { return f.trigger == "" && f.keyword == "" }

// choose returns the ids of a page of executions, newest first, and how many there
// are on all pages.
func (a *API) choose(ctx context.Context, project string, f filter, page paging) ([]run.ID, int, error) {
	held, err := a.reservedIDs(ctx, project, &f)
	if err != nil {
		return nil, 0, err
	}
	var ids []run.ID
	total := 0
	if f.plain() {
		ids, total, err = a.chooseLines(ctx, project, &f, page, len(held))
	} else {
		ids, err = a.scanHeads(ctx, project, &f)
		total = len(ids)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("listing the executions of robot %s: %w", f.member, err)
	}
	if len(held) > 0 {
		ids = append(ids, held...)
		slices.SortFunc(ids, func(x, y run.ID) int { return bytes.Compare(y[:], x[:]) })
	}
	return cut(ids, page), total + len(held), nil
}

// chooseLines reads the newest executions up to the page's end, and counts all; more
// of them are known already.
func (a *API) chooseLines(ctx context.Context, project string, f *filter, page paging, more int) ([]run.ID, int, error) {
	agent, statuses := robot.ExecutionAgent+f.member, f.runs()
	counts, err := a.cfg.Lines.Count(ctx, project, agent)
	if err != nil {
		return nil, 0, err
	}
	total := 0
	for status, count := range counts {
		if statuses == nil || slices.Contains(statuses, status) {
			total += count
		}
	}
	if total == 0 || page.first() >= total+more { // behind the last page
		return nil, total, nil
	}
	lines, err := a.cfg.Lines.Runs(ctx, run.RunQuery{
		Project: project, Agent: agent, Statuses: statuses, Limit: min(page.first()+page.Size, total),
	})
	ids := make([]run.ID, len(lines))
	for i := range lines {
		ids[i] = lines[i].ID
	}
	return ids, total, err
}

// scanPage is how many lines are read at once by a search that no index answers.
const scanPage = 500

// scanHeads looks at the beginning of each execution of the robot: what was asked
// for is in no index.
func (a *API) scanHeads(ctx context.Context, project string, f *filter) ([]run.ID, error) {
	var found []run.ID
	q := run.RunQuery{Project: project, Agent: robot.ExecutionAgent + f.member, Statuses: f.runs(), Limit: scanPage}
	if q.Statuses != nil && len(q.Statuses) == 0 {
		return nil, nil
	}
	for {
		lines, err := a.cfg.Lines.Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		for i := range lines {
			head, _, err := a.cfg.Engine.Events(ctx, project, lines[i].ID, 0, 1)
			if problem.Is(err, problem.NotFound) {
				continue // deleted since
			}
			if err != nil {
				return nil, err
			}
			if len(head) > 0 && head[0].Created != nil && f.matches(&head[0].Created.Spec) {
				found = append(found, lines[i].ID)
			}
		}
		if len(lines) < scanPage {
			return found, nil
		}
		q.Before = lines[len(lines)-1].ID
	}
}
