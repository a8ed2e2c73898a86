package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// isPeers is this program in the role that compares Errand with servers of others:
// go run ./bench peers.
const isPeers = "peers"

// The whole comparison ends after this, whatever hangs: it takes ten minutes.
const peersAtMost = 20 * time.Minute

// contest is one comparison, from the first start to the written page.
type contest struct {
	*bench
	shop   string // where the peers are installed
	ledger *ledger
	only   []string
	rivals []*rival
	kills  []killed
	gates  []gated
	direct map[string][]float64 // the same calls without a server: a median for each turn
	node   string

	settle, recover time.Duration // settling, and recovering; tests wait for less
}

// rival is a peer with its figures: a value for each round.
type rival struct {
	*peer
	figures map[string][]float64
}

func (r *rival) note(figure string, value float64) {
	r.figures[figure] = append(r.figures[figure], value)
}

// peersMain is the program in this role.
func peersMain(args []string) error {
	flags := flag.NewFlagSet(isPeers, flag.ContinueOnError)
	c := &contest{bench: &bench{took: map[string]time.Duration{}}, direct: map[string][]float64{}, settle: settling, recover: recovering}
	only := flags.String("only", "", "compare these alone, separated by commas: "+strings.Join(peerNames(), ", "))
	flags.BoolVar(&c.quick, "quick", false, "one round, shorter: to see that everything works")
	flags.StringVar(&c.errand, "errand", "", "measure this binary in place of one built from the source")
	flags.StringVar(&c.dir, "dir", "", "directory for the servers' data: its disk is what is measured")
	flags.StringVar(&c.shop, "shop", filepath.Join(".tools", "peers"), "where the peers are installed, and kept for the next time")
	flags.StringVar(&c.out, "out", "", "put the tables into this page")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	c.rounds = c.fewer(3, 1)
	if *only != "" {
		c.only = strings.Split(*only, ",")
	}
	for _, name := range c.only {
		if !slices.Contains(peerNames(), name) {
			return fmt.Errorf("-only: there is no %q; there are %s", name, strings.Join(peerNames(), ", "))
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, peersAtMost)
	defer cancel()
	return c.hold(ctx)
}

// hold makes the comparison.
func (c *contest) hold(ctx context.Context) (err error) {
	if c.scratch, err = os.MkdirTemp(c.dir, "errand-peers-"); err != nil {
		return err
	}
	defer os.RemoveAll(c.scratch)
	if err := c.build(ctx); err != nil {
		return err
	}
	if c.mock, err = startMock(); err != nil {
		return err
	}
	defer c.mock.close()
	if c.ledger, err = openLedger(); err != nil {
		return err
	}
	defer c.ledger.close()
	if c.shop, err = filepath.Abs(c.shop); err != nil {
		return err
	}
	if c.node, err = nodeVersion(ctx); err != nil {
		return err
	}
	for _, p := range peers() {
		if len(c.only) == 0 || slices.Contains(c.only, p.key()) {
			c.rivals = append(c.rivals, &rival{peer: p, figures: map[string][]float64{}})
		}
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		c.load, _, _ = strings.Cut(string(load), " ")
	}
	for _, step := range []func(context.Context) error{c.install, c.measureRounds, c.killAll, c.gateAll, c.publish} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measureRounds lets the rivals take turns. Each is started for its turn and stopped
// after it, so that nobody is measured while another one is up.
func (c *contest) measureRounds(ctx context.Context) error {
	for _, r := range c.rivals {
		if err := c.rehearse(ctx, r); err != nil {
			return fmt.Errorf("%s, before the rounds: %w", r.label, err)
		}
	}
	order := slices.Clone(c.rivals)
	for round := range c.rounds {
		progress("round %d", round+1)
		for _, r := range order {
			if err := c.turn(ctx, r); err != nil {
				return fmt.Errorf("%s, round %d: %w", r.label, round+1, err)
			}
		}
		order = append(order[1:], order[0])
	}
	return nil
}

// rehearse sees that a rival does the work at all, and gives it the directory from
// which its rounds begin.
func (c *contest) rehearse(ctx context.Context, r *rival) error {
	h, err := c.start(ctx, r.peer, place{dir: r.home(c), tool: c.mock.url + "/tool", fresh: true})
	if err != nil {
		return err
	}
	defer h.stop()
	for _, agent := range []string{"answer", "look", "press"} {
		if err := h.run(ctx, agent); err != nil {
			return err
		}
	}
	_, err = h.first(ctx)
	return err
}

// home is the directory that a rival's rounds are begun from.
func (r *rival) home(c *contest) string { return filepath.Join(c.scratch, "home-"+r.key()) }

// turn is what one rival does in one round.
func (c *contest) turn(ctx context.Context, r *rival) error {
	dir := c.newDir()
	if err := r.renew(c, r.home(c), dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	h, err := c.start(ctx, r.peer, place{dir: dir, tool: c.mock.url + "/tool"})
	if err != nil {
		return err
	}
	defer h.stop()
	if err := h.run(ctx, "press"); err != nil {
		return err
	}
	r.note("start", millis(time.Since(h.began)))
	if !wait(ctx, time.Second) {
		return ctx.Err()
	}
	m, err := h.weigh()
	if err != nil {
		return err
	}
	r.note("idle", m.resident)
	if err := c.goDirect(ctx); err != nil {
		return err
	}
	if err := c.alone(ctx, r, h); err != nil {
		return err
	}
	if err := c.crowds(ctx, r, h); err != nil {
		return err
	}
	m, err = h.weigh()
	r.note("loaded", m.resident)
	progress("%-24s start %.0f ms  answer +%.1f  look +%.1f  first +%.1f ms  %.1f / %.1f / %.1f runs/s  CPU %.1f ms  %.0f MB",
		r.label, last(r.figures["start"]), last(r.figures["answer"]), last(r.figures["look"]), last(r.figures["first"]),
		last(r.figures["rate1"]), last(r.figures["rate16"]), last(r.figures["rate64"]), last(r.figures["cpu"]), m.resident/mega)
	return err
}

func last(values []float64) float64 { return values[len(values)-1] }

// alone measures one client that waits for each answer, after a warm-up.
func (c *contest) alone(ctx context.Context, r *rival, h *host) error {
	if _, err := h.crowd(ctx, "press", 8, c.quickly(3*time.Second, time.Second)); err != nil {
		return err
	}
	length := c.quickly(2*time.Second, time.Second)
	for _, agent := range []string{"answer", "look"} {
		l, err := h.crowd(ctx, agent, 1, length)
		if err != nil {
			return err
		}
		r.note(agent, median(l.waits)-last(c.direct[agent]))
	}
	var firsts []float64
	for began := time.Now(); time.Since(began) < length || len(firsts) < 3; {
		took, err := h.first(ctx)
		if err != nil {
			return err
		}
		firsts = append(firsts, millis(took))
	}
	r.note("first", median(firsts)-last(c.direct["first"]))
	return nil
}

// crowds measures how many runs a rival makes when many want one.
func (c *contest) crowds(ctx context.Context, r *rival, h *host) error {
	for _, clients := range []int{1, 16, 64} {
		l, err := h.crowd(ctx, "press", clients, c.quickly(4*time.Second, 2*time.Second))
		if err != nil {
			return fmt.Errorf("%d clients: %w", clients, err)
		}
		r.note(fmt.Sprintf("rate%d", clients), l.perSecond())
		if clients == 64 {
			r.note("p50", median(l.waits))
			r.note("p99", quantile(l.waits, 0.99))
		}
		if clients == 16 {
			r.note("cpu", l.cpuMillis())
		}
	}
	return nil
}

// goDirect makes the same calls without a server between, right before a rival makes
// them: what an answer takes at the least, on a machine that is as busy.
func (c *contest) goDirect(ctx context.Context) error {
	self := &floor{client: newClient(), model: c.mock.url + "/v1/chat/completions", tool: c.mock.url + "/tool"}
	defer self.client.CloseIdleConnections()
	const length = 700 * time.Millisecond
	for _, agent := range []string{"answer", "look", "paced"} {
		var took, first []float64
		for begun := time.Now(); time.Since(begun) < length; {
			began, token := time.Now(), time.Duration(0)
			err := self.direct(ctx, models()[agent].String(), func(text string) error {
				if text != "" && token == 0 {
					token = time.Since(began)
				}
				return nil
			})
			if err != nil {
				return err
			}
			took, first = append(took, millis(time.Since(began))), append(first, millis(token))
		}
		if agent == "paced" {
			c.direct["first"] = append(c.direct["first"], median(first))
			continue
		}
		c.direct[agent] = append(c.direct[agent], median(took))
	}
	return nil
}
