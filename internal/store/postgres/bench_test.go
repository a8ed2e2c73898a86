//go:build unix

package postgres

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"errand/internal/run"
	"errand/internal/store/postgres/pgtest"
	"errand/internal/store/storetest"
)

// BenchmarkAppend writes whole runs from 32 clients of one node, or of two, each waiting
// for every commit, as no engine has to. Beside it, the same for SQLite in its package.
func BenchmarkAppend(b *testing.B) {
	for _, nodes := range []int{1, 2} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) {
			dsn := pgtest.Database(b)
			var stores []*Store
			for range nodes {
				stores = append(stores, open(b, Config{DSN: dsn}))
			}
			var next, client atomic.Uint64
			b.SetParallelism(16)
			b.ReportAllocs()
			here, there := ownCPU(), pgtest.Shared(b).CPU()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				s := stores[int(client.Add(1))%nodes]
				for pb.Next() {
					for _, a := range storetest.Life(next.Add(1)) {
						if err := s.Append(b.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
							b.Error(err)
						}
					}
				}
			})
			stats := stores[0].Stats()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
			b.ReportMetric(float64(stats.Commits)/float64(stats.Groups), "commits/group")
			b.ReportMetric(float64((ownCPU()-here).Microseconds())/float64(b.N), "cpu-us/run")
			b.ReportMetric(float64((pgtest.Shared(b).CPU()-there).Microseconds())/float64(b.N), "server-cpu-us/run")
		})
	}
}

// ownCPU is the processor time of this process, benchmark and store.
func ownCPU() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used) // it does not fail for oneself
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkList reads a page of 20 out of a hundred thousand runs.
func BenchmarkList(b *testing.B) {
	s := open(b, Config{DSN: pgtest.Database(b)})
	fill(b, s, 100_000)
	for name, q := range map[string]run.RunQuery{
		"all": {}, "rare": {Statuses: []run.Status{run.Running, run.Queued}}, "none": {Dialect: "you"},
		"agent": {Agent: "agt_1"},
	} {
		q.Project, q.Limit = "p", 20
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Runs(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
