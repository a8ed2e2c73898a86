package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
)

// RaisedJob is the kind of job that lets the runs go on which wait for a budget:
// its data is a Raised.
const RaisedJob = "budget_raised"

// Raised says which budget has more room, or is gone.
type Raised struct {
	Project string `json:"project"`
	Budget  string `json:"budget"`
	By      string `json:"by"` // id of the key
}

const (
	budgetKind = "budget"
	// maxBudgets bounds those of a project: each model call looks at all of them.
	maxBudgets = 200
)

// Spending tells what is booked. A store has this method.
type Spending interface {
	// Spent returns what a project has spent on the days from the first to the
	// last, both included.
	Spent(ctx context.Context, project string, from, to run.Day) ([]run.Spend, error)
}

// Budgets keeps the budgets of all projects: on disk, and in the ledger that model
// calls are held against. It is safe for concurrent use.
type Budgets struct {
	rows   Rows
	spent  Spending
	ledger *Ledger
	now    func() time.Time
	shares *Shares    // nil = no other node draws from them
	mu     sync.Mutex // held while a budget is changed: disk and ledger change together
}

// NewBudgets returns the budgets that are kept in rows. None of them holds before
// Load.
func NewBudgets(rows Rows, spent Spending, ledger *Ledger, now func() time.Time) *Budgets {
	return &Budgets{rows: rows, spent: spent, ledger: ledger, now: now}
}

// Standing is a budget and how it stands in its period.
type Standing struct {
	Budget
	Created     time.Time
	Spent, Kept Amount    // kept for model calls under way
	Until       time.Time // when the period is over
	Unpriced    bool      // some of its calls had no known price: their cost is not in Spent
}

// Check finds all that is wrong with a budget but whom it names.
func (b *Budget) Check() error {
	faults := map[string]string{}
	switch {
	case utf8.RuneCountInString(b.Name) > maxNameRunes:
		faults["name"] = fmt.Sprintf("is too long: at most %d characters", maxNameRunes)
	case strings.ContainsFunc(b.Name, func(r rune) bool { return run.Hidden(r) || r == '/' }) || strings.HasPrefix(b.Name, "bud_"):
		faults["name"] = "must not contain control characters or /, nor begin with bud_: it stands for the budget in addresses"
	}
	if b.Period != Daily && b.Period != Monthly {
		faults["period"] = `must be "day" or "month", of the calendar in UTC`
	}
	if b.MaxCost == 0 && b.MaxTokens == 0 && b.MaxRuns == 0 {
		faults["max_cost_usd"] = "name at least one of max_cost_usd, max_tokens and max_runs"
	}
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return invalid
	}
	return nil
}

// Create makes a budget. What its period has seen already counts in it. The rows
// that also returns are written in the same transaction; also may be nil. Errors:
// invalid_request, conflict when the name is taken, quota_exceeded.
func (b *Budgets) Create(ctx context.Context, draft Budget, also func(Standing) ([]run.RowWrite, error)) (made Standing, err error) {
	draft.Name = strings.TrimSpace(draft.Name)
	if err := draft.Check(); err != nil {
		return made, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.stored(ctx, draft.Project)
	if err != nil {
		return made, err
	}
	if len(all) >= maxBudgets {
		return made, problem.New(problem.QuotaExceeded, "This project has %d budgets, and no project may have more.", maxBudgets)
	}
	draft.ID = newBudgetID(b.now())
	before, unpriced, err := b.seen(ctx, &draft)
	if err != nil {
		return made, err
	}
	b.ledger.Set(draft, before)
	made = b.standing(draft, b.now())
	made.Unpriced = unpriced
	if err = b.write(ctx, &made, run.MustNotExist, "", also); err != nil {
		b.ledger.Remove(draft.Project, draft.ID)
		return made, err
	}
	// What was on its way to the disk when the sum was made is there now. A call
	// that ends at this very moment may be missed until the next start.
	if after, _, err := b.seen(ctx, &draft); err == nil {
		b.ledger.Seen(draft.Project, draft.ID, after)
	}
	return made, nil
}

// Change changes a budget's name and limits. If it leaves more room than before,
// the runs that wait for it go on. by is the id of the caller's key.
func (b *Budgets) Change(ctx context.Context, project, ref, by string, change func(*Budget) error) (Standing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row, old, err := b.find(ctx, project, ref)
	if err != nil {
		return Standing{}, err
	}
	wanted := old
	if err := change(&wanted); err != nil {
		return Standing{}, err
	}
	wanted.Name = strings.TrimSpace(wanted.Name)
	if err := wanted.Check(); err != nil {
		return Standing{}, err
	}
	if !wanted.roomier(&old) {
		by = ""
	}
	b.ledger.Set(wanted, Amount{}) // before the disk, so that whoever is woken finds the room
	changed := b.standing(wanted, row.Created)
	if err := b.write(ctx, &changed, row.Version, by, nil); err != nil {
		b.ledger.Set(old, Amount{})
		return Standing{}, err
	}
	return b.Get(ctx, project, old.ID)
}

// Remove takes a budget away. The runs that wait for it go on.
func (b *Budgets) Remove(ctx context.Context, project, ref, by string) (Budget, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	row, old, err := b.find(ctx, project, ref)
	if err != nil {
		return old, err
	}
	open := old
	open.MaxCost, open.MaxTokens, open.MaxRuns = 0, 0, 0
	b.ledger.Set(open, Amount{})
	job, err := raisedJob(&old, by, b.now())
	if err == nil {
		err = b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: row.Version, Delete: true}}, Jobs: []run.Job{job}})
	}
	if err != nil {
		b.ledger.Set(old, Amount{})
		return old, fmt.Errorf("removing budget %s: %w", old.ID, err)
	}
	b.ledger.Remove(project, old.ID)
	return old, nil
}

// roomier reports whether a limit is higher than before, or gone.
func (b *Budget) roomier(old *Budget) bool {
	return higher(b.MaxCost, old.MaxCost) || higher(b.MaxTokens, old.MaxTokens) || higher(b.MaxRuns, old.MaxRuns)
}

func higher[N run.Micros | int](limit, old N) bool { return old > 0 && (limit == 0 || limit > old) }

// write stores a budget, and the job for those who wait for it if somebody has
// raised it.
func (b *Budgets) write(ctx context.Context, s *Standing, expect int64, by string, also func(Standing) ([]run.RowWrite, error)) error {
	data, err := json.Marshal(s.Budget)
	if err != nil {
		return fmt.Errorf("storing budget %s: %w", s.ID, err)
	}
	row := run.Row{Kind: budgetKind, Project: s.Project, ID: s.ID, Name: s.Name, Created: s.Created, Data: data}
	commit := run.Commit{Rows: []run.RowWrite{{Row: row, Expect: expect}}}
	if also != nil {
		more, err := also(*s)
		if err != nil {
			return err
		}
		commit.Rows = append(commit.Rows, more...)
	}
	if by != "" {
		job, err := raisedJob(&s.Budget, by, b.now())
		if err != nil {
			return err
		}
		commit.Jobs = append(commit.Jobs, job)
	}
	err = b.rows.Append(ctx, commit)
	if taken := (*run.RowConflict)(nil); errors.As(err, &taken) && taken.Kind == budgetKind {
		if taken.Name {
			return problem.Conflicting("name", "there is already a budget %q in this project: GET /v1/budgets lists them.", s.Name)
		}
		return problem.New(problem.Conflict, "The budget %s is being changed by others at the same time: try again.", s.ID)
	}
	if err != nil {
		return fmt.Errorf("saving budget %s: %w", s.ID, err)
	}
	return nil
}

func raisedJob(b *Budget, by string, at time.Time) (run.Job, error) {
	data, err := json.Marshal(Raised{Project: b.Project, Budget: b.ID, By: by})
	return run.Job{Kind: RaisedJob, Due: at, Data: data}, err
}

// Get returns a budget by id or name, or not_found.
func (b *Budgets) Get(ctx context.Context, project, ref string) (Standing, error) {
	row, found, err := b.find(ctx, project, ref)
	if err != nil {
		return Standing{}, err
	}
	s := b.standing(found, row.Created)
	if _, s.Unpriced, err = b.seen(ctx, &found); err == nil && b.shares != nil {
		s.Spent, s.Kept, err = b.shares.total(ctx, &found)
	}
	return s, err
}

// List returns the budgets of a project, oldest first.
func (b *Budgets) List(ctx context.Context, project string) ([]Standing, error) {
	rows, err := b.stored(ctx, project)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	spends, err := b.thisMonth(ctx, project)
	if err != nil {
		return nil, err
	}
	all := make([]Standing, 0, len(rows))
	for i := range rows {
		found, err := budgetOf(&rows[i])
		if err != nil {
			return nil, err
		}
		s := b.standing(found, rows[i].Created)
		_, s.Unpriced = b.sum(&found, spends)
		if b.shares != nil {
			if s.Spent, s.Kept, err = b.shares.total(ctx, &found); err != nil {
				return nil, err
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func (b *Budgets) standing(of Budget, created time.Time) Standing {
	s := Standing{Budget: of, Created: created.UTC().Truncate(time.Millisecond)}
	s.Spent, s.Kept, s.Until = b.ledger.Drawn(of.Project, of.ID)
	if s.Until.IsZero() { // it has just been removed, or another server has made it
		_, s.Until = of.Period.Span(b.now())
	}
	return s
}

func (b *Budgets) find(ctx context.Context, project, ref string) (row run.Row, found Budget, err error) {
	if strings.HasPrefix(ref, "bud_") {
		row, err = b.rows.Row(ctx, budgetKind, project, ref)
	} else {
		row, err = b.rows.RowByName(ctx, budgetKind, project, ref)
	}
	if problem.Is(err, problem.NotFound) {
		return row, found, problem.New(problem.NotFound, "There is no budget %.100q in this project: GET /v1/budgets lists them.", ref)
	}
	if err != nil {
		return row, found, fmt.Errorf("looking a budget up: %w", err)
	}
	found, err = budgetOf(&row)
	return row, found, err
}

func (b *Budgets) stored(ctx context.Context, project string) ([]run.Row, error) {
	rows, err := b.rows.Rows(ctx, run.RowQuery{Kind: budgetKind, Project: project})
	if err != nil {
		return nil, fmt.Errorf("listing budgets: %w", err)
	}
	return rows, nil
}

func budgetOf(row *run.Row) (b Budget, err error) {
	if err = json.Unmarshal(row.Data, &b); err != nil {
		return b, fmt.Errorf("reading the stored budget %s: %w", row.ID, err)
	}
	return b, nil
}

// newBudgetID makes an id that sorts by age.
func newBudgetID(now time.Time) string {
	var tail [4]byte
	_, _ = rand.Read(tail[:])
	return fmt.Sprintf("bud_%012x%s", now.UnixMilli(), hex.EncodeToString(tail[:]))
}
