package sqlite

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"errand/internal/run"
	"errand/internal/store/storetest"
)

func life(n uint64) [4]run.Append { return storetest.Life(n) }

// BenchmarkAppend writes whole runs from 32 clients, each waiting for every
// commit, as no engine has to.
func BenchmarkAppend(b *testing.B) {
	s := open(b, Config{})
	var next atomic.Uint64
	b.SetParallelism(16)
	b.ReportAllocs()
	var before, after syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before) // it does not fail for oneself
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for _, a := range life(next.Add(1)) {
				if err := s.Append(b.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
					b.Error(err)
				}
			}
		}
	})
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	stats := s.Stats()
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(used)/1000/float64(b.N), "cpu-us/run")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
	b.ReportMetric(float64(stats.Commits)/float64(stats.Groups), "commits/group")
	b.ReportMetric(float64(stats.FileBytes+stats.WALBytes)/float64(b.N), "bytes/run")
}

// BenchmarkList reads a page of 20 out of a hundred thousand runs, of which few
// have the status asked for.
func BenchmarkList(b *testing.B) {
	s := open(b, Config{})
	const count = 100_000
	for n := uint64(0); n < count; n += 500 {
		var c run.Commit
		for m := n; m < n+500; m++ {
			a := life(m)[0]
			if m%10_000 != 0 {
				a.Summary.Status = run.Completed
			}
			c.Runs = append(c.Runs, a)
		}
		if err := s.Append(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	for name, q := range map[string]run.RunQuery{
		"all": {}, "rare": {Statuses: []run.Status{run.Running, run.Queued}}, "none": {Dialect: "you"},
		"scan": {Agent: "agt_0123456789", Statuses: []run.Status{run.Running}},
	} {
		q.Project, q.Limit = "default", 20
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Runs(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPurge writes whole runs from one client, alone and beside a purge of old
// ones that rests as long as each of its steps took, and reports what a commit waits.
func BenchmarkPurge(b *testing.B) {
	const old, page = 20_000, 100
	s := open(b, Config{})
	var ids []run.ID
	for n := uint64(0); n < old; n += 250 {
		var c run.Commit
		for m := n; m < n+250; m++ {
			parts := life(m)
			c.Runs = append(c.Runs, parts[:]...)
			ids = append(ids, parts[0].ID)
		}
		if err := s.Append(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	next := uint64(old)
	commits := func(b *testing.B) {
		var took []time.Duration
		for b.Loop() {
			next++
			for _, a := range life(next) {
				began := time.Now()
				if err := s.Append(b.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "us/p50")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "us/p99")
		b.ReportMetric(float64(took[len(took)-1].Microseconds()), "us/max")
	}
	b.Run("alone", commits)
	b.Run("beside", func(b *testing.B) {
		var purging sync.WaitGroup
		ctx, stop := context.WithCancel(b.Context())
		steps, longest := 0, time.Duration(0)
		purging.Go(func() {
			for ctx.Err() == nil && len(ids) > page {
				began := time.Now()
				n, err := s.Purge(b.Context(), ids[:page], 500)
				if err != nil {
					b.Error(err)
					return
				}
				if n < 500 {
					ids = ids[page:]
				}
				steps, longest = steps+1, max(longest, time.Since(began))
				rest := time.NewTimer(time.Since(began))
				<-rest.C
			}
		})
		commits(b)
		stop()
		purging.Wait()
		b.ReportMetric(float64(longest.Microseconds()), "us/longest-step")
		b.ReportMetric(float64(steps), "steps")
	})
}
