package router

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/run"
)

// shelf is a model whose list is counted.
type shelf struct {
	asked atomic.Int32
	down  atomic.Bool
}

func (*shelf) Reply(context.Context, *run.Request, func(run.Delta)) (run.Reply, error) {
	return run.Reply{}, errors.New("it only lists")
}

func (s *shelf) List(ctx context.Context) ([]string, error) {
	s.asked.Add(1)
	if s.down.Load() {
		return nil, errors.New("down")
	}
	return []string{"b", "a"}, ctx.Err()
}

// TestListingIsAskedForSeldom: however many read it, and whether or not it comes.
func TestListingIsAskedForSeldom(t *testing.T) {
	clock := time.Unix(1e9, 0)
	now := func() time.Time { return clock }
	model, kept := &shelf{}, &listing{}
	read := func(want int32, fails bool) {
		t.Helper()
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				names, err := kept.read(t.Context(), model, now)
				if (err != nil) != fails || err == nil && !slices.Equal(names, []string{"b", "a"}) {
					t.Errorf("it has %q, %v", names, err)
				}
			})
		}
		group.Wait()
		if asked := model.asked.Load(); asked != want {
			t.Errorf("the endpoint was asked %d times, want %d", asked, want)
		}
	}
	read(1, false)
	clock = clock.Add(listKept - 1)
	read(1, false)
	clock = clock.Add(1)
	model.down.Store(true)
	read(2, true)
	clock = clock.Add(refusedKept - 1)
	read(2, true)
	clock = clock.Add(1)
	model.down.Store(false)
	read(3, false)
}

// TestListingOfWhoLeaves: a page that is closed while it waits costs the others nothing.
func TestListingOfWhoLeaves(t *testing.T) {
	left, leave := context.WithCancel(t.Context())
	leave()
	model, kept, now := &shelf{}, &listing{}, func() time.Time { return time.Unix(1e9, 0) }
	for _, ctx := range []context.Context{left, t.Context()} {
		if names, err := kept.read(ctx, model, now); err != nil || len(names) != 2 {
			t.Errorf("it has %q, %v", names, err)
		}
	}
}
