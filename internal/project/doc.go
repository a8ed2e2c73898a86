// Package project is what becomes of a project as a whole: its runs go when they are
// older than it wants to keep them, all of it can be taken away in one file, and all
// of it can be removed.
//
// What it promises:
//   - Runs go whole: with their events, jobs, deliveries, screenshots and what else
//     is about them alone, never while another run needs them, and never for good
//     before the time is over. What they have cost, and who did what, stays.
//   - Removing is done in steps of a bounded number of rows, each a commit of its
//     own, with a rest as long as the step between two of them: those who write
//     meanwhile wait for one step at most. A crash costs the step under way, and the
//     job goes on where it was.
//   - From the moment in which a project is to be erased nobody opens it and nothing
//     begins in it; when it is gone, nothing names it but the audit log and what it
//     has spent.
//   - An export holds no secrets, and says at its end whether it is whole.
//
// A tour: keeper.go (what it needs, its jobs), sweep.go (runs that are too old),
// family.go (which runs others need), erase.go (removing all), export.go with
// stored.go (one file of all), gate.go (keeping others out meanwhile).
//
// To change what goes with a run, edit the Traces of internal/app; to change what an
// export says of an object, edit stored.go.
package project
