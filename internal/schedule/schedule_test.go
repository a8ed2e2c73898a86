package schedule_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schedule"
)

func cron(text, zone string) schedule.Definition {
	return schedule.Definition{Timing: schedule.Timing{Cron: text, Zone: zone}}
}

func interval(text string) schedule.Definition {
	return schedule.Definition{Timing: schedule.Timing{Every: text}}
}

// TestOneMinute: each minute once, also over a restart that no minute falls into.
func TestOneMinute(t *testing.T) {
	inWorld(t, "2000-01-03T09:59:30Z", func(t *testing.T, w *world) {
		ten := moment(t, "2000-01-03T10:00:00Z")
		id := w.create(cron("* * * * *", ""))
		w.sleepTo("2000-01-03T10:04:10Z")
		w.close()
		w.sleepTo("2000-01-03T10:04:50Z")
		w.open()
		w.sleepTo("2000-01-03T10:08:30Z")
		w.expect(ten, every(0, 540, 60)...)
		if s := w.get(id); !s.Next.Equal(ten.Add(9*time.Minute)) || s.LastEnd != "completed" || s.Left != 0 || len(s.Running) != 0 {
			t.Errorf("stands at %+v", s)
		}
		if left := w.jobs(schedule.FireJob); len(left) != 1 {
			t.Errorf("%d jobs wait to fire, want the one of the next minute", len(left))
		}
	})
}

// TestLateAndStillOnTime: a restart over the minute delays it, and nothing more.
func TestLateAndStillOnTime(t *testing.T) {
	inWorld(t, "2000-01-03T09:59:30Z", func(t *testing.T, w *world) {
		w.create(cron("* * * * *", ""))
		w.sleepTo("2000-01-03T10:00:30Z")
		w.close()
		w.sleepTo("2000-01-03T10:01:20Z")
		w.open()
		w.sleepTo("2000-01-03T10:02:30Z")
		w.expect(moment(t, "2000-01-03T10:00:00Z"), 0, 80, 120)
	})
}

// TestMissedAndOnTime: of the times that came due while the server was down the
// last one is on time if it comes back soon behind it.
func TestMissedAndOnTime(t *testing.T) {
	inWorld(t, "2000-01-03T09:59:30Z", func(t *testing.T, w *world) {
		id := w.create(cron("* * * * *", ""))
		w.sleepTo("2000-01-03T10:00:40Z")
		w.close()
		w.sleepTo("2000-01-03T11:00:10Z")
		w.open()
		w.sleepTo("2000-01-03T11:01:30Z")
		w.expect(moment(t, "2000-01-03T10:00:00Z"), 0, 3610, 3660)
		if s := w.get(id); s.Left != 59 {
			t.Errorf("%d were missed", s.Left)
		}
	})
}

func TestMissedHour(t *testing.T) {
	for _, c := range []struct {
		missed schedule.Missed
		when   string
		want   []int // minutes behind ten
		left   int64
	}{
		{schedule.SkipMissed, "* * * * *", []int{0, 61, 62}, 60},
		{schedule.Once, "* * * * *", []int{0, 60, 61, 62}, 59},
		{schedule.SkipMissed, "30 10 * * *", nil, 1},
		{schedule.Once, "30 10 * * *", []int{60}, 0},
	} {
		t.Run(fmt.Sprintf("%s %s", c.missed, c.when), func(t *testing.T) {
			inWorld(t, "2000-01-03T09:59:30Z", func(t *testing.T, w *world) {
				d := cron(c.when, "")
				d.Missed = c.missed
				id := w.create(d)
				w.sleepTo("2000-01-03T10:00:40Z")
				w.close()
				w.sleepTo("2000-01-03T11:00:40Z")
				w.open()
				w.sleepTo("2000-01-03T11:02:30Z")
				var got []int
				for _, at := range w.runs() {
					got = append(got, int(at.Sub(moment(t, "2000-01-03T10:00:00Z"))/time.Minute))
				}
				if s := w.get(id); !slices.Equal(got, c.want) || s.Left != c.left {
					t.Errorf("ran at minutes %v and missed %d, want %v and %d", got, s.Left, c.want, c.left)
				}
			})
		})
	}
}

// TestClockChanges: Berlin, both ways. Whoever names an hour gets one run a day; who
// wants each minute gets 60 in each hour that passes.
func TestClockChanges(t *testing.T) {
	for _, c := range []struct {
		name, begin, end string
		when             schedule.Definition
		want             []string
	}{
		{"spring", "2000-03-25T12:00:00Z", "2000-03-27T12:00:00Z", cron("30 2 * * *", "Europe/Berlin"),
			[]string{"2000-03-26T03:00:00+02:00", "2000-03-27T02:30:00+02:00"}},
		{"autumn", "2000-10-28T12:00:00Z", "2000-10-30T12:00:00Z", cron("30 2 * * *", "Europe/Berlin"),
			[]string{"2000-10-29T02:30:00+02:00", "2000-10-30T02:30:00+01:00"}},
		{"autumn, times", "2000-10-28T12:00:00Z", "2000-10-29T12:00:00Z",
			schedule.Definition{Timing: schedule.Timing{Times: []string{"02:00", "03:00"}, Days: []string{"Sun"}, Zone: "Europe/Berlin"}},
			[]string{"2000-10-29T02:00:00+02:00", "2000-10-29T03:00:00+01:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, c.begin, func(t *testing.T, w *world) {
				id := w.create(c.when)
				w.sleepTo(c.end)
				var got []string
				for _, at := range w.runs() {
					got = append(got, at.In(new(w.get(id)).Zone()).Format(time.RFC3339))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("ran at %v, want %v", got, c.want)
				}
			})
		})
	}
	for _, begin := range []string{"2000-03-26T00:00:30Z", "2000-10-29T00:00:30Z"} {
		inWorld(t, begin, func(t *testing.T, w *world) {
			w.create(cron("* * * * *", "Europe/Berlin"))
			time.Sleep(3 * time.Hour)
			w.expect(moment(t, begin).Add(30*time.Second), every(0, 3*3600, 60)...)
		})
	}
}

// TestTwoNodes: both get each job, and one of them starts the run.
func TestTwoNodes(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		_, other := w.node()
		defer other.Close(context.Background())
		begin := time.Now()
		w.create(interval("1s"))
		time.Sleep(time.Minute + 500*time.Millisecond)
		w.expect(begin, every(1, 61, 1)...)
	})
}

// TestJobComesAgain: the server dies between the commit of a firing and the end of
// its job, which then comes again: at once, and long after.
func TestJobComesAgain(t *testing.T) {
	inWorld(t, "2000-01-03T09:59:30Z", func(t *testing.T, w *world) {
		w.create(cron("* * * * *", ""))
		job := w.jobs(schedule.FireJob)[0]
		w.sleepTo("2000-01-03T10:00:10Z")
		fire := w.keeper.Handlers()[schedule.FireJob]
		for range 3 {
			if err := fire(t.Context(), job); err != nil {
				t.Fatal(err)
			}
		}
		w.sleepTo("2000-01-03T10:01:10Z")
		if err := fire(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		w.expect(moment(t, "2000-01-03T10:00:00Z"), 0, 60)
		if next := w.jobs(schedule.FireJob); len(next) != 1 || turnOf(t, next[0]) != turnOf(t, job)+2 {
			t.Errorf("the jobs that wait are %+v", next)
		}
	})
}

// TestEndComesAgain: the end of a run is booked once, whoever tells of it.
func TestEndComesAgain(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		w.behave(0, run.FailedStatus)
		id := w.create(interval("1h"))
		time.Sleep(time.Hour + time.Minute)
		s := w.get(id)
		last := run.State{ID: s.Last, Spec: run.Spec{Project: project, Schedule: id}}
		job := schedule.Outbox(&last, []run.Event{{Type: run.RunFinished}})[0]
		if err := w.keeper.Handlers()[schedule.EndJob](t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if again := w.get(id); again.Failures != 1 || again.Turn != s.Turn {
			t.Errorf("it was booked again: %+v", again)
		}
	})
}

// TestFailingFast: waits double up to an hour, are said, and end with a success.
func TestFailingFast(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		begin := time.Now()
		w.behave(0, run.FailedStatus)
		id := w.create(interval("1s"))
		time.Sleep(100 * time.Second)
		w.expect(begin, 1, 6, 16, 36, 76)
		if s := w.get(id); s.Failures != 5 || !s.Next.Equal(begin.Add(156*time.Second)) {
			t.Errorf("%d failures, next %s", s.Failures, s.Next)
		}
		time.Sleep(24 * time.Hour)
		if runs := w.runs(); len(runs) < 24 || runs[len(runs)-1].Sub(runs[len(runs)-2]) > time.Hour+time.Second {
			t.Errorf("in a day: %v", runs)
		}
		if s := w.change(id, func(d *schedule.Definition) { d.Every = "2s" }); s.Failures != 0 || time.Until(s.Next) > 2*time.Second {
			t.Errorf("somebody has looked at it, and it stands at %+v", s)
		}
		w.behave(0, run.Completed)
		time.Sleep(time.Hour + 10*time.Second)
		if s := w.get(id); s.Failures != 0 || len(w.runs()) < 5 {
			t.Errorf("it does not go on as before: %+v", s)
		}
	})
}

func TestSlowFailuresDoNotSlowDown(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		w.behave(90*time.Second, run.FailedStatus)
		begin := time.Now()
		id := w.create(interval("2m"))
		time.Sleep(9 * time.Minute)
		w.expect(begin, 120, 240, 360, 480)
		if s := w.get(id); s.Failures != 0 {
			t.Errorf("%d failures", s.Failures)
		}
	})
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		overlap schedule.Overlap
		want    []int
		most    int
		skipped int64
		queued  int
	}{
		{schedule.SkipOverlap, []int{10, 40, 70, 100}, 1, 6, 0},
		{schedule.Queue, []int{10, 35, 60, 85}, 1, 0, 6},
		{schedule.Allow, every(10, 101, 10), 3, 0, 0},
	} {
		t.Run(string(c.overlap), func(t *testing.T) {
			inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
				begin := time.Now()
				w.behave(25*time.Second, run.Completed)
				d := interval("10s")
				d.Overlap = c.overlap
				id := w.create(d)
				time.Sleep(101 * time.Second)
				w.expect(begin, c.want...)
				if s := w.get(id); w.peak() != c.most || s.Skipped != c.skipped || s.Queued != c.queued {
					t.Errorf("at most %d at once, %d skipped, %d wait", w.peak(), s.Skipped, s.Queued)
				}
			})
		})
	}
}

// TestQueueIsBounded: ten times wait, and all of them come.
func TestQueueIsBounded(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		w.behave(time.Hour+30*time.Second, run.Completed)
		d := interval("1m")
		d.Overlap = schedule.Queue
		id := w.create(d)
		time.Sleep(30*time.Minute + time.Second)
		if s := w.get(id); s.Queued != 10 || s.Skipped != 19 {
			t.Errorf("%d wait, %d skipped", s.Queued, s.Skipped)
		}
		w.behave(0, run.Completed)
		time.Sleep(31*time.Minute + 45*time.Second)
		if s := w.get(id); s.Queued != 0 || len(w.runs()) != 11 || w.peak() != 1 {
			t.Errorf("%d wait, at most %d at once", s.Queued, w.peak())
		}
	})
}

func TestDaemon(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		begin := time.Now()
		w.behave(20*time.Second, run.Completed)
		id := w.create(schedule.Definition{Timing: schedule.Timing{Daemon: true}})
		time.Sleep(50 * time.Second)
		w.close()
		time.Sleep(50 * time.Second) // its run ends while nobody looks
		w.open()
		time.Sleep(25*time.Second + 500*time.Millisecond)
		w.expect(begin, 0, 20, 40, 100, 120)
		w.behave(0, run.Completed)
		time.Sleep(20 * time.Second)
		w.expect(begin, 140, 141, 142, 143, 144, 145) // not faster than each second
		w.behave(0, run.FailedStatus)
		time.Sleep(36 * time.Second)
		w.expect(begin, 146, 151, 161, 181)
		if s := w.get(id); s.Failures != 4 {
			t.Errorf("%d failures", s.Failures)
		}
	})
}

// TestNoRunCanStart: what is wrong for good is said, and tried ever less often; what
// will pass is tried until it has, or the time is missed.
func TestNoRunCanStart(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		begin := time.Now()
		w.refuses(problem.New(problem.NotFound, "There is no agent."))
		id := w.create(interval("1s"))
		time.Sleep(20 * time.Second)
		if s := w.get(id); s.Failures != 3 || s.Error != "There is no agent." || len(w.ordered()) != 3 {
			t.Errorf("%d failures, %d tries, %q", s.Failures, len(w.ordered()), s.Error)
		}
		overloaded := problem.New(problem.Overloaded, "Later.")
		overloaded.RetryAfter = 2 * time.Second
		w.refuses(overloaded)
		time.Sleep(30 * time.Second) // until second 50: the turn of second 36 is tried again and again
		w.refuses(nil)
		time.Sleep(3500 * time.Millisecond)
		if s := w.get(id); s.Error != "" || s.Failures != 0 {
			t.Errorf("it stands at %+v", s)
		}
		if runs := w.runs(); len(runs) < 2 || runs[0].Sub(begin) > 53*time.Second {
			t.Errorf("runs began at %v", runs)
		}
	})
}

func TestPauseAndChange(t *testing.T) {
	inWorld(t, "2000-01-03T09:59:30Z", func(t *testing.T, w *world) {
		ten := moment(t, "2000-01-03T10:00:00Z")
		id := w.create(cron("* * * * *", ""))
		w.sleepTo("2000-01-03T10:01:30Z")
		if s := w.change(id, func(d *schedule.Definition) { d.Paused = true }); !s.Next.IsZero() {
			t.Errorf("paused, and next at %s", s.Next)
		}
		w.sleepTo("2000-01-03T10:05:30Z")
		w.change(id, func(d *schedule.Definition) { d.Paused = false; d.Missed = schedule.Once }) // none was missed
		w.sleepTo("2000-01-03T10:07:30Z")
		w.expect(ten, 0, 60, 360, 420)
		w.change(id, func(d *schedule.Definition) { d.Cron, d.Every = "", "10s" })
		w.sleepTo("2000-01-03T10:08:05Z")
		w.expect(ten, 460, 470, 480)
		if key := w.get(id).Key; key != "key_1" {
			t.Errorf("another time of the day is on the word of %s", key)
		}
		w.change(id, func(d *schedule.Definition) { d.Input = "Count twice." })
		w.sleepTo("2000-01-03T10:08:15Z")
		if last := w.ordered()[len(w.ordered())-1]; last.Key != "key_2" || last.Input != "Count twice." || !last.Due.Equal(ten.Add(490*time.Second)) {
			t.Errorf("ordered is %+v", last)
		}
		c, err := w.keeper.Remove(t.Context(), project, id)
		if err == nil {
			err = w.store.Append(t.Context(), c)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.runs()
		time.Sleep(time.Hour)
		if runs, left := w.runs(), w.jobs(schedule.FireJob); len(runs) != 0 || len(left) != 0 {
			t.Errorf("removed, and runs began at %v, jobs %v", runs, left)
		}
	})
}

// TestChangeWhileFiring: changes and firings at the same moment lose neither.
func TestChangeWhileFiring(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		begin := time.Now()
		id := w.create(interval("1s"))
		for i := range 20 {
			time.Sleep(time.Second)
			w.change(id, func(d *schedule.Definition) { d.Input = fmt.Sprint("Count to ", i) })
		}
		time.Sleep(500 * time.Millisecond)
		w.expect(begin, every(1, 21, 1)...)
		if s := w.get(id); s.Input != "Count to 19" || len(w.jobs(schedule.FireJob)) != 1 {
			t.Errorf("stands at %+v", s)
		}
	})
}

func TestFireNow(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		w.behave(time.Minute, run.Completed)
		id := w.create(interval("1h"))
		fire := func() error {
			b := schedule.Beginning{ID: w.NewID()}
			var err error
			b.Spec, b.Rows, err = w.keeper.Fire(t.Context(), project, id, schedule.Asked{Key: "key_3", Scopes: []string{"runs:write"}, Run: b.ID})
			if err == nil {
				err = w.Start(t.Context(), b)
			}
			return err
		}
		if err := fire(); err != nil {
			t.Fatal(err)
		}
		if s := w.get(id); len(s.Running) != 1 || s.Last != s.Running[0] || w.ordered()[0].Key != "key_3" {
			t.Errorf("stands at %+v", s)
		}
		if err := fire(); !problem.Is(err, problem.Conflict) {
			t.Errorf("a second one beside it: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := fire(); err != nil {
			t.Errorf("after its end: %v", err)
		}
		time.Sleep(time.Hour)
		w.expect(moment(t, "2000-01-03T10:00:00Z"), 0, 120, 3600)
	})
}

func TestRobotClock(t *testing.T) {
	inWorld(t, "2000-01-03T10:00:00Z", func(t *testing.T, w *world) {
		begin := time.Now()
		follow := func(clock *schedule.Clock) {
			t.Helper()
			w.mu.Lock()
			w.clock = clock
			w.mu.Unlock()
			if err := w.store.Append(t.Context(), run.Commit{Jobs: []run.Job{schedule.ClockChanged(project, "rob")}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		each := func(text string) *schedule.Clock {
			return &schedule.Clock{Key: "key_1", Timing: schedule.Timing{Every: text}}
		}
		follow(each("1m"))
		time.Sleep(90 * time.Second)
		follow(each("1m")) // the robot has changed, its clock has not
		time.Sleep(60 * time.Second)
		w.expect(begin, 60, 120)
		if o := w.ordered()[0]; o.Robot != "rob" || o.Input != "" || o.Key != "key_1" {
			t.Errorf("ordered is %+v", o)
		}
		hands, err := w.keeper.Clock(t.Context(), project, "rob")
		if err != nil || !hands.Next.Equal(begin.Add(3*time.Minute)) || !hands.Last.Equal(begin.Add(2*time.Minute)) {
			t.Errorf("shows %+v, %v", hands, err)
		}
		follow(each("10s"))
		time.Sleep(25 * time.Second)
		w.expect(begin, 160, 170)
		follow(nil)
		time.Sleep(time.Minute)
		follow(each("1m"))
		time.Sleep(70 * time.Second)
		w.expect(begin, 295)
		if found, err := w.keeper.List(t.Context(), project, "", 10); err != nil || len(found) != 0 {
			t.Errorf("a robot's clock is listed as a schedule: %v, %v", found, err)
		}
	})
}

func TestFaults(t *testing.T) {
	inWorld(t, "", func(t *testing.T, w *world) {
		for _, c := range []struct {
			d      schedule.Definition
			fields []string
		}{
			{schedule.Definition{}, []string{"agent", "cron"}},
			{schedule.Definition{Target: schedule.Target{Agent: "clerk", Robot: "rob"}, Timing: schedule.Timing{Every: "1s"}, Input: "x"}, []string{"robot"}},
			{schedule.Definition{Target: schedule.Target{Agent: "nobody"}, Timing: schedule.Timing{Cron: "x", Zone: "y"}, Missed: "z", Overlap: "z"}, []string{"agent", "cron", "input", "missed", "overlap", "tz"}},
			{schedule.Definition{Target: schedule.Target{Robot: "rob"}, Timing: schedule.Timing{Daemon: true}, Missed: schedule.Once, Overlap: schedule.Allow}, []string{"missed", "overlap"}},
			{schedule.Definition{Target: schedule.Target{Robot: "rob"}, Timing: schedule.Timing{Cron: "0 0 30 2 *"}}, []string{"cron"}},
			{schedule.Definition{Target: schedule.Target{Robot: "rob"}, Timing: schedule.Timing{Cron: "0 0 30 2 *"}, Paused: true}, []string{"cron"}},
		} {
			_, _, err := w.keeper.Create(t.Context(), project, c.d, "key_1")
			var fields []string
			if p := problem.From(err); p != nil {
				for field := range p.Fields {
					fields = append(fields, field)
				}
			}
			if slices.Sort(fields); !slices.Equal(fields, c.fields) {
				t.Errorf("%+v: %v, want faults of %v", c.d, err, c.fields)
			}
		}
	})
}

func TestUpcoming(t *testing.T) {
	inWorld(t, "2000-03-24T12:00:00Z", func(t *testing.T, w *world) {
		s := w.get(w.create(cron("30 2 * * *", "Europe/Berlin")))
		times, err := s.Upcoming(5)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, at := range times {
			got = append(got, at.In(s.Zone()).Format("01-02 15:04"))
		}
		if want := []string{"03-25 02:30", "03-26 03:00", "03-27 02:30", "03-28 02:30", "03-29 02:30"}; !slices.Equal(got, want) {
			t.Errorf("next runs %v, want %v", got, want)
		}
		synctest.Wait()
	})
}
