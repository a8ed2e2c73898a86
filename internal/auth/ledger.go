package auth

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"errand/internal/run"
)

// Budget bounds what runs may use up in a period. Of its limits 0 is none.
type Budget struct {
	ID        string     `json:"id"`
	Project   string     `json:"project"`
	Name      string     `json:"name,omitempty"`
	Agent     string     `json:"agent,omitempty"` // id of the agent whose runs draw from it, and those that it hands work to
	Key       string     `json:"key,omitempty"`   // id of the key whose runs do; neither = all runs of the project
	Period    Period     `json:"period"`
	MaxCost   run.Micros `json:"max_cost,omitempty"`
	MaxTokens int        `json:"max_tokens,omitempty"` // input and output
	MaxRuns   int        `json:"max_runs,omitempty"`   // that begin
}

// Period is how long a budget is for. Periods are those of the calendar, in UTC.
type Period string

const (
	Daily   Period = "day"
	Monthly Period = "month"
)

// Span returns the period that a time is in: its first day, and when it is over.
func (p Period) Span(at time.Time) (first run.Day, until time.Time) {
	at = at.UTC()
	if p == Monthly {
		from := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		return run.DayOf(from), from.AddDate(0, 1, 0)
	}
	from := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	return run.DayOf(from), from.AddDate(0, 0, 1)
}

// Covers reports whether spending under the account counts in the budget.
func (b *Budget) Covers(a run.Account) bool {
	switch {
	case a.Project != b.Project, b.Key != "" && b.Key != a.Key:
		return false
	case b.Agent == "":
		return true
	}
	return b.Agent == a.Agent || slices.Contains(strings.Fields(a.Under), b.Agent)
}

// Amount is what a budget counts.
type Amount struct {
	Cost   run.Micros
	Tokens int
	Runs   int
}

func (a *Amount) add(b Amount, sign int) {
	a.Cost += run.Micros(sign) * b.Cost
	a.Tokens += sign * b.Tokens
	a.Runs += sign * b.Runs
}

// Ledger is all budgets with what has been drawn from them and what is kept for
// model calls under way, in memory. It is safe for concurrent use; hundred runs at
// once can't draw more than there is, because a call gets only what nobody else
// has or keeps.
type Ledger struct {
	now func() time.Time

	mu      sync.Mutex
	want    func()              // asks for more to be drawn; nil = the budgets are this node's alone
	purses  map[string][]*purse // by project
	holds   map[string]hold     // by the hold's id
	waiting map[string]func()   // whoever waits for a hold of this id
	begins  []chan struct{}     // and for a run to begin
}

// purse is a budget with its sums of the period that began on first.
type purse struct {
	Budget
	first run.Day
	spent Amount
	kept  Amount
	sharing
}

// hold is what is kept for one call, and where.
type hold struct {
	purses []*purse
	amount Amount
}

// NewLedger returns a ledger without budgets.
func NewLedger(now func() time.Time) *Ledger {
	return &Ledger{now: now, purses: map[string][]*purse{}, holds: map[string]hold{}, waiting: map[string]func(){}}
}

// Set adds a budget, or changes it. Of a new one, spent is what its period has seen
// already; of a known one it is ignored.
func (l *Ledger) Set(b Budget, spent Amount) {
	l.mu.Lock()
	defer l.unlockAndWake()
	all := l.purses[b.Project]
	at := slices.IndexFunc(all, func(p *purse) bool { return p.ID == b.ID })
	if at >= 0 {
		all[at].Budget = b
		return
	}
	if l.want != nil {
		spent = Amount{} // the sheet tells
	}
	first, _ := b.Period.Span(l.now())
	l.purses[b.Project] = append(all, &purse{Budget: b, first: first, spent: spent})
}

// Seen makes a budget's period have seen at least this much: what was booked while
// the budget was being made.
func (l *Ledger) Seen(project, id string, spent Amount) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.purses[project] {
		if p.ID == id && l.want == nil {
			p.spent = Amount{
				Cost: max(p.spent.Cost, spent.Cost), Tokens: max(p.spent.Tokens, spent.Tokens), Runs: max(p.spent.Runs, spent.Runs),
			}
		}
	}
}

// Remove takes a budget away.
func (l *Ledger) Remove(project, id string) {
	l.mu.Lock()
	defer l.unlockAndWake()
	l.purses[project] = slices.DeleteFunc(l.purses[project], func(p *purse) bool { return p.ID == id })
}

// Drop takes all budgets of a project away.
func (l *Ledger) Drop(project string) {
	l.mu.Lock()
	defer l.unlockAndWake()
	delete(l.purses, project)
}

// Drawn returns what has been drawn from a budget in its period, what is kept for
// calls under way, and when the period is over; zero for one that is not there.
func (l *Ledger) Drawn(project, id string) (spent, kept Amount, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.purses[project] {
		if p.ID == id {
			until = l.turn(p)
			return p.spent.plus(p.elsewhere), p.kept.plus(p.others), until
		}
	}
	return spent, kept, until
}

// turn begins a new period if the old one is over, and returns when this one is.
func (l *Ledger) turn(p *purse) time.Time {
	first, until := p.Period.Span(l.now())
	if first != p.first {
		p.first, p.spent = first, Amount{} // what is kept stays: it is drawn from the period in which it is settled
		p.sharing = sharing{}
	}
	return until
}

// Covers reports whether there is any budget for the account.
func (l *Ledger) Covers(a run.Account) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.purses[a.Project], func(p *purse) bool { return p.Covers(a) })
}

// covering returns the budgets that the account draws from.
func (l *Ledger) covering(a run.Account) []*purse {
	var found []*purse
	for _, p := range l.purses[a.Project] {
		if p.Covers(a) {
			found = append(found, p)
		}
	}
	return found
}

// Reserve keeps room for a model call in all budgets that cover it, or in none. A
// call that fits into a budget by itself but not beside those that are under way
// waits: freed is called once, when it may be worth asking again.
func (l *Ledger) Reserve(h run.Hold, freed func()) run.Room {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, h.ID)
	if _, kept := l.holds[h.ID]; kept {
		return run.Room{Granted: true}
	}
	asked, found, wait := Amount{Cost: h.Cost, Tokens: h.Tokens}, l.covering(h.Account), false
	for _, p := range found {
		until := l.turn(p)
		if limit, left := p.short(asked, p.spent.plus(p.elsewhere)); limit != "" {
			return run.Room{Refusal: p.refusal(limit, left, until)}
		}
		if l.want != nil {
			wait = !l.fits(p, asked) || wait
			continue
		}
		limit, _ := p.short(asked, p.spent.plus(p.kept))
		wait = wait || limit != ""
	}
	if wait {
		l.waiting[h.ID] = freed
		return run.Room{}
	}
	for _, p := range found {
		p.kept.add(asked, 1)
	}
	l.holds[h.ID] = hold{purses: found, amount: asked}
	return run.Room{Granted: true}
}

// short names the limit that has no room for what is asked behind what is used,
// and says what is left of it; empty if there is room.
func (p *purse) short(asked, used Amount) (limit, left string) {
	switch {
	case p.MaxCost > 0 && used.Cost+asked.Cost > p.MaxCost:
		return "cost", fmt.Sprintf("%.4f of %.4f US dollars are left, and the next model call may cost %.4f",
			max(p.MaxCost-used.Cost, 0).Dollars(), p.MaxCost.Dollars(), asked.Cost.Dollars())
	case p.MaxTokens > 0 && used.Tokens+asked.Tokens > p.MaxTokens:
		return "tokens", fmt.Sprintf("%d of %d tokens are left, and the next model call may use %d",
			max(p.MaxTokens-used.Tokens, 0), p.MaxTokens, asked.Tokens)
	case p.MaxRuns > 0 && asked.Runs > 0 && used.Runs+asked.Runs > p.MaxRuns: // those that have begun may end
		return "runs", fmt.Sprintf("all of its %d runs have begun", p.MaxRuns)
	}
	return "", ""
}

func (p *purse) refusal(limit, left string, until time.Time) *run.Refusal {
	return &run.Refusal{
		Budget: p.ID, Limit: limit, Until: until,
		Message: fmt.Sprintf("The %s has no room: %s. It begins anew at %s; PATCH /v1/budgets/%s raises it.",
			p.label(), left, until.Format(time.RFC3339), p.ID),
	}
}

// label is what people know the budget by.
func (b *Budget) label() string {
	of := "project"
	switch {
	case b.Agent != "" && b.Key != "":
		of = "agent " + b.Agent + " and the key " + b.Key
	case b.Agent != "":
		of = "agent " + b.Agent
	case b.Key != "":
		of = "key " + b.Key
	}
	name := b.ID
	if b.Name != "" {
		name = b.Name
	}
	return fmt.Sprintf("budget %q per %s of the %s", name, b.Period, of)
}

// Settle gives back what was kept for a call and draws what it has cost, also from
// budgets that were made while it was under way.
func (l *Ledger) Settle(h run.Hold, spent run.Usage) {
	l.mu.Lock()
	defer l.unlockAndWake()
	kept := l.holds[h.ID]
	delete(l.holds, h.ID)
	for _, p := range kept.purses {
		p.kept.add(kept.amount, -1)
	}
	for _, p := range l.covering(h.Account) {
		l.turn(p)
		p.spent.add(Amount{Cost: spent.Cost, Tokens: spent.Input + spent.Output}, 1)
	}
}

// counts is what a spending counts in a budget.
func (b *Budget) counts(s *run.Spend) Amount {
	more := Amount{Cost: s.Usage.Cost, Tokens: s.Usage.Input + s.Usage.Output}
	if s.Under == "" { // work that was handed down is no further run of its budget
		more.Runs = s.Runs
	}
	return more
}

// unlockAndWake lets everybody ask again who waits: what was given back may be
// enough for several small ones, and who is first is as good as any.
func (l *Ledger) unlockAndWake() {
	if l.want != nil {
		l.unask()
	}
	waiting, begins := l.waiting, l.begins
	l.waiting, l.begins = map[string]func(){}, nil
	l.mu.Unlock()
	for _, freed := range begins {
		close(freed)
	}
	for _, freed := range waiting {
		freed()
	}
}
