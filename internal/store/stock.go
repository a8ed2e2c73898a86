package store

import "errand/internal/run"

// Stock is numbers of what is in a store that no list of one project shows.
type Stock struct {
	Runs    map[run.Status]int // without deleted ones
	Events  int64
	Rows    map[string]int // by kind
	Jobs    int
	Orphans int // events of runs that have no line, or a deleted one
}
