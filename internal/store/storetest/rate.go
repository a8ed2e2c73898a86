package storetest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// drawn is a store that counts the requests of keys over all nodes.
type drawn interface {
	Draw(ctx context.Context, key string, limit, want int) (granted int, full time.Duration, err error)
}

// rates: a key has all its requests of a minute at once, whoever asks, and gets them back
// evenly.
func rates(f *fixture) {
	if !f.h.Shared {
		f.Skip("this store has one node alone")
	}
	s, is := f.s.(drawn)
	if !is {
		f.Fatalf("%T does not count requests", f.s)
	}
	for _, step := range []struct {
		key         string
		limit, want int
		granted     int
		full        time.Duration
	}{
		{"seven", 7, 1, 1, time.Minute / 7}, // no fraction of a request gets lost
		{"seven", 7, 1, 1, 2 * time.Minute / 7},
		{"seven", 7, 4, 4, 6 * time.Minute / 7},
		{"other", 7, 9, 7, time.Minute},
		{"seven", 7, 5, 1, time.Minute},
		{"seven", 7, 1, 0, time.Minute},
		{"seven", 14, 1, 0, time.Minute}, // what is used up of a limit is so of another one
		{"one", 1, 1, 1, time.Minute},
		{"one", 1, 1, 0, time.Minute},
	} {
		granted, full, err := s.Draw(f.ctx(), step.key, step.limit, step.want)
		if err != nil {
			f.Fatal(err)
		}
		// A slow machine has had some of it back.
		if granted != step.granted || full > step.full+time.Millisecond || full < step.full-7*time.Second {
			f.Errorf("%d of %d for %s: %d, all after %v; want %d, %v", step.want, step.limit, step.key, granted, full, step.granted, step.full)
		}
	}
	var all sync.WaitGroup
	var granted atomic.Int64
	began := time.Now()
	for range 20 {
		all.Go(func() {
			got, _, err := s.Draw(f.ctx(), "crowd", 60, 7)
			granted.Add(int64(got))
			if err != nil {
				f.Error(err)
			}
		})
	}
	all.Wait()
	if got, most := granted.Load(), 60+int64(time.Since(began)/time.Second); got < 60 || got > most {
		f.Errorf("many at once got %d of 60", got)
	}
	for try := 0; ; try++ { // a hundred a second come back
		f.clock.advance(10 * time.Millisecond)
		got, _, err := s.Draw(f.ctx(), "many", 6000, 6000)
		switch {
		case err != nil || try > 2 && got > 5900 || try == 100_000:
			f.Fatalf("at try %d: %d, %v", try, got, err)
		case try > 0 && got > 0:
			return
		}
	}
}
