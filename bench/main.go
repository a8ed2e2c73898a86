// Bench measures Errand beside a floor: a bare net/http program that makes the
// same calls to a model and a tool and waits for the disk at the same places,
// over a group-committed SQLite log. `make bench` runs all of it and writes
// docs/performance.md; `go run ./bench -only runs` runs one scenario.
//
// It promises that everything stays on 127.0.0.1 and below one temporary
// directory (and, for stored runs, the cache directory), that each process is
// ended by its own id, that floor and Errand take turns within one run of the
// program, and that a figure is the median of its rounds. A run whose answer is
// not the right one fails the scenario: nothing wrong is counted as fast.
//
// A tour: mock.go and engine.go (the model, the tool, a search engine), floor.go
// and floorlog.go (the floor), server.go (starting either), load.go (the clients),
// core.go (the product's core alone), proc.go (what the kernel says), stored.go and seed.go (many stored runs), report.go and page.go
// (the table and the document).
//
// `go run ./bench peers` (`make bench-peers`) is another program, which measures servers of
// others beside Errand and writes the tables of docs/comparison.md: peers.go (the rounds),
// peer.go (a server), peerlist.go (all of them, and how each is asked), peershop.go (where
// they come from), peerstory.go, peergate.go and peerledger.go (crashes and approvals),
// peerpage.go (the tables); what is ours of each is below bench/peers.
//
// To add a figure, write its scenario beside the others and add it to the list
// in scenario.go; to change what counts as held, edit the scenario's rows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are the command line's.
type options struct {
	only   []string // scenarios; empty = all
	quick  bool
	rounds int
	stored int
	parked int
	errand string // a binary that has been built already; empty = build one
	cache  string
	dir    string
	out    string

	cluster string // a database for several nodes; empty = they are not measured
}

func main() {
	roles := map[string]func([]string) error{isFloor: floorMain, isCore: coreMain, isPeers: peersMain}
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		if err := roles[os.Args[1]](os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
			os.Exit(1)
		}
		return
	}
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		err = measure(ctx, o)
		stop()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", "", "scenarios to run, separated by commas: "+strings.Join(names(), ", "))
	flags.BoolVar(&o.quick, "quick", false, "fewer and shorter rounds, fewer stored runs: under 3 minutes")
	flags.IntVar(&o.rounds, "rounds", 0, "rounds of each comparison (5; 3 when quick)")
	flags.IntVar(&o.stored, "stored", 0, "runs in the large store (1000000; 50000 when quick)")
	flags.IntVar(&o.parked, "parked", 0, "runs that wait for a person (100000; 10000 when quick)")
	flags.StringVar(&o.errand, "errand", "", "measure this binary in place of one built from the source")
	flags.StringVar(&o.cache, "cache", "", "directory that keeps the stored runs for the next time (the user's cache directory)")
	flags.StringVar(&o.dir, "dir", "", "directory for the servers' data: its disk is what is measured (the system's temporary directory)")
	flags.StringVar(&o.cluster, "cluster", "", "measure several nodes too, on this empty database: postgres://user@host:5432/database")
	flags.StringVar(&o.out, "out", "", "write the document here")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if find(name) == nil {
			return o, fmt.Errorf("-only: there is no scenario %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	if o.cluster != "" {
		if err := checkCluster(o.cluster); err != nil {
			return o, err
		}
	}
	return o, o.defaults()
}

// defaults fills in what the command line leaves open.
func (o *options) defaults() error {
	pick := func(value *int, full, quick int) {
		if *value == 0 && o.quick {
			*value = quick
		} else if *value == 0 {
			*value = full
		}
	}
	pick(&o.rounds, 5, 3)
	pick(&o.stored, 1_000_000, 50_000)
	pick(&o.parked, 100_000, 10_000)
	if o.cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("say where to keep the stored runs with -cache: %w", err)
		}
		o.cache = filepath.Join(base, "errand-bench")
	}
	return nil
}

// bench is what all scenarios share.
type bench struct {
	options
	self    string // this program
	binary  string // the server
	scratch string
	mock    *mock
	rows    []row
	charts  []chart
	squads  map[string]*squad // one server, and several nodes
	load    string            // of the machine before they were measured
	took    map[string]time.Duration
	dirs    int
}

// measure runs the scenarios and reports.
func measure(ctx context.Context, o options) (err error) {
	b := &bench{options: o, took: map[string]time.Duration{}}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.scratch, err = os.MkdirTemp(o.dir, "errand-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.scratch)
	if err := b.build(ctx); err != nil {
		return err
	}
	if b.mock, err = startMock(); err != nil {
		return err
	}
	defer b.mock.close()
	for _, s := range scenarios() {
		if !o.wants(s.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", s.name, s.what)
		began := time.Now()
		if err := s.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		b.took[s.name] = time.Since(began)
	}
	return b.report(ctx)
}

// build makes the server as it is released: static and stripped.
func (b *bench) build(ctx context.Context) error {
	if b.errand != "" {
		path, err := filepath.Abs(b.errand)
		b.binary = path
		return err
	}
	b.binary = filepath.Join(b.scratch, "errand")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", b.binary, "errand")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the server: %w\n%s", err, said)
	}
	return nil
}

// newDir is a fresh data directory.
func (b *bench) newDir() string {
	b.dirs++
	return filepath.Join(b.scratch, fmt.Sprintf("data-%d", b.dirs))
}
