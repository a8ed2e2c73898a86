// Package robot keeps robots: agents with a host that settles a goal in
// conversation, a pipeline that plans, works and delivers, and a clock.
//
// What it promises:
//   - A robot's fields are honoured, or refused by name (Check). None is stored
//     and then ignored. Secrets in them are kept sealed and never shown.
//   - An execution is a run. Its phases, tasks, progress, results and delivery are
//     read from the run's log and from nothing else (Project): what a reader is
//     told was true at that moment, and no task's status goes backwards.
//   - The pipeline's tools have no memory. They read their own run as it is on
//     disk, so a crash, another node or a later look finds the same plan.
//   - What an execution delivers is sent after its end by a job that is written
//     together with that end. A target whose outcome nobody knows is told of and
//     not tried again.
//   - Nothing here starts a run: specs, rows and jobs are returned to whoever
//     commits them.
//
// A tour: robot.go and check.go (what a robot is), book.go (how it is stored),
// desk.go and prompt.go (a robot and an order become a run.Spec), pipeline.go and
// tool.go (how an execution proceeds), execution.go and project.go (how it looks),
// learn.go and cost.go (what later ones know and may spend), record.go, deliver.go
// and send.go (what becomes of the result).
//
// To change what a robot may say, edit Profile and check.go; how an execution
// proceeds, edit pipeline.go; how it looks, edit project.go.
package robot
