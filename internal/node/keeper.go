// Package node keeps this server among those that share one store: it holds a lease,
// knows for itself when others may take it for dead, and takes over what dead ones
// have left.
//
// What it promises:
//   - A node that could not renew its lease for 3 s, by its own steady clock, is not
//     Alive: nothing may be begun in its name. Others take what it had 5 s after its
//     last renewal at the earliest. So there are 2 s in which nobody acts, for what was
//     asked whether it may begin and has not begun yet.
//   - What a dead node had is given away 5 s after its last renewal, once: a renewal
//     also says when the first lease of another node runs out, and where that is before
//     the next renewal is due, that one comes sooner. So of the 6 s within which others
//     go on, a whole one is left for machines that have much to do.
//   - Nobody is declared dead by a node that has not itself renewed without a break
//     for 5 s: after a restart of the store, or a jump of its clock, in which all
//     leases run out at once, everybody has time to renew.
//   - A node that finds itself declared dead goes on under a name that it never had.
//
// Times of leases are the store's: the nodes' clocks need not agree.
//
// To change how long a lease is, edit the constants below; to change what is taken
// over, edit Bury in the store.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Lease is how long a node counts as alive after it has renewed.
const Lease = 4 * time.Second

// Grace is how long after its lease a node is declared dead.
const Grace = time.Second

const (
	// renewEvery leaves room for two renewals that fail before the node falls silent.
	renewEvery = time.Second
	// silentAfter is below Lease by what may pass between the question whether
	// something may begin and its beginning, with Grace.
	silentAfter = 3 * time.Second
	// steadyFor is how long a node must have renewed before it declares others dead:
	// longer than those need to renew when the store is back.
	steadyFor = 5 * time.Second
	// longestGap between two renewals does not count as a break.
	longestGap = 2 * renewEvery
	// skew is by how much the store's clock and this machine's may differ from one
	// renewal to the next: a jump makes leases look older, or younger, than they are.
	skew = time.Second
	// patience is how long the store may take to answer: then it is asked anew.
	patience = time.Second
	// startPatience is how long it may take where a node has nothing yet that others
	// could take: with many that start at once it may be busy.
	startPatience = 20 * time.Second
)

// Nodes are the leases in the store. Times are by its own clock. A lease that ends
// later than one made now would is left from before the clock was set back: it counts
// as run out. internal/store/postgres has the implementation.
type Nodes interface {
	// Enter makes a node known, for the length of the lease: by a name that no other
	// has or ever had, and for people, where it serves and what version it is of.
	Enter(ctx context.Context, name, address, version string, lease time.Duration) error
	// Renew prolongs a lease, run out or not, to end that long from now, which it also
	// returns, with the time at which the first lease of another node ends; zero = there
	// is no other. Now is zero if the node has been buried.
	Renew(ctx context.Context, name string, lease time.Duration) (now, next time.Time, err error)
	// Dead names the nodes whose lease ran out that long ago or longer, and those that
	// have runs and are not known.
	Dead(ctx context.Context, grace time.Duration) ([]string, error)
	// Bury forgets a node that is dead still, and gives its runs to whoever comes. It
	// returns how many those were; what it has given away when ctx ends stays so.
	Bury(ctx context.Context, name string, grace time.Duration) (runs int, err error)
}

// Config is what a Keeper needs. Nodes and Now must be set.
type Config struct {
	Nodes   Nodes
	Now     func() time.Time // with the steady reading that time.Now has
	Address string           // where this node serves, for people
	Version string           // of the program, likewise
	// Dead hears of each node that is about to be buried, to free what else it held. It
	// may be told again. Its error puts the burial off. Nil = it held nothing else.
	Dead func(ctx context.Context, name string) error
	// Renamed hears that this node was declared dead, and goes on under another name.
	// It is not Alive until all that was begun under the old name has been told to
	// end, and Renamed has returned. Nil = nobody does.
	Renamed func(name string)
	Logger  *slog.Logger // nil = none
}

// Keeper holds this node's lease. Make one with New, call Start, and Close at the end.
type Keeper struct {
	cfg     Config
	name    atomic.Pointer[string]
	renewed atomic.Pointer[time.Time] // when the latest renewal was asked for; nil = there is none

	known  bool      // the others know this node by its name, or did
	steady time.Time // since when all went well; zero = it does not
	store  time.Time // the store's time at the latest renewal
	due    time.Time // when the first lease of another node will have run out for good; zero = there is none
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// New returns a keeper that holds no lease yet. Its node has a name from now on.
func New(cfg Config) *Keeper {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{cfg: cfg, stop: func() {}}
	k.rename()
	return k
}

// Name is this node's name now.
func (k *Keeper) Name() string { return *k.name.Load() }

// Alive reports whether the others take this node for alive, as far as its own clock
// can tell. It is quick.
func (k *Keeper) Alive() bool {
	renewed := k.renewed.Load()
	return renewed != nil && passed(*renewed, k.cfg.Now()) < silentAfter
}

// passed is the time between two readings, by the steady clock or, if that is longer,
// by the time of day: the steady clock of a machine that was suspended has stood still.
func passed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

func (k *Keeper) rename() string {
	name := rand.Text()
	k.name.Store(&name)
	return name
}

// Start makes the node known and keeps it so until Close.
func (k *Keeper) Start(ctx context.Context) error {
	if err := k.enter(ctx, startPatience); err != nil {
		return fmt.Errorf("joining the other nodes: %w", err)
	}
	ctx, k.stop = context.WithCancel(context.WithoutCancel(ctx))
	k.done.Go(func() { k.keep(ctx) })
	return nil
}

// Close leaves: what this node still has is for others at once.
func (k *Keeper) Close(ctx context.Context) error {
	k.stop()
	k.done.Wait()
	if k.renewed.Swap(nil) == nil {
		return nil // it held no lease that could be given up
	}
	now, _, err := k.cfg.Nodes.Renew(ctx, k.Name(), 0)
	if err == nil && !now.IsZero() {
		_, err = k.cfg.Nodes.Bury(ctx, k.Name(), 0)
	}
	if err != nil {
		return fmt.Errorf("leaving the other nodes, who will miss this one in %v: %w", Lease+Grace, err)
	}
	return nil
}

func (k *Keeper) keep(ctx context.Context) {
	timer := time.NewTimer(renewEvery)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		began := k.cfg.Now()
		if err := k.round(ctx); err != nil && ctx.Err() == nil {
			k.cfg.Logger.Warn("this node's lease can't be seen to now", "node", k.Name(), "alive", k.Alive(), "error", err)
		}
		timer.Reset(k.pause(began))
	}
}

// pause is how long to wait after a round: until a second after its begin, or until
// another node can be found dead, if that is sooner.
func (k *Keeper) pause(began time.Time) time.Duration {
	now := k.cfg.Now()
	usual := max(renewEvery-now.Sub(began), 0)
	if until := k.due.Sub(now); until > 0 && until < usual {
		return until
	}
	return usual
}

// round renews the lease, and takes over from the dead if all has gone well for long.
func (k *Keeper) round(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := k.cfg.Now()
	k.due = time.Time{}
	now, next, err := k.cfg.Nodes.Renew(asking, k.Name(), Lease)
	switch {
	case err != nil:
		return err
	case now.IsZero() && k.known:
		return k.again(ctx)
	case now.IsZero():
		return k.enter(ctx, patience) // it has a name that it could not enter under yet
	}
	k.known = true
	if last := k.renewed.Load(); last == nil || k.steady.IsZero() || k.broken(began.Sub(*last), now) {
		k.steady = began
	}
	k.renewed.Store(&began) // before it was asked for: the lease ends no earlier
	k.store = now
	if began.Sub(k.steady) < steadyFor {
		return nil
	}
	if !next.IsZero() {
		k.due = k.cfg.Now().Add(next.Add(Grace).Sub(now))
	}
	return k.takeOver(ctx)
}

// broken reports whether something has kept this node from renewing, or the store's
// clock has been set, since the latest renewal.
func (k *Keeper) broken(since time.Duration, now time.Time) bool {
	jump := now.Sub(k.store) - since
	return since > longestGap || jump.Abs() > skew
}

// again joins the others anew: they have declared this node dead, and whatever has its
// old name on it is theirs.
func (k *Keeper) again(ctx context.Context) error {
	k.renewed.Store(nil)
	k.known = false
	old, name := k.Name(), k.rename()
	k.cfg.Logger.Warn("this node was declared dead and goes on under another name", "was", old, "node", name)
	if k.cfg.Renamed != nil {
		k.cfg.Renamed(name)
	}
	return k.enter(ctx, patience)
}

func (k *Keeper) enter(ctx context.Context, patience time.Duration) error {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := k.cfg.Now()
	if err := k.cfg.Nodes.Enter(asking, k.Name(), k.cfg.Address, k.cfg.Version, Lease); err != nil {
		return err
	}
	k.known, k.steady = true, time.Time{}
	k.renewed.Store(&began)
	return nil
}

// takeOver gives away what dead nodes have left: of each as much as it can.
func (k *Keeper) takeOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dead, err := k.cfg.Nodes.Dead(ctx, Grace)
	if err != nil {
		return fmt.Errorf("looking for dead nodes: %w", err)
	}
	for _, name := range dead {
		if name != k.Name() { // else the next renewal tells
			err = errors.Join(err, k.bury(ctx, name))
		}
	}
	return err
}

func (k *Keeper) bury(ctx context.Context, name string) error {
	if k.cfg.Dead != nil {
		if err := k.cfg.Dead(ctx, name); err != nil {
			return fmt.Errorf("freeing what node %s held: %w", name, err)
		}
	}
	runs, err := k.cfg.Nodes.Bury(ctx, name, Grace)
	if err != nil {
		return fmt.Errorf("burying node %s: %w", name, err)
	}
	k.cfg.Logger.Info("a node is dead, and others go on with its runs", "dead", name, "runs", runs)
	return nil
}
