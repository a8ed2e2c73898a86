package river_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/queue/queuetest"
	"errand/internal/queue/river"
	"errand/internal/run"
)

// BenchmarkInsert is what jobs add to the transaction of an event, by how many of
// them there are: none is the floor, a transaction that writes one row of its own.
func BenchmarkInsert(b *testing.B) {
	for _, count := range []int{0, 1, 10, 100} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			pool := open(b)
			if _, err := pool.Exec(b.Context(), "CREATE TABLE event (id bigserial PRIMARY KEY, body text)"); err != nil {
				b.Fatal(err)
			}
			writer, err := river.NewWriter(river.Routes{"advance": river.Runs}, nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			jobs := make([]run.Job, count)
			for i := range jobs {
				jobs[i] = run.Job{Kind: "advance", Run: run.ID{1}, Due: time.Now()}
			}
			for b.Loop() {
				err := pgx.BeginFunc(b.Context(), pool, func(tx pgx.Tx) error {
					if _, err := tx.Exec(b.Context(), "INSERT INTO event (body) VALUES ('happened')"); err != nil {
						return err
					}
					return writer.Insert(b.Context(), tx, jobs)
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJob is a job's way from its insertion to its handler and out of the
// queue, when the queue always has some: what a node can do of them.
func BenchmarkJob(b *testing.B) {
	pool := open(b)
	done := make(chan bool, 1000)
	n := join(b, pool, river.Routes{"advance": river.Runs}, river.Config{
		Handlers: queuetest.Handlers{"advance": func(context.Context, run.Job) error { done <- true; return nil }},
		Workers:  map[string]int{river.Runs: 1000},
	})
	jobs := make([]run.Job, 100)
	for i := range jobs {
		jobs[i] = run.Job{Kind: "advance", Run: run.ID{1}, Due: time.Now()}
	}
	waiting := 0
	for b.Loop() {
		if waiting == 0 {
			if err := n.Add(b.Context(), jobs...); err != nil {
				b.Fatal(err)
			}
			waiting = len(jobs)
		}
		<-done
		waiting--
	}
}

// BenchmarkLatency is a lone job's way from its commit to its handler.
func BenchmarkLatency(b *testing.B) {
	pool := open(b)
	done := make(chan bool)
	n := join(b, pool, nil, river.Config{
		Poll:     time.Second,
		Handlers: queuetest.Handlers{"advance": func(context.Context, run.Job) error { done <- true; return nil }},
	})
	for b.Loop() {
		if err := n.Add(b.Context(), run.Job{Kind: "advance", Due: time.Now()}); err != nil {
			b.Fatal(err)
		}
		<-done
		b.StopTimer()
		time.Sleep(50 * time.Millisecond) // the next one is alone, too
		b.StartTimer()
	}
}

// BenchmarkIdle is what a node costs its database while there is nothing to do.
func BenchmarkIdle(b *testing.B) {
	pool := open(b)
	handlers := queuetest.Handlers{}
	routes := river.Routes{}
	for _, queue := range []string{river.Runs, river.Browsers, river.Webhooks, river.Timers} {
		handlers[queue], routes[queue] = func(context.Context, run.Job) error { return nil }, queue
	}
	join(b, pool, routes, river.Config{Handlers: handlers, Poll: time.Second})
	commits := func() (count int) {
		if err := pool.QueryRow(b.Context(), "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()").Scan(&count); err != nil {
			b.Fatal(err)
		}
		return count
	}
	for b.Loop() {
		time.Sleep(5 * time.Second) // whom it can't leave alone for 5 s is not idle
		before := commits()
		time.Sleep(10 * time.Second)
		b.ReportMetric(float64(commits()-before)/10, "transactions/s")
		var busy int
		if err := pool.QueryRow(b.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Scan(&busy); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(busy), "connections")
	}
}
