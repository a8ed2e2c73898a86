package river

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// clock is the database's, as far as this machine can tell. River reckons by a clock of
// the process when a job comes again, and which of all jobs that are due later it looks
// at, while the database says what is due. Where the two differ, a job would come again
// late by as much, or at once and for ever; and while a node leads whose clock is
// behind, all jobs of all nodes would be late.
//
// River's cleaner and rescuer alone go by this machine's clock, and can't be told another:
// where the database's is behind, rows go as soon as their jobs are done, where it is
// ahead they stay as much longer.
type clock struct {
	now  func() time.Time
	off  atomic.Int64 // what the database's clock says more than this machine's
	stop context.CancelFunc
	done sync.WaitGroup
}

const (
	// setEvery is how often the clock is set by the database's: clocks drift slowly, and
	// jump seldom.
	setEvery = 10 * time.Second
	// setWithin bounds one look at it, for a server that does not answer.
	setWithin = 5 * time.Second
)

// Now is the database's time, with the steady reading that this machine's has.
func (c *clock) Now() time.Time { return c.now().Add(time.Duration(c.off.Load())) }

// NowOrNil has the database ask itself wherever it can.
func (*clock) NowOrNil() *time.Time { return nil }

// start sets the clock, and again from time to time until close.
func (c *clock) start(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) error {
	if err := c.set(ctx, pool); err != nil {
		return err
	}
	ctx, c.stop = context.WithCancel(context.WithoutCancel(ctx))
	c.done.Go(func() {
		again := time.NewTicker(setEvery)
		defer again.Stop()
		for {
			select {
			case <-again.C:
			case <-ctx.Done():
				return
			}
			if err := c.set(ctx, pool); err != nil && ctx.Err() == nil {
				log.Debug("the database's clock can't be read now", "error", err)
			}
		}
	})
	return nil
}

func (c *clock) close() {
	if c.stop != nil {
		c.stop()
		c.done.Wait()
	}
}

// set takes over what the database's clock says, unless this one is as right as the time
// lets tell that the answer took.
func (c *clock) set(ctx context.Context, pool *pgxpool.Pool) error {
	ctx, cancel := context.WithTimeout(ctx, setWithin)
	defer cancel()
	began := c.Now()
	var there time.Time
	if err := pool.QueryRow(ctx, "SELECT now()").Scan(&there); err != nil {
		return err
	}
	took := c.Now().Sub(began)
	if off := there.Sub(began.Add(took / 2)); off.Abs() > took {
		c.off.Add(int64(off))
	}
	return nil
}
