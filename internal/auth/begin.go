package auth

import (
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// beginWait is how long a run that is about to be made waits for other nodes to give
// back what they have drawn and don't use: they look each second.
const beginWait = 3 * time.Second

// Begin counts a run that is about to be made, or says which budget has no room for
// another one. undo takes it back.
func (l *Ledger) Begin(a run.Account) (undo func(), err error) {
	var patience <-chan time.Time
	for {
		undo, freed, err := l.begin(a)
		if freed == nil {
			return undo, err
		}
		if patience == nil {
			timer := time.NewTimer(beginWait)
			defer timer.Stop()
			patience = timer.C
		}
		select {
		case <-freed:
		case <-patience:
			late := problem.New(problem.RateLimited, "A budget of this run has room, but other nodes hold it and have not answered yet: try again.")
			late.RetryAfter = time.Second
			return nil, late
		}
	}
}

// begin is one try of Begin. If freed is not nil, it is worth another one when that is
// closed.
func (l *Ledger) begin(a run.Account) (undo func(), freed chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	one, found, wait := Amount{Runs: 1}, l.covering(a), false
	for _, p := range found {
		until := l.turn(p)
		if p.MaxRuns > 0 && p.spent.Runs+p.elsewhere.Runs+1 > p.MaxRuns {
			refused := problem.New(problem.RateLimited, "%s", p.refusal("runs", fmt.Sprintf("all of its %d runs have begun", p.MaxRuns), until).Message)
			refused.RetryAfter = until.Sub(l.now())
			return nil, nil, refused
		}
		if l.want != nil && p.MaxRuns > 0 {
			wait = !l.fits(p, one) || wait
		}
	}
	if wait {
		freed = make(chan struct{})
		l.begins = append(l.begins, freed)
		return nil, freed, nil
	}
	for _, p := range found {
		p.spent.add(one, 1)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, p := range found {
			p.spent.add(one, -1)
		}
	}, nil, nil
}
