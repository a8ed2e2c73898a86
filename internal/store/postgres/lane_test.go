//go:build unix

package postgres

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
)

// laned is a run of a lane for so many that a node is about to drive.
func laned(n int, lane, node string, most int) run.Append {
	a := created(n)
	a.Summary.Lane, a.Summary.Driver, a.Bound = lane, node, &run.Bound{Most: most}
	return a
}

func working(t *testing.T, s *Store, lane string) int {
	t.Helper()
	id := run.LaneID{Project: "p", Name: lane}
	all, err := s.Places(t.Context(), []run.LaneID{id})
	if err != nil {
		t.Fatal(err)
	}
	return all[id].Working
}

// TestLanesOfNodes has three nodes drive runs of two lanes at once, each again and again:
// as many as may have a place, whoever is quicker, and never more.
func TestLanesOfNodes(t *testing.T) {
	dsn := pgtest.Database(t)
	const most, writers, rounds = 3, 4, 8
	var has [2]atomic.Int64
	var let, refused atomic.Int64
	var wait sync.WaitGroup
	for n := range 3 {
		s := open(t, Config{DSN: dsn})
		s.writer.fault = func(point string, _ *pgx.Conn) {
			if point == "commit" { // what it has counted is old by now
				time.Sleep(2 * time.Millisecond)
			}
		}
		name := "node" + strconv.Itoa(n)
		if err := leased(t, s).Enter(t.Context(), name, "", "", 9*time.Second); err != nil {
			t.Fatal(err)
		}
		for w := range writers {
			wait.Go(func() {
				for round := range rounds {
					of := (w + round) % 2
					a := laned(1000*n+100*w+round+1, "lane"+strconv.Itoa(of), name, most)
					err := s.Append(t.Context(), run.Commit{Runs: []run.Append{a}})
					if errors.Is(err, run.ErrLaneFull) {
						refused.Add(1)
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					let.Add(1)
					if now := has[of].Add(1); now > most {
						t.Errorf("%d runs have a place for %d", now, most)
					}
					time.Sleep(5 * time.Millisecond)
					end := a
					end.Expected, end.Events, end.Bound = 1, nil, nil
					end.Summary.Driver, end.Summary.Live = "", false
					has[of].Add(-1)
					if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{end}}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wait.Wait()
	s := open(t, Config{DSN: dsn})
	if let.Load() == 0 || refused.Load() == 0 || working(t, s, "lane0")+working(t, s, "lane1") != 0 {
		t.Errorf("%d were let in, %d refused, %d are left", let.Load(), refused.Load(), working(t, s, "lane0"))
	}
}

// TestLaneOfTheDead: what a dead node had of a lane is free when it is buried, whether
// its runs need a driver or not, and whatever of it comes too late.
func TestLaneOfTheDead(t *testing.T) {
	s := open(t, Config{})
	l := leased(t, s)
	for name, lease := range map[string]time.Duration{"north": 9 * time.Second, "south": -3 * time.Second} {
		if err := l.Enter(t.Context(), name, "", "", lease); err != nil {
			t.Fatal(err)
		}
	}
	paused := laned(2, "lane", "south", 3)
	paused.Summary.Live = false // while a call of it is under way
	late := laned(3, "lane", "", 3)
	commit(t, s, run.Commit{Runs: []run.Append{laned(1, "lane", "south", 3), paused, late}})
	commit(t, s, run.Commit{Runs: []run.Append{laned(4, "lane", "north", 3)}})
	full := run.Commit{Runs: []run.Append{laned(5, "lane", "north", 3)}}
	if err := s.Append(t.Context(), full); !errors.Is(err, run.ErrLaneFull) {
		t.Errorf("a dead node that is not buried has its places: %v", err)
	}
	if _, err := l.Bury(t.Context(), "south", time.Second); err != nil {
		t.Fatal(err)
	}
	if got := working(t, s, "lane"); got != 1 {
		t.Errorf("after the burial %d have a place, want 1", got)
	}
	// The dead one's name comes back into a line: it drives nobody all the same.
	late.Expected, late.Events, late.Bound, late.Summary.Driver = 1, nil, nil, "south"
	commit(t, s, run.Commit{Runs: []run.Append{late}})
	if got := working(t, s, "lane"); got != 1 {
		t.Errorf("after a late append %d have a place, want 1", got)
	}
	commit(t, s, full)
	commit(t, s, run.Commit{Runs: []run.Append{laned(6, "lane", "north", 3)}})
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{laned(7, "lane", "north", 3)}}); !errors.Is(err, run.ErrLaneFull) {
		t.Errorf("a fourth place: %v", err)
	}
	// Whoever has a place goes on in one round trip, as if there were no lanes.
	before := s.writer.quicks.Load()
	on := message(4, 1, 77)
	on.Epoch, on.Summary.Driver, on.Summary.Lane = 1, "north", "lane"
	commit(t, s, run.Commit{Runs: []run.Append{on}})
	if s.writer.quicks.Load() == before {
		t.Error("going on took two round trips")
	}
}

// BenchmarkLane begins and ends runs from 32 clients of one node: without a lane, in one
// that has room for all, and one after the other without a lane and with one.
func BenchmarkLane(b *testing.B) {
	s := open(b, Config{DSN: pgtest.Database(b)})
	var next atomic.Int64
	life := func(b *testing.B, lane string) {
		a := laned(int(next.Add(1)), lane, "", 1000)
		if lane == "" {
			a.Bound = nil
		}
		a.Summary.Driver = "north"
		if err := s.Append(b.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
			b.Error(err)
		}
		a.Expected, a.Events, a.Bound = 1, nil, nil
		a.Summary.Driver, a.Summary.Live = "", false
		if err := s.Append(b.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
			b.Error(err)
		}
	}
	for name, lane := range map[string]string{"none": "", "one": "lane"} {
		b.Run("alone/"+name, func(b *testing.B) {
			for b.Loop() {
				life(b, lane)
			}
		})
		b.Run("many/"+name, func(b *testing.B) {
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					life(b, lane)
				}
			})
		})
	}
}

// BenchmarkDraw counts requests of a key, one after the other and from 32 clients.
func BenchmarkDraw(b *testing.B) {
	s := open(b, Config{DSN: pgtest.Database(b)})
	draw := func() {
		if _, _, err := s.Draw(b.Context(), "key", 1_000_000_000, 1); err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			draw()
		}
	})
	b.Run("many", func(b *testing.B) {
		b.SetParallelism(16)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				draw()
			}
		})
	})
}
