package auth

import (
	"cmp"
	"slices"
	"time"

	"errand/internal/run"
)

// sharing is what a ledger knows of a budget that other nodes draw from too: the limit
// is not its own, only what it has drawn of it. Of a period that has just begun nothing
// is known.
type sharing struct {
	drawn     Amount    // that may be used here, in all: spent and kept
	booked    Amount    // of what is spent, all that is certainly on disk
	elsewhere Amount    // what others have certainly spent
	others    Amount    // what others keep for calls
	known     bool      // what others have spent was read in this period
	at        time.Time // when more was drawn
	told      slice     // what the sheet says of this node

	little, all Amount    // what waits for more to be drawn: the least of it, and the sum
	waits       bool      // something does
	asked       time.Time // when room was last asked for
}

// Share makes the budgets of this ledger shared with others: it gives only what was
// drawn, and calls want, which must not block, when that does not suffice.
func (l *Ledger) Share(want func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.want = want
}

// fits reports whether a shared budget has room here for what is asked. If not, more is
// to be drawn. The lock is held.
func (l *Ledger) fits(p *purse, asked Amount) bool {
	need := p.spent.plus(p.kept).plus(asked)
	if asked.Runs == 0 {
		need.Runs = 0 // runs that have begun may end
	} else {
		need = Amount{Runs: p.spent.Runs + asked.Runs} // and one that begins has made no call
	}
	p.asked = l.now()
	if p.known && !p.exceeds(need, p.drawn) {
		return true
	}
	p.little, p.all, p.waits = lesser(p.little, asked), p.all.plus(asked), true
	l.want()
	return false
}

// lesser is the least of both that is not nothing.
func lesser(a, b Amount) Amount {
	pick := func(a, b int) int {
		if a == 0 || b == 0 {
			return a + b
		}
		return min(a, b)
	}
	return Amount{Cost: run.Micros(pick(int(a.Cost), int(b.Cost))), Tokens: pick(a.Tokens, b.Tokens), Runs: pick(a.Runs, b.Runs)}
}

// Booked hears of spending by this node that is on disk.
func (l *Ledger) Booked(spends []run.Spend) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range spends {
		s := &spends[i]
		for _, p := range l.covering(s.Account) {
			if l.turn(p); s.Day >= p.first {
				p.booked.add(p.counts(s), 1)
				p.spent = most(p.spent, p.booked)
			}
		}
	}
}

// statement is how a budget stands on this node: what it writes on the sheet.
type statement struct {
	Budget
	first       run.Day
	until       time.Time
	slice       slice
	little, all Amount
	waits       bool
	known       bool // the node has seen the sheet
	asked, at   time.Time
}

// statements tells how the budgets stand from which this node has drawn or wants to; all
// of them, or only those that something waits for.
func (l *Ledger) statements(all bool) (found []statement) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, purses := range l.purses {
		for _, p := range purses {
			until := l.turn(p)
			used := p.spent.plus(p.kept)
			if p.waits || all && (!p.known || most(p.drawn, used) != (Amount{}) || p.told != (slice{})) {
				found = append(found, statement{
					Budget: p.Budget, first: p.first, until: until, little: p.little, all: p.all, waits: p.waits, known: p.known, asked: p.asked, at: p.at,
					slice: slice{Drawn: p.drawn, Spent: p.spent, Kept: p.kept, Booked: p.booked},
				})
			}
		}
	}
	slices.SortFunc(found, func(a, b statement) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// trim gives up what is drawn and not used, before the sheet says so, and returns what
// the node is left with.
func (l *Ledger) trim(st *statement) (left slice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.purse(st); p != nil {
		p.drawn = p.spent.plus(p.kept)
		left = slice{Drawn: p.drawn, Spent: p.spent, Kept: p.kept, Booked: p.booked}
	}
	return left
}

// deal hands out what the sheet says by now, and lets those ask again who wait if there
// is more than before, or less left for them.
func (l *Ledger) deal(st *statement, mine slice, elsewhere, others Amount) {
	l.mu.Lock()
	p := l.purse(st)
	if p == nil {
		l.mu.Unlock()
		return
	}
	more := most(p.drawn, mine.Drawn) != p.drawn
	news := !p.known || more || elsewhere != p.elsewhere
	if more {
		p.at = l.now()
	}
	p.drawn, p.elsewhere, p.others, p.known, p.told = mine.Drawn, elsewhere, others, true, mine
	if !news {
		l.mu.Unlock()
		return
	}
	l.unlockAndWake()
}

// purse finds the purse of a statement, if its period is not over. The lock is held.
func (l *Ledger) purse(st *statement) *purse {
	for _, p := range l.purses[st.Project] {
		if p.ID == st.ID {
			if l.turn(p); p.first == st.first {
				return p
			}
		}
	}
	return nil
}

// Restart forgets what was drawn and used: it is another node's now, that of the name
// which this one had before.
func (l *Ledger) Restart() {
	l.mu.Lock()
	defer l.unlockAndWake()
	clear(l.holds)
	for _, purses := range l.purses {
		for _, p := range purses {
			p.spent, p.kept, p.sharing = Amount{}, Amount{}, sharing{}
		}
	}
}

// own is what this node has spent of a budget, and keeps.
func (l *Ledger) own(of *Budget) (spent, kept Amount, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.purses[of.Project] {
		if p.ID == of.ID {
			l.turn(p)
			return p.spent, p.kept, true
		}
	}
	return spent, kept, false
}

// unask forgets what waits for more to be drawn: who does says so again. The lock is
// held.
func (l *Ledger) unask() {
	for _, purses := range l.purses {
		for _, p := range purses {
			p.little, p.all, p.waits = Amount{}, Amount{}, false
		}
	}
}

// replace makes the budgets these, whatever there were.
func (l *Ledger) replace(all map[string]Budget) {
	l.mu.Lock()
	changed := false
	for project, purses := range l.purses {
		l.purses[project] = slices.DeleteFunc(purses, func(p *purse) bool {
			b, there := all[p.ID]
			changed = changed || !there || b != p.Budget
			p.Budget = b
			delete(all, p.ID)
			return !there
		})
	}
	for _, b := range all {
		first, _ := b.Period.Span(l.now())
		l.purses[b.Project] = append(l.purses[b.Project], &purse{Budget: b, first: first})
	}
	if !changed {
		l.mu.Unlock()
		return
	}
	l.unlockAndWake()
}
