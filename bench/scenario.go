package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// scenario is a measurement that can be made alone.
type scenario struct {
	name string
	what string
	run  func(context.Context, *bench) error
}

// scenarios are all of them, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{"start", "from the start to the first answer, idle memory, size of the binary", begin},
		{"runs", "runs a second and processor time under 32 clients", runs},
		{"answerable", "processor time of keys, scopes, limits, a budget and the audit log", answerable},
		{"dialects", "processor time of express runs and of batches beside that of plain runs", dialects},
		{"added", "time that a server adds to a run with a 50 ms model", added},
		{"first", "time that a server adds to the first token of a streamed answer", first},
		{"streams", "1,000 streams held at once", streams},
		{"growth", "cost of a turn in runs of up to 200 turns", growth},
		{"stored", "lists, start-up and disk with many stored runs", storedRuns},
		{"parked", "start-up and memory with many runs that wait for a person", parkedRuns},
		{"nodes", "one, two and three nodes over one PostgreSQL (with -cluster)", nodes},
	}
}

func names() []string {
	var all []string
	for _, s := range scenarios() {
		all = append(all, s.name)
	}
	return all
}

func find(name string) *scenario {
	for _, s := range scenarios() {
		if s.name == name {
			return &s
		}
	}
	return nil
}

func (o *options) wants(name string) bool {
	if name == "nodes" && o.cluster == "" {
		return false
	}
	for _, wanted := range o.only {
		if wanted == name {
			return true
		}
	}
	return len(o.only) == 0
}

// row is a line of the table.
type row struct {
	figure string
	hold   string // what has to be, in words; empty = shown, not held
	floor  string
	errand string
	ratio  string // Errand's through the floor's, where that says something
	held   bool
	note   string
}

func (b *bench) add(r row) { b.rows = append(b.rows, r) }

// chart is a picture of a figure: a bar for each value.
type chart struct {
	title string
	unit  string
	bars  []bar
}

type bar struct {
	label string
	value float64
}

// pair is a floor and an Errand that run beside each other.
type pair map[string]*server

// kinds are the two in the order in which they take turns.
func kinds() []string { return []string{isFloor, isErrand} }

// both starts a floor and an Errand.
func (b *bench) both(ctx context.Context, behaviours ...behaviour) (pair, error) {
	p := pair{}
	for _, kind := range kinds() {
		s, err := b.start(ctx, kind, b.newDir(), behaviours...)
		if err != nil {
			p.stop()
			return nil, err
		}
		p[kind] = s
	}
	return p, nil
}

func (p pair) stop() {
	for _, s := range p {
		s.stop()
	}
}

// alternate lets what is compared take turns, and the first of a round changes
// from round to round, so that none always comes after the same other.
func (b *bench) alternate(rounds int, kinds []string, measure func(kind string) error) error {
	order := slices.Clone(kinds)
	for round := range rounds {
		for _, kind := range order {
			if err := measure(kind); err != nil {
				return fmt.Errorf("%s, round %d: %w", kind, round+1, err)
			}
		}
		order = append(order[1:], order[0])
	}
	return nil
}

// quickly is how long something goes on: the first, or the second when quick.
func (b *bench) quickly(full, quick time.Duration) time.Duration {
	if b.quick {
		return quick
	}
	return full
}

func (b *bench) fewer(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }
