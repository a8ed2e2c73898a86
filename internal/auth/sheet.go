package auth

import (
	"maps"
	"slices"
	"time"

	"errand/internal/run"
)

// A sheet is one period of a budget as all nodes see it: who may use how much of it.
// What is on it never adds up to more than the budget has, except by what was spent
// without asking. It is a row that is changed by compare-and-set; what is here are the
// rules, without a store and without a clock.
type sheet struct {
	// Gone is spent, by nobody who is in Shares: before there was a sheet, or by nodes
	// that have left.
	Gone Amount
	// Doubt is what nodes that died may have spent beside that.
	Doubt Amount
	Died  time.Time        // when the latest of them was missed; zero = there is no doubt
	Slice map[string]slice // by node
}

// slice is what one node has of a sheet, as it last wrote it.
type slice struct {
	Drawn  Amount // that it may use in all: it has spent it, keeps it for calls, or may still
	Spent  Amount // of that
	Kept   Amount // of that, likewise
	Booked Amount // of what is spent, all that is certainly on disk
	Wants  bool   // a call waits for what others have drawn and don't use
}

// held is what a slice takes off the sheet: one that has spent more than it drew has
// spent it all the same.
func (s *slice) held() Amount { return most(s.Drawn, s.Spent.plus(s.Kept)) }

func (a Amount) plus(b Amount) Amount {
	a.add(b, 1)
	return a
}

func (a Amount) minus(b Amount) Amount {
	a.add(b, -1)
	return a
}

func most(a, b Amount) Amount {
	return Amount{Cost: max(a.Cost, b.Cost), Tokens: max(a.Tokens, b.Tokens), Runs: max(a.Runs, b.Runs)}
}

func least(a, b Amount) Amount {
	return Amount{Cost: min(a.Cost, b.Cost), Tokens: min(a.Tokens, b.Tokens), Runs: min(a.Runs, b.Runs)}
}

// taken is what nobody can draw any more.
func (s *sheet) taken() Amount {
	all := s.Gone.plus(s.Doubt)
	for _, one := range s.Slice {
		all = all.plus(one.held())
	}
	return all
}

func (s *sheet) has(node string) bool {
	_, there := s.Slice[node]
	return there
}

// elsewhere is what all but one node have certainly spent: it never grows less.
func (s *sheet) elsewhere(me string) Amount {
	all := s.Gone
	for name, one := range s.Slice {
		if name != me {
			all = all.plus(one.Spent)
		}
	}
	return all
}

// keptElsewhere is what other nodes keep for calls under way.
func (s *sheet) keptElsewhere(me string) (all Amount) {
	for name, one := range s.Slice {
		if name != me {
			all = all.plus(one.Kept)
		}
	}
	return all
}

// wanted reports whether a node other than this one waits, or more is drawn than there
// is, because the budget was lowered: then nobody keeps what it does not use.
func (s *sheet) wanted(me string, of *Budget) bool {
	for name, one := range s.Slice {
		if name != me && one.Wants {
			return true
		}
	}
	return of.beyond(s.taken())
}

// beyond reports whether an amount is more than the budget has.
func (b *Budget) beyond(a Amount) bool {
	return b.exceeds(a, Amount{Cost: b.MaxCost, Tokens: b.MaxTokens, Runs: b.MaxRuns})
}

// exceeds reports whether an amount is more than there is, of what the budget limits.
func (b *Budget) exceeds(a, there Amount) bool {
	return b.MaxCost > 0 && a.Cost > there.Cost || b.MaxTokens > 0 && a.Tokens > there.Tokens || b.MaxRuns > 0 && a.Runs > there.Runs
}

// bury takes those off the sheet who live no more. All that they had drawn counts as
// spent until it is known better.
func (s *sheet) bury(alive func(node string) bool, now time.Time) {
	for _, name := range slices.Sorted(maps.Keys(s.Slice)) {
		if alive(name) {
			continue
		}
		one := s.Slice[name]
		s.Gone = s.Gone.plus(one.Spent)
		s.Doubt = s.Doubt.plus(one.held().minus(one.Spent))
		s.Died = now
		delete(s.Slice, name)
	}
}

// leave takes a node off that has ended all that it did. What it kept for calls which
// were cut off is charged, so it is spent.
func (s *sheet) leave(me string) {
	if one, there := s.Slice[me]; there {
		s.Gone = s.Gone.plus(one.Spent).plus(one.Kept)
		delete(s.Slice, me)
	}
}

// settle ends the doubt about the dead: what is booked in all, and not by those who
// live, is the most that they can have spent. It must be read after the sheet, when
// nothing of the dead is on its way any more, and all that they kept has been charged.
func (s *sheet) settle(booked Amount) {
	for _, one := range s.Slice {
		booked = booked.minus(one.Booked)
	}
	s.Gone = most(s.Gone, least(s.Gone.plus(s.Doubt), booked))
	s.Doubt, s.Died = Amount{}, time.Time{}
}

// correct takes off what is gone that somebody who lives has counted too: it was spent
// before there was a sheet, but after the node had heard of the budget.
func (s *sheet) correct(booked Amount) {
	for _, one := range s.Slice {
		booked = booked.minus(one.Booked)
	}
	s.Gone = least(s.Gone, most(booked, Amount{}))
}

// draw gives a node all that it asks for, and some of what is left, so that it need not
// ask for each call. If there is not as much, it gets what there is, if that is of use:
// the least that is waited for. It reports whether all that waits was served.
func (s *sheet) draw(me string, of *Budget, little, all Amount) bool {
	mine := s.Slice[me]
	others, used, served := s.taken().minus(mine.held()), mine.Spent.plus(mine.Kept), true
	pick := func(limit, others, used, little, all int64) int64 {
		free := max(limit-others-used, 0)
		switch {
		case limit == 0:
			return used + all
		case free >= all:
			return used + all + (free-all)/ahead
		}
		if served = false; free < little {
			return used
		}
		return used + free
	}
	mine.Drawn = most(mine.Drawn, Amount{
		Cost:   run.Micros(pick(int64(of.MaxCost), int64(others.Cost), int64(used.Cost), int64(little.Cost), int64(all.Cost))),
		Tokens: int(pick(int64(of.MaxTokens), int64(others.Tokens), int64(used.Tokens), int64(little.Tokens), int64(all.Tokens))),
		Runs:   int(pick(int64(of.MaxRuns), int64(others.Runs), int64(used.Runs), int64(little.Runs), int64(all.Runs))),
	})
	mine.Wants = !served
	s.Slice[me] = mine
	return served
}

// ahead is which part of what is left a node draws beside what it needs: so it asks
// seldom while there is much, and leaves most to the others.
const ahead = 8
