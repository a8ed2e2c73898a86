package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"errand/client"
)

type modelsList struct{ remote }

// Run lists models.
func (c *modelsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Models.List(ctx)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"name", "window", "in/out $ per M", "price from", "health", "stands for"}}
		for i := range page.Data {
			m := &page.Data[i]
			if m.Agent != "" {
				continue // `errand agents list` has them
			}
			rows = append(rows, []string{printable(m.ID), windowOf(m.Window), priceOf(m.Price), sourceOf(m.Price), healthOf(m.Health), orDash(printable(m.Resolves))})
		}
		p.table(rows)
	})
}

func windowOf(tokens int) string {
	if tokens == 0 {
		return "-"
	}
	return strconv.Itoa(tokens)
}

func priceOf(price *client.ModelPrice) string {
	if price == nil {
		return "-"
	}
	said := fmt.Sprintf("%g / %g", price.Input, price.Output)
	if a := price.Above; a != nil {
		said += fmt.Sprintf("; %g / %g above %dk", a.Input, a.Output, a.Tokens/1000)
	}
	return said
}

// sourceOf says whose word a price is, and of which day.
func sourceOf(price *client.ModelPrice) string {
	if price == nil {
		return "not known: counted in tokens"
	}
	from := printable(price.Source)
	if page, err := url.Parse(price.Source); err == nil && page.Host != "" {
		from = printable(page.Host)
	}
	if price.AsOf != "" {
		from += ", " + printable(price.AsOf)
	}
	return from
}

// healthOf says how an endpoint is, in the words that matter to whoever looks.
func healthOf(h *client.ModelHealth) string {
	switch {
	case h == nil || h.LastOK == nil && h.LastError == nil:
		return "-" // it has none, or nobody has called it yet
	case h.State == "open":
		return "down: left alone for now"
	case h.State == "half_open":
		return "down: being tried"
	case h.LastOK == nil || h.LastError != nil && h.LastError.After(*h.LastOK):
		return "last call failed"
	case h.LatencyMs != nil:
		return fmt.Sprintf("ok, %d ms", *h.LatencyMs)
	}
	return "ok"
}

type modelsTest struct {
	remote
	Model string `arg:"" optional:"" help:"Model to call; without it one at each endpoint is."`
}

// Help is the command's longer help.
func (modelsTest) Help() string {
	return `The call is a real one, with a real price: a few dozen tokens. It shows how long the
first token took, what was used, and whether the model calls a tool that it is offered.

  errand models test
  errand models test anthropic/claude-sonnet-5-5`
}

// errModelsFail ends the command: what failed stands in its output.
var errModelsFail = errors.New("a model does not answer; see its error above")

// Run makes the calls. It fails when one of them did.
func (c *modelsTest) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Models.Test(ctx, c.Model)
	if err != nil {
		return err
	}
	failed := false
	rows := [][]string{{"model", "answers", "calls tools", "first token", "in all", "tokens in/out", "error"}}
	for i := range page.Data {
		t := &page.Data[i]
		failed = failed || !t.OK
		first := "-"
		if t.FirstTokenMs != nil {
			first = fmt.Sprintf("%d ms", *t.FirstTokenMs)
		}
		rows = append(rows, []string{
			printable(t.Model), yes(t.OK), yes(t.CallsTools), first, fmt.Sprintf("%d ms", t.Ms),
			fmt.Sprintf("%d / %d", t.Usage.InputTokens, t.Usage.OutputTokens), orDash(oneLine(t.Error, 160)),
		})
	}
	if err := c.show(p, page.Raw, func() { p.table(rows) }); err != nil {
		return err
	}
	if failed {
		return errModelsFail
	}
	return nil
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}
