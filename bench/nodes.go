package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"errand/internal/seal"
)

// mostNodes is how many nodes work on the one database.
const mostNodes = 3

// squads are what is compared: a server with SQLite, and clients that spread their
// requests over one, two or all of the nodes.
func squads() []string {
	return []string{"SQLite, one server", "PostgreSQL, one node", "PostgreSQL, two nodes", "PostgreSQL, three nodes"}
}

// squad is what one of them did, round by round.
type squad struct {
	rate, p50, p99, alone []float64
	cpu, database         []float64 // milliseconds a run
}

// nodes measures several nodes over one PostgreSQL beside one server over SQLite. All
// are up all the time; what takes turns is where the load goes.
func nodes(ctx context.Context, b *bench) error {
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		b.load, _, _ = strings.Cut(string(load), " ")
	}
	single, err := b.start(ctx, isErrand, b.newDir(), work())
	if err != nil {
		return err
	}
	defer single.stop()
	var all []*server
	defer func() {
		for _, s := range all {
			s.stop()
		}
	}()
	for range mostNodes {
		s, err := b.startNode(ctx, all)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	members := map[string][]*server{squads()[0]: {single}}
	for i := range mostNodes {
		members[squads()[i+1]] = all[:i+1]
	}
	b.squads = map[string]*squad{}
	for _, name := range squads() {
		b.squads[name] = &squad{}
		if _, err := pressAll(ctx, members[name], clients, warmup); err != nil {
			return err
		}
	}
	return b.alternate(b.rounds, squads(), func(name string) error { return b.drill(ctx, name, members[name]) })
}

// drill loads one squad: with one client, for what a run takes, and with many.
func (b *bench) drill(ctx context.Context, name string, members []*server) error {
	q := b.squads[name]
	calm, err := pressAll(ctx, members, 1, b.quickly(2*time.Second, time.Second))
	if err != nil {
		return err
	}
	before := databaseTime()
	l, err := pressAll(ctx, members, clients, b.quickly(pressing, 2*time.Second))
	if err != nil {
		return err
	}
	q.alone = append(q.alone, median(calm.waits))
	q.rate, q.cpu = append(q.rate, l.perSecond()), append(q.cpu, l.cpuMillis())
	q.p50, q.p99 = append(q.p50, median(l.waits)), append(q.p99, quantile(l.waits, 0.99))
	q.database = append(q.database, 1000*(databaseTime()-before).Seconds()/l.runs)
	progress("%-24s %5.0f runs/s  p50 %.1f ms  p99 %.1f ms  one client %.1f ms", name, l.perSecond(), median(l.waits), quantile(l.waits, 0.99), median(calm.waits))
	return nil
}

// startNode starts a node of the cluster; the first one makes the key that all have.
func (b *bench) startNode(ctx context.Context, others []*server) (*server, error) {
	dir := b.newDir()
	if len(others) > 0 {
		key, err := os.ReadFile(filepath.Join(others[0].dir, seal.KeyFile))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, seal.KeyFile), key, 0o600)); err != nil {
			return nil, err
		}
	}
	s, err := b.launch(isErrand, dir, "ERRAND_STORE="+b.cluster)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		return s, b.open(ctx, s) // the tool and the agent are there already
	}
	return s, b.open(ctx, s, work())
}

// pressAll presses servers whose clients take turns among them.
func pressAll(ctx context.Context, members []*server, clients int, length time.Duration) (loaded, error) {
	var turn atomic.Int64
	rest := time.Duration(0)
	for _, s := range members[1:] {
		used, err := cpuTime(s.pid())
		if err != nil {
			return loaded{}, err
		}
		rest -= used
	}
	l, err := press(ctx, members[0], func(ctx context.Context, _ *server) error {
		return members[int(turn.Add(1))%len(members)].run(ctx, work())
	}, clients, length)
	for _, s := range members[1:] {
		used, failed := cpuTime(s.pid())
		rest += used
		err = errors.Join(err, failed)
	}
	l.cpu += rest.Seconds()
	return l, err
}

// databaseTime is the processor time of all processes of PostgreSQL on this machine,
// whose connections stay while they are measured; 0 if it is on another.
func databaseTime() (sum time.Duration) {
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, path := range names {
		name, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(name)) != "postgres" {
			continue // it has just ended, or is another program
		}
		if stat, err := os.ReadFile(filepath.Join(filepath.Dir(path), "stat")); err == nil {
			if used, err := parseStat(stat); err == nil {
				sum += used
			}
		}
	}
	return sum
}

// The marks between which the document has the section about nodes: it is kept when the
// others are measured anew without a database, and written alone when nothing else was.
const nodesBegin, nodesEnd = "<!-- nodes: written by go run ./bench -cluster -->\n", "<!-- nodes: end -->\n"

// nodesSection writes the section, or takes it from the document as it was.
func (b *bench) nodesSection(old string, m machine) string {
	if len(b.squads) == 0 {
		_, rest, _ := strings.Cut(old, nodesBegin)
		kept, _, _ := strings.Cut(rest, nodesEnd)
		return kept
	}
	var text strings.Builder
	fmt.Fprintf(&text, "## Several nodes\n\nMeasured on %s at commit `%s`, on the machine above (%d cores, which PostgreSQL, all servers, model, tool and clients share), in %d rounds that take turns. Its load was %s before it began%s. The work is that of the figures above, the clients spread it over the nodes.\n\n",
		m.Date, m.Commit, m.Cores, b.rounds, b.load, otherWork(b.load, m.Cores, ": what the first row is below the table above, the others are too"))
	text.WriteString("| | runs a second, 32 clients | p50 | p99 | one client alone, p50 | CPU of the servers per run | CPU of PostgreSQL per run |\n|---|---|---|---|---|---|---|\n")
	for _, name := range squads() {
		q := b.squads[name]
		database := "none"
		if name != squads()[0] {
			database = fmt.Sprintf("%.2f ms", median(q.database))
		}
		fmt.Fprintf(&text, "| %s | %.0f | %.1f ms | %.1f ms | %.1f ms | %.2f ms | %s |\n",
			name, median(q.rate), median(q.p50), median(q.p99), median(q.alone), median(q.cpu), database)
	}
	one, three := b.squads[squads()[1]], b.squads[squads()[3]]
	fmt.Fprintf(&text, "\nThe limit here is the processor that all share, of which a run on one node takes %.2f ms with PostgreSQL's part: three nodes make %s of what one makes. On machines of their own nodes add theirs, until the database's processor is full: at %.2f ms a run (of all processes of PostgreSQL on the machine, counted from outside), one of its cores is good for about %.0f runs a second. Then a larger machine for the database moves the limit; a second database does, for projects that share nothing.\n",
		median(one.cpu)+median(one.database), times(median(ratios(three.rate, one.rate))), median(three.database), 1000/median(three.database))
	return text.String()
}

// splice puts the section into the document.
func splice(page, section string) string {
	before, rest, found := strings.Cut(page, nodesBegin)
	_, after, ended := strings.Cut(rest, nodesEnd)
	if !found || !ended {
		return page
	}
	return before + nodesBegin + section + nodesEnd + after
}

// checkCluster says what is wrong with the URL of a database.
func checkCluster(at string) error {
	parsed, err := url.Parse(at)
	if err != nil || parsed.Scheme != "postgres" {
		return errors.New("-cluster: name an empty database of a PostgreSQL: postgres://user@host:5432/database")
	}
	return nil
}
