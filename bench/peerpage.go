package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// The tables stand between these lines; the rest of the page is written by hand.
const (
	peersBegin = "<!-- peers: written by make bench-peers -->\n"
	peersEnd   = "<!-- peers: end -->\n"
)

// publish prints the tables, and puts them into the page when that was asked for.
func (c *contest) publish(ctx context.Context) error {
	m, err := c.describe(ctx)
	if err != nil {
		return err
	}
	section, err := c.section(m)
	if err != nil {
		return err
	}
	fmt.Print(section)
	if c.out == "" {
		return nil
	}
	page, err := os.ReadFile(c.out)
	if err != nil {
		return err
	}
	written, err := between(string(page), peersBegin, peersEnd, section)
	if err != nil {
		return fmt.Errorf("%s: %w", c.out, err)
	}
	return os.WriteFile(c.out, []byte(written), 0o644)
}

// between puts a section between two lines of a page, in place of what is there.
func between(page, begin, end, section string) (string, error) {
	before, rest, found := strings.Cut(page, begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("it has no lines %q and %q to write between", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + section + end + after, nil
}

// section is all of what was measured.
func (c *contest) section(m machine) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "Measured on %s at commit `%s`: %s, %d cores, %s; %s; Node.js %s. A synced write of 4 KiB takes %s here. The load of the machine was %s before it began%s. %s.\n\n",
		m.Date, m.Commit, m.Processor, m.Cores, m.Memory, m.System, c.node, m.Disk, c.load,
		otherWork(c.load, m.Cores, ", which goes on: what a server takes in time here is mostly waiting for its turn, so figures say less than the ratios between them"), plural(c.rounds, "round"))
	if err := c.settings(&text); err != nil {
		return "", err
	}
	c.speeds(&text)
	c.crashes(&text)
	c.approvals(&text)
	return text.String(), nil
}

// otherWork says that a load of before the first measurement is not ours, and what that
// means for the figures; of a machine with room to spare, nothing.
func otherWork(load string, cores int, meaning string) string {
	if load, err := strconv.ParseFloat(load, 64); err != nil || load < float64(cores) {
		return ""
	}
	return ", by other work" + meaning
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss, in turns", n, what)
}

// settings says what was measured.
func (c *contest) settings(text *strings.Builder) error {
	text.WriteString("| server | version | started with | keeps | reproduce |\n|---|---|---|---|---|\n")
	for _, r := range c.rivals {
		is := "this commit"
		if r.folder != "" {
			number, err := c.version(r.folder, r.pack)
			if err != nil {
				return err
			}
			is = "`" + r.pack + "` " + number
		}
		fmt.Fprintf(text, "| %s | %s | %s | %s | %s |\n", r.label, is, r.started, r.keeps, again(r.peer))
	}
	text.WriteString("\n")
	return nil
}

// again is the command that measures one server alone.
func again(p *peer) string { return "`go run ./bench peers -only " + p.key() + "`" }

// speeds is the table of what was timed: the median of the rounds, and between which
// values they lay.
func (c *contest) speeds(text *strings.Builder) {
	text.WriteString("### Time and memory\n\n| figure |")
	for _, r := range c.rivals {
		fmt.Fprintf(text, " %s |", r.label)
	}
	text.WriteString(" reproduce |\n|---|" + strings.Repeat("---|", len(c.rivals)) + "---|\n")
	for _, line := range []struct {
		figure, words, unit string
		scale               float64
	}{
		{"start", "start to the first finished run", "ms", 1},
		{"idle", "memory after one run", "MB", mega},
		{"loaded", "memory after the load", "MB", mega},
		{"answer", "a run with one model call: added time", "ms", 1},
		{"look", "a run with two model calls and a tool call: added time", "ms", 1},
		{"first", "the same as a stream: added time to the first token", "ms", 1},
		{"rate1", "runs a second, 1 client", "", 1},
		{"rate16", "runs a second, 16 clients", "", 1},
		{"rate64", "runs a second, 64 clients", "", 1},
		{"p50", "a run of 64 clients, p50", "ms", 1},
		{"p99", "a run of 64 clients, p99", "ms", 1},
		{"cpu", "processor time of a run, 16 clients", "ms", 1},
	} {
		fmt.Fprintf(text, "| %s |", line.words)
		for _, r := range c.rivals {
			fmt.Fprintf(text, " %s |", spread(r.figures[line.figure], line.scale, line.unit))
		}
		text.WriteString(" `make bench-peers` |\n")
	}
	fmt.Fprintf(text, "\nThe same calls without a server between take %.1f ms (one model call) and %.1f ms (two, and a tool), and have their first token after %.1f ms.\n\n",
		median(c.direct["answer"]), median(c.direct["look"]), median(c.direct["first"]))
}

// spread writes the median of values, and the least and the greatest of them.
func spread(values []float64, scale float64, unit string) string {
	if len(values) == 0 {
		return "not measured"
	}
	words := short(median(values)/scale) + strings.TrimSuffix(" "+unit, " ")
	if len(values) > 1 {
		words += fmt.Sprintf(" (%s–%s)", short(slices.Min(values)/scale), short(slices.Max(values)/scale))
	}
	return words
}

// short writes a number with as many digits as say something.
func short(value float64) string {
	switch size := math.Abs(value); {
	case size < 10:
		return fmt.Sprintf("%.2f", value)
	case size < 100:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.0f", value)
}

// crashes is the table of what became of runs whose server was killed.
func (c *contest) crashes(text *strings.Builder) {
	fmt.Fprintf(text, "### Killed in the middle\n\n%d runs whose tool had been called and did not answer; `kill -9` of all processes of the server, %.0f s after the last call began or at once; a second start on the same directory, with a tool that answers; %.0f s to go on.\n\n",
		inFlight, settling.Seconds(), recovering.Seconds())
	text.WriteString("| server | killed | runs that it still knows | finished | wait for a person | calls before | calls after | different keys in all of them | reproduce |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, k := range c.kills {
		when := fmt.Sprintf("after %.0f s", settling.Seconds())
		if k.soon {
			when = "at once"
		}
		keys := "none sent"
		if k.keys > 0 {
			keys = fmt.Sprint(k.keys)
		}
		fmt.Fprintf(text, "| %s | %s | %d | %d | %d | %d | %d | %s | %s |\n", k.label, when, k.known, k.done, k.waiting, k.calls, k.again, keys, again(k.peer))
	}
	text.WriteString("\n")
}

// approvals is the table of runs that waited for a person over a restart.
func (c *contest) approvals(text *strings.Builder) {
	fmt.Fprintf(text, "### A person decides after a restart\n\nA run whose tool needs an approval; `kill -9` %.0f s later; a second start; an approval by one person, and by two at once.\n\n", settling.Seconds())
	text.WriteString("| server | people | waited for them | answers | finished | calls of the tool | reproduce |\n|---|---|---|---|---|---|---|\n")
	yes := map[bool]string{true: "yes", false: "no"}
	for _, g := range c.gates {
		var codes []string
		for _, code := range g.codes {
			codes = append(codes, fmt.Sprint(code))
		}
		slices.Sort(codes)
		words := strings.Join(codes, ", ")
		if g.failed != "" {
			words = g.failed
		}
		fmt.Fprintf(text, "| %s | %d | %s | %s | %s | %d | %s |\n", g.label, g.people, yes[g.waited], words, yes[g.done], g.calls, again(g.peer))
	}
	text.WriteString("\n")
}
