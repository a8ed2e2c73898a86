package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Nodes tells of the nodes that share the budgets.
type Nodes interface {
	// Name is what this node is called now.
	Name() string
	// Alive reports whether the others take this node for alive.
	Alive() bool
	// Living names all nodes whose lease has not been taken from them.
	Living(ctx context.Context) ([]string, error)
}

// SharesConfig is what Shares need.
type SharesConfig struct {
	Budgets *Budgets
	Nodes   Nodes
	// All returns the rows of a kind, of all projects.
	All    func(ctx context.Context, kind string) ([]run.Row, error)
	Logger *slog.Logger
}

// Shares draws this node's part of the budgets that several nodes have in common, from
// sheets in the store, and gives back what it does not use. What it promises: the nodes
// together never spend more than a budget has but by calls that were under way when it
// was made or lowered; a call is refused only if it would not fit without what others
// keep for theirs; what another node has changed of budgets holds here within two
// seconds.
type Shares struct {
	cfg    SharesConfig
	b      *Budgets
	ledger *Ledger
	nudge  chan struct{}
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu sync.Mutex // held during a round: then the node does not change its name

	deaths sync.Mutex           // guards dead, and is held for moments
	dead   map[string]time.Time // nodes of which calls may be left to charge, and since when
}

const (
	// sheetEvery is how often nodes look at the sheets, with nothing else to make them.
	sheetEvery = time.Second
	// sheetPace is between two rounds that calls ask for: those of a moment share one.
	sheetPace = 5 * time.Millisecond
	// sheetKept is how long a sheet is kept after its period.
	sheetKept = 48 * time.Hour
	// idleAfter is when a node gives back what it has drawn and nobody asks it for.
	idleAfter = 10 * time.Second
	// certainAfter is how long what a dead node had sent may be on its way: the store
	// ends what its clients have left within less.
	certainAfter = 10 * time.Second
	// sheetPatience bounds a round, which must not be stuck on a dead connection.
	sheetPatience = 5 * time.Second

	sheetKind = "budget_sheet" // its id is the budget's and the first day of the period
)

// NewShares makes the ledger of the budgets a shared one. Call Start when the node has
// joined the others.
func NewShares(cfg SharesConfig) *Shares {
	s := &Shares{cfg: cfg, b: cfg.Budgets, ledger: cfg.Budgets.ledger, nudge: make(chan struct{}, 1), stop: func() {}, dead: map[string]time.Time{}}
	s.b.shares = s
	s.ledger.Share(func() {
		select {
		case s.nudge <- struct{}{}:
		default:
		}
	})
	return s
}

// Start begins to draw.
func (s *Shares) Start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.done.Go(func() { s.keep(ctx) })
}

// Close gives everything back. Nothing is under way any more: what is kept for calls
// that were cut off is charged.
func (s *Shares) Close(ctx context.Context) error {
	s.stop()
	s.done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	me := s.cfg.Nodes.Name()
	if !s.cfg.Nodes.Alive() {
		return nil // others see to it, or have
	}
	all := s.ledger.statements(true)
	if len(all) == 0 {
		return nil
	}
	if err := s.charge(ctx, func(node string) bool { return node != me }); err != nil {
		return err
	}
	for i := range all {
		if err := s.change(ctx, &all[i], func(_ context.Context, sh *sheet) error {
			sh.Slice[me] = all[i].slice
			sh.leave(me)
			return nil
		}); err != nil {
			return fmt.Errorf("giving back what is left of budget %s: %w", all[i].ID, err)
		}
	}
	return nil
}

// Restart begins anew under another name: the others have declared this node dead, and
// what it had drawn is theirs to settle.
func (s *Shares) Restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.Restart()
}

// Missing hears of a node that is dead: the calls that it had under way are charged. It
// does not block: who tells has a lease to renew, and what the dead node has locked may
// keep a round.
func (s *Shares) Missing(node string) {
	s.deaths.Lock()
	defer s.deaths.Unlock()
	if _, known := s.dead[node]; !known {
		s.dead[node] = s.b.now()
	}
}

func (s *Shares) keep(ctx context.Context) {
	ticker := time.NewTicker(sheetEvery)
	defer ticker.Stop()
	for ctx.Err() == nil {
		tick := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			tick = true
		case <-s.nudge:
		}
		if !s.cfg.Nodes.Alive() {
			continue // it begins no calls either
		}
		round, cancel := context.WithTimeout(ctx, sheetPatience)
		if err := s.round(round, tick); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("budgets can't be shared out now: model calls under them wait", "error", err)
		}
		cancel()
		select {
		case <-time.After(sheetPace):
		case <-ctx.Done():
		}
	}
}

// round looks at the sheets that something waits for; at a tick, at all of which this
// node has drawn, and at what others have changed.
func (s *Shares) round(ctx context.Context, tick bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	if tick {
		errs = append(errs, s.b.refresh(ctx, s.cfg.All), s.chargeDead(ctx))
	}
	all := s.ledger.statements(tick)
	for i := range all {
		errs = append(errs, s.see(ctx, &all[i], tick))
	}
	return errors.Join(errs...)
}

// see brings a sheet up to date with what this node uses, wants and leaves.
func (s *Shares) see(ctx context.Context, st *statement, tick bool) error {
	me, now := s.cfg.Nodes.Name(), s.b.now()
	var mine slice
	var elsewhere, others Amount
	err := s.change(ctx, st, func(ctx context.Context, sh *sheet) error {
		if err := s.examine(ctx, sh, st, tick); err != nil {
			return err
		}
		if mine = st.slice; now.Sub(st.at) >= sheetEvery && (sh.wanted(me, &st.Budget) || now.Sub(st.asked) >= idleAfter) {
			mine = s.ledger.trim(st)
		}
		sh.Slice[me] = mine
		if !st.known && mine.Booked != (Amount{}) && sh.Died.IsZero() {
			booked, _, err := s.b.seen(ctx, &st.Budget)
			if err != nil {
				return err
			}
			sh.correct(booked)
		}
		if st.waits {
			sh.draw(me, &st.Budget, st.little, st.all)
		}
		mine, elsewhere, others = sh.Slice[me], sh.elsewhere(me), sh.keptElsewhere(me)
		if mine == (slice{}) {
			delete(sh.Slice, me)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("sharing budget %s: %w", st.ID, err)
	}
	s.ledger.deal(st, mine, elsewhere, others)
	return nil
}

// examine takes the dead off a sheet, and finds out what they have spent.
func (s *Shares) examine(ctx context.Context, sh *sheet, st *statement, tick bool) error {
	now := s.b.now()
	if alone := len(sh.Slice) == 0 || len(sh.Slice) == 1 && sh.has(s.cfg.Nodes.Name()); !alone {
		alive, err := s.living(ctx) // after the sheet was read: who is on it had joined before
		if err != nil {
			return err
		}
		sh.bury(alive, now)
	}
	if !tick || sh.Died.IsZero() || now.Sub(sh.Died) < certainAfter {
		return nil
	}
	if err := s.chargeLeft(ctx, st.Project); err != nil {
		return err
	}
	booked, _, err := s.b.seen(ctx, &st.Budget)
	if err == nil {
		sh.settle(booked)
	}
	return err
}

func (s *Shares) living(ctx context.Context) (alive func(node string) bool, err error) {
	names, err := s.cfg.Nodes.Living(ctx)
	if err != nil {
		return nil, err
	}
	names = append(names, s.cfg.Nodes.Name())
	return func(node string) bool { return slices.Contains(names, node) }, nil
}

// sheetTries bounds how often a sheet is changed anew because another node was quicker.
const sheetTries = 50

// change changes a sheet as it stands, and again when another node was quicker.
func (s *Shares) change(ctx context.Context, st *statement, change func(context.Context, *sheet) error) error {
	for try := 0; ; try++ {
		sh, row, err := s.read(ctx, &st.Budget, st.first)
		if err != nil {
			return err
		}
		if err := change(ctx, &sh); err != nil {
			return err
		}
		data, err := json.Marshal(&sh)
		if err != nil || bytes.Equal(data, row.Data) {
			return err
		}
		row.Data, row.Expires = data, st.until.Add(sheetKept)
		expect := row.Version
		if expect == 0 {
			expect = run.MustNotExist
		}
		err = s.b.rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: expect}}})
		if conflict := (*run.RowConflict)(nil); err == nil || !errors.As(err, &conflict) || try == sheetTries {
			return err
		}
	}
}

// read reads a sheet, or begins one: what is booked so far is gone.
func (s *Shares) read(ctx context.Context, of *Budget, first run.Day) (sh sheet, row run.Row, err error) {
	id := of.ID + "/" + string(first)
	row, err = s.b.rows.Row(ctx, sheetKind, of.Project, id)
	if problem.Is(err, problem.NotFound) {
		row = run.Row{Kind: sheetKind, Project: of.Project, ID: id, Created: s.b.now()}
		sh = sheet{Slice: map[string]slice{}}
		sh.Gone, _, err = s.b.seen(ctx, of)
		return sh, row, err
	}
	if err != nil {
		return sh, row, err
	}
	if err = json.Unmarshal(row.Data, &sh); err != nil {
		return sh, row, fmt.Errorf("reading the sheet %s: %w", id, err)
	}
	if sh.Slice == nil {
		sh.Slice = map[string]slice{}
	}
	return sh, row, nil
}

// total is what all nodes together have spent of a budget, and keep, as far as this one
// can know.
func (s *Shares) total(ctx context.Context, of *Budget) (spent, kept Amount, err error) {
	first, _ := of.Period.Span(s.b.now())
	sh, _, err := s.read(ctx, of, first)
	if err != nil {
		return spent, kept, err
	}
	booked, _, err := s.b.seen(ctx, of)
	here, keeps, _ := s.ledger.own(of)
	me := s.cfg.Nodes.Name()
	return most(booked, sh.elsewhere(me).plus(here)), sh.keptElsewhere(me).plus(keeps), err
}
