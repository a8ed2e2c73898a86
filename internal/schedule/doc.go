// Package schedule starts runs by the clock: saved agents and robots at the times
// that a schedule names, and robots by the clock of their own.
//
// What it promises:
//   - A firing is one commit: the run's first event, the schedule as it is
//     afterwards, and the job of the next firing. So a crash, a job that is
//     delivered twice, or two nodes at once start nothing twice, and never lose
//     the chain.
//   - What comes due while the server is down, or for more than thirty seconds
//     can't be started, is missed: it is left out (skip) or made up for by one run
//     (once), and counted either way.
//   - Where one copy is asked for there are never two: a time at which the last
//     run goes on is left out (skip), waits (queue), or starts another (allow).
//   - Runs that fail fast are started ever less often, and at least once an hour.
//   - Times of day are those of the schedule's zone. One that the clocks leap over
//     comes once, at the first minute that there is; one that they show twice comes
//     once, the first time. An expression that names no hours goes by time passed.
//
// A tour: timing.go (when: what can be said, and what is wrong with it), cron.go,
// face.go (the next time that a wall clock shows something), schedule.go (what is
// stored), decide.go (what becomes of a time that has come, purely), keeper.go and
// fire.go (the jobs), manage.go (making and changing), robot.go (robots' clocks).
//
// To change when a schedule fires, edit decide.go; to add a way to say when, edit
// timing.go.
package schedule
