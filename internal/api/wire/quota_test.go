package wire

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/store/memory"
)

// slowQuota is a store's, which takes a moment, or does not answer.
type slowQuota struct {
	*memory.Store
	down  atomic.Bool
	asked atomic.Int64
}

func (q *slowQuota) Draw(ctx context.Context, key string, limit, want int) (int, time.Duration, error) {
	q.asked.Add(1)
	if q.down.Load() {
		<-ctx.Done()
		return 0, 0, errors.New("no route to host")
	}
	time.Sleep(2 * time.Millisecond)
	return q.Store.Draw(ctx, key, limit, want)
}

// counted is some nodes that count over one quota, in virtual time.
type counted struct {
	*slowQuota
	nodes [3]Server
	let   atomic.Int64
}

func inQuota(t *testing.T, test func(t *testing.T, c *counted)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &counted{slowQuota: &slowQuota{Store: memory.New(memory.Config{Now: time.Now})}}
		for i := range c.nodes {
			c.nodes[i].cfg = Config{Quota: c.slowQuota, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
		}
		test(t, c)
	})
}

func (c *counted) ask(node, limit int) Standing {
	s := c.nodes[node].take(context.Background(), "key", limit)
	if s.Wait == 0 {
		c.let.Add(1)
	}
	return s
}

// A key's requests are counted over all nodes, to the last: what the headers say of them
// is true, and who waits as long as it is told to is let in.
func TestQuota(t *testing.T) {
	inQuota(t, func(t *testing.T, c *counted) {
		const limit = 30
		for n := range limit {
			s := c.ask(n%3, limit)
			if s.Wait != 0 || s.Remaining != limit-1-n || s.Limit != limit || s.Reset > time.Duration(n+1)*2*time.Second || s.Reset < time.Duration(n+1)*2*time.Second-time.Second {
				t.Fatalf("request %d: %+v", n+1, s)
			}
		}
		for node := range 3 {
			s := c.ask(node, limit)
			if s.Wait < time.Second || s.Wait > 2*time.Second || s.Remaining != 0 || s.Reset > time.Minute {
				t.Errorf("one too many on node %d: %+v", node, s)
			}
		}
		asked := c.asked.Load()
		wait := c.ask(1, limit).Wait
		if again := c.ask(1, limit); again.Wait == 0 || c.asked.Load() != asked {
			t.Errorf("who is refused is asked for %d times", c.asked.Load()-asked)
		}
		time.Sleep(wait)
		if s := c.ask(1, limit); s.Wait != 0 {
			t.Errorf("after %v: %+v", wait, s)
		}
		if s := c.ask(2, limit); s.Wait == 0 {
			t.Errorf("and on another node: %+v", s)
		}
		time.Sleep(time.Minute)
		if s := c.ask(0, limit); s.Wait != 0 || s.Remaining != limit-1 {
			t.Errorf("after a minute: %+v", s)
		}
	})
}

// Many requests at once, from three nodes, for minutes: never more than the limit are let
// in, and of a key that asks for more not much less; most need no statement of their own.
func TestQuotaUnderLoad(t *testing.T) {
	for _, limit := range []int{7, 600, 12_000} {
		inQuota(t, func(t *testing.T, c *counted) {
			const minutes = 2
			began := time.Now()
			var all sync.WaitGroup
			var requests atomic.Int64
			for worker := range 24 {
				all.Go(func() {
					dice := rand.New(rand.NewPCG(uint64(worker), 1))
					for time.Since(began) < minutes*time.Minute {
						s := c.ask(worker%3, limit)
						requests.Add(1)
						time.Sleep(s.Wait + time.Duration(dice.Int64N(int64(24*time.Minute)/int64(limit)))/2)
					}
				})
			}
			all.Wait()
			most := int64(limit + minutes*limit)
			if let := c.let.Load(); let > most+1 || let < most*9/10-1 {
				t.Errorf("of %d a minute, %d were let in within %d minutes: want at most %d", limit, let, minutes, most)
			}
			if limit >= 12_000 && c.asked.Load() > requests.Load()/2 {
				t.Errorf("%d requests took %d statements", requests.Load(), c.asked.Load())
			}
		})
	}
}

// A slow key is not charged for what it does not use.
func TestQuotaOfASlowKey(t *testing.T) {
	inQuota(t, func(t *testing.T, c *counted) {
		for n := range 100 { // on each node two a second, of ten that it may make
			if s := c.ask(n%3, 600); s.Wait != 0 || s.Remaining < 590 {
				t.Fatalf("request %d: %+v", n+1, s)
			}
			time.Sleep(time.Second / 6)
		}
	})
}

// What a node has drawn ahead is void after a second: a burst later gets no more for it.
func TestQuotaDrawnAhead(t *testing.T) {
	inQuota(t, func(t *testing.T, c *counted) {
		const limit = 1000
		for n := range 900 {
			c.ask(n%3, limit)
		}
		time.Sleep(2 * time.Minute)
		c.let.Store(0)
		began := time.Now()
		for n := range limit + 50 {
			c.ask(n%3, limit)
		}
		if let, most := c.let.Load(), int64(limit*(1+time.Since(began).Minutes()))+1; let > most {
			t.Errorf("%d were let in at once, want %d at most", let, most)
		}
	})
}

// While the store does not answer, each node counts by itself: a key waits for the answer
// once a second, and is not refused for it.
func TestQuotaWithoutStore(t *testing.T) {
	inQuota(t, func(t *testing.T, c *counted) {
		c.down.Store(true)
		began := time.Now()
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { c.ask(0, 10) })
		}
		all.Wait()
		if took := time.Since(began); took != drawPatience || c.let.Load() != 10 || c.asked.Load() != 1 {
			t.Errorf("%d were let in after %v, with %d statements", c.let.Load(), took, c.asked.Load())
		}
		if s := c.ask(0, 10); s.Wait == 0 {
			t.Errorf("then: %+v", s)
		}
		c.down.Store(false)
		time.Sleep(drawPatience)
		if s := c.ask(0, 10); s.Wait != 0 || s.Remaining != 9 {
			t.Errorf("when it is back: %+v", s)
		}
	})
}
