// Package queuetest is the suite that every queue passes: what handlers and the
// writers of jobs rely on, as tests.
//
// Time is virtual (testing/synctest) unless the harness says that it is real, so
// that stories of hours take milliseconds and no test guesses how long to wait.
//
// To demand something of all queues, add a chapter here.
package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/problem"
	"errand/internal/queue"
	"errand/internal/run"
)

// Handlers are by kind of job.
type Handlers = map[string]func(context.Context, run.Job) error

// Queue is the queue under test.
type Queue interface {
	// Add writes jobs as the commit of an event does.
	Add(ctx context.Context, jobs ...run.Job) error
	// Left returns the jobs that are not finished.
	Left(ctx context.Context) ([]run.Job, error)
	// Restart closes the queue and opens it again over the same jobs.
	Restart(ctx context.Context)
	// Close starts no more jobs, waits for the handlers, and interrupts them when
	// ctx ends.
	Close(ctx context.Context)
}

// Harness says how to open the queue under test.
type Harness struct {
	// Open starts an empty queue with these handlers, of which at most four run
	// at once, and closes it at the test's end.
	Open func(t *testing.T, handlers Handlers) Queue
	// Real says that the queue can't live in virtual time.
	Real bool
}

// Run runs every chapter.
func Run(t *testing.T, h Harness) {
	for _, chapter := range []struct {
		name string
		test func(*fixture)
	}{
		{"EachJobOnce", eachOnce},
		{"DueTimes", dueTimes},
		{"Retry", retry},
		{"RetryAfter", retryAfter},
		{"NoHandler", noHandler},
		{"Panic", panics},
		{"SlowJobs", slowJobs},
		{"JobsFromHandlers", fromHandlers},
		{"CloseWaits", closeWaits},
		{"CloseInterrupts", closeInterrupts},
		{"Restart", restart},
	} {
		t.Run(chapter.name, func(t *testing.T) {
			story := func(t *testing.T) {
				chapter.test(&fixture{T: t, h: h, calls: make(chan call, 1000)})
			}
			if h.Real {
				story(t)
			} else {
				synctest.Test(t, story)
			}
		})
	}
}

// call is one call of a handler.
type call struct {
	run.Job
	at time.Time
}

type fixture struct {
	*testing.T
	h     Harness
	calls chan call
}

// note is a handler that notes its calls and answers what f does; nil = well.
func (f *fixture) note(answer func(context.Context, run.Job) error) func(context.Context, run.Job) error {
	return func(ctx context.Context, job run.Job) error {
		f.calls <- call{job, time.Now()}
		if answer == nil {
			return nil
		}
		return answer(ctx, job)
	}
}

func (f *fixture) add(q Queue, jobs ...run.Job) {
	f.Helper()
	if err := q.Add(f.Context(), jobs...); err != nil {
		f.Fatal(err)
	}
}

// next is the next call, however long it takes.
func (f *fixture) next() call {
	f.Helper()
	select {
	case c := <-f.calls:
		return c
	case <-time.After(48 * time.Hour): // in real time, the test's own limit is shorter
		f.Fatal("no handler was called")
		return call{}
	}
}

// wantAt checks that the call came at its time: not before, and in virtual time
// not after.
func (f *fixture) wantAt(c call, want time.Time) {
	f.Helper()
	late := c.at.Sub(want)
	if late < -time.Millisecond || !f.h.Real && late > time.Millisecond {
		f.Errorf("%s ran %v after its time", c.Kind, late)
	}
}

// wantLeft checks which jobs are left when the queue has closed.
func (f *fixture) wantLeft(q Queue, kinds ...string) []run.Job {
	f.Helper()
	q.Close(f.Context())
	jobs, err := q.Left(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	var left []string
	for _, job := range jobs {
		left = append(left, job.Kind)
	}
	if !slices.Equal(left, kinds) {
		f.Errorf("jobs left: %q, want %q", left, kinds)
	}
	return jobs
}

func eachOnce(f *fixture) {
	q := f.h.Open(f.T, Handlers{"count": f.note(nil)})
	const count = 100
	seen := map[string]int{}
	for n := range count {
		f.add(q, run.Job{Kind: "count", Due: time.Now(), Run: run.ID{byte(n)}, Data: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	for range count {
		c := f.next()
		if want := fmt.Sprintf(`{"n":%d}`, c.Run[0]); string(c.Data) != want || c.Tries != 0 || c.ID == 0 {
			f.Errorf("job %+v, want data %s", c.Job, want)
		}
		seen[string(c.Data)]++
	}
	if len(seen) != count {
		f.Errorf("%d different jobs ran, want %d", len(seen), count)
	}
	f.wantLeft(q)
	if len(f.calls) != 0 {
		f.Errorf("%d jobs ran again", len(f.calls))
	}
}

func dueTimes(f *fixture) {
	unit := time.Hour
	if f.h.Real {
		unit = 100 * time.Millisecond
	}
	q := f.h.Open(f.T, Handlers{"a": f.note(nil), "b": f.note(nil), "c": f.note(nil), "d": f.note(nil)})
	start := time.Now().Truncate(time.Millisecond)
	f.add(q, run.Job{Kind: "c", Due: start.Add(3 * unit)}, run.Job{Kind: "a", Due: start.Add(-unit)})
	f.add(q, run.Job{Kind: "b", Due: start.Add(unit)}) // comes after, is due before
	f.add(q, run.Job{Kind: "d", Due: start.Add(30 * unit)})
	came := ""
	due := map[string]time.Duration{"a": 0, "b": unit, "c": 3 * unit, "d": 30 * unit}
	for len(due) > 0 {
		c := f.next()
		after, waits := due[c.Kind]
		if !waits {
			f.Fatalf("%s ran again", c.Kind)
		}
		delete(due, c.Kind)
		came += c.Kind
		f.wantAt(c, start.Add(after))
	}
	// By a real clock kinds that are performed apart may pass each other on a busy machine.
	if came != "abcd" && !f.h.Real {
		f.Errorf("they ran in the order %s", came)
	}
	f.wantLeft(q)
}

func retry(f *fixture) {
	q := f.h.Open(f.T, Handlers{"flaky": f.note(func(_ context.Context, job run.Job) error {
		if job.Tries < 3 {
			return errors.New("not yet")
		}
		return nil
	})})
	f.add(q, run.Job{Kind: "flaky", Due: time.Now()})
	last := f.next()
	for tries := 1; tries <= 3; tries++ {
		c := f.next()
		if c.Tries != tries || c.ID != last.ID {
			f.Errorf("job %d comes with %d tries, want %d", c.ID, c.Tries, tries)
		}
		f.wantAt(c, last.at.Add(queue.Delay(tries-1, nil)))
		last = c
	}
	f.wantLeft(q)
}

func retryAfter(f *fixture) {
	const named = 2500 * time.Millisecond
	q := f.h.Open(f.T, Handlers{"limited": f.note(func(_ context.Context, job run.Job) error {
		if job.Tries > 0 {
			return nil
		}
		limited := problem.New(problem.RateLimited, "Later, please.")
		limited.RetryAfter = named
		return fmt.Errorf("delivering: %w", limited)
	})})
	f.add(q, run.Job{Kind: "limited", Due: time.Now()})
	first := f.next()
	f.wantAt(f.next(), first.at.Add(named))
	f.wantLeft(q)
}

func noHandler(f *fixture) {
	q := f.h.Open(f.T, Handlers{"known": f.note(nil)})
	f.add(q, run.Job{Kind: "unknown", Due: time.Now()})
	f.add(q, run.Job{Kind: "known", Due: time.Now()})
	f.next()
	f.wantLeft(q, "unknown") // another version may know it
}

func panics(f *fixture) {
	q := f.h.Open(f.T, Handlers{"bad": f.note(func(_ context.Context, job run.Job) error {
		if job.Tries == 0 {
			panic("a bug")
		}
		return nil
	})})
	f.add(q, run.Job{Kind: "bad", Due: time.Now()})
	f.next()
	if again := f.next(); again.Tries != 1 {
		f.Errorf("%d tries counted, want 1", again.Tries)
	}
	f.wantLeft(q)
}

// slowJobs: four may run at once, so three slow ones leave a way past them, and
// what waits behind four goes on when one of them ends.
func slowJobs(f *fixture) {
	release := make(chan bool)
	q := f.h.Open(f.T, Handlers{"quick": f.note(nil), "slow": f.note(func(context.Context, run.Job) error {
		<-release
		return nil
	})})
	now := time.Now()
	for range 3 {
		f.add(q, run.Job{Kind: "slow", Due: now})
	}
	for range 3 {
		f.next()
	}
	for range 10 {
		f.add(q, run.Job{Kind: "quick", Due: now})
		if c := f.next(); c.Kind != "quick" {
			f.Fatalf("%s ran", c.Kind)
		}
	}
	for range 5 {
		f.add(q, run.Job{Kind: "slow", Due: now.Add(time.Millisecond)})
	}
	f.next()
	if !f.h.Real {
		synctest.Wait()
		if len(f.calls) != 0 {
			f.Error("a fifth handler runs")
		}
	}
	for range 4 {
		release <- true
		f.next()
	}
	close(release)
	f.wantLeft(q)
}

func fromHandlers(f *fixture) {
	var q Queue
	opened := make(chan bool)
	q = f.h.Open(f.T, Handlers{"last": f.note(nil), "first": f.note(func(ctx context.Context, _ run.Job) error {
		<-opened
		return q.Add(ctx, run.Job{Kind: "last", Due: time.Now()})
	})})
	close(opened)
	f.add(q, run.Job{Kind: "first", Due: time.Now()})
	if one, two := f.next(), f.next(); one.Kind != "first" || two.Kind != "last" {
		f.Errorf("%s, then %s", one.Kind, two.Kind)
	}
	f.wantLeft(q)
}

func closeWaits(f *fixture) {
	var mu sync.Mutex
	ended := false
	release := make(chan bool)
	q := f.h.Open(f.T, Handlers{"slow": f.note(func(ctx context.Context, _ run.Job) error {
		<-release
		mu.Lock()
		defer mu.Unlock()
		ended = true
		return ctx.Err() // it was not interrupted
	})})
	f.add(q, run.Job{Kind: "slow", Due: time.Now()})
	f.next()
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	q.Close(f.Context())
	mu.Lock()
	defer mu.Unlock()
	if !ended {
		f.Error("Close has left a handler behind")
	}
	f.add(q, run.Job{Kind: "slow", Due: time.Now()})
	f.wantLeft(q, "slow")
}

func closeInterrupts(f *fixture) {
	q := f.h.Open(f.T, Handlers{"endless": f.note(func(ctx context.Context, _ run.Job) error {
		<-ctx.Done()
		return ctx.Err()
	})})
	f.add(q, run.Job{Kind: "endless", Due: time.Now()})
	f.next()
	ctx, cancel := context.WithTimeout(f.Context(), 50*time.Millisecond)
	defer cancel()
	q.Close(ctx)
	if left := f.wantLeft(q, "endless"); len(left) == 1 && left[0].Tries != 0 {
		f.Error("shutting down was counted as a failure")
	}
}

func restart(f *fixture) {
	q := f.h.Open(f.T, Handlers{"later": f.note(nil), "cut": f.note(func(ctx context.Context, job run.Job) error {
		if string(job.Data) == "endless" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})})
	f.add(q, run.Job{Kind: "cut", Due: time.Now(), Data: []byte("endless")})
	first := f.next()
	due := time.Now().Add(200 * time.Millisecond).Truncate(time.Millisecond)
	f.add(q, run.Job{Kind: "later", Due: due})
	interrupted, cancel := context.WithCancel(f.Context())
	cancel()
	q.Restart(interrupted)
	again, c := f.next(), f.next()
	if f.h.Real && again.Kind == "later" { // a restart that took so long that both were due
		again, c = c, again
	}
	if again.ID != first.ID {
		f.Errorf("job %d ran, want the one that was cut", again.ID)
	}
	if c.Kind != "later" {
		f.Errorf("%s ran", c.Kind)
	}
	f.wantAt(c, due)
	q.Close(interrupted)
	f.wantLeft(q, "cut")
}
