// Package run is the core: what a run is, what has happened to it, and what
// should happen next.
//
// A run is a list of events. Apply folds one event into a State; Decide looks at
// a State and names the effects that should be under way. Both are pure: no
// context, no clock, no I/O, no goroutines. The engine performs effects and
// appends what came of them; a dialect turns requests into a Spec and a State
// into its own words. Nobody but this package decides how a run proceeds.
//
// What the package promises:
//   - Apply is total: any event folds into any state, in any order, and a
//     terminal state keeps its status for ever.
//   - Decide depends on the State alone, so a crash at any point and a fold of
//     what is on disk lead to the same next step.
//   - A log written by any released version still folds (codec.go).
//
// A tour: spec.go (what a run needs), event.go (what can happen), state.go and
// apply.go (what has happened), decide.go (what comes next, on one screen),
// limits.go, approval.go
// and preview.go (what a person is asked, and sees), history.go (what a model sees), codec.go (the stored form),
// commit.go (what a store writes at once), call.go (what models and tools get
// and give), stories_test.go (the specification, as life stories).
//
// To change how a run proceeds, edit decide.go. To add something that can
// happen, edit event.go, apply.go and codec.go.
package run
