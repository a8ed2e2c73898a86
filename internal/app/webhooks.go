package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"errand/client"
)

type webhooksGroup struct {
	List       webhooksList       `cmd:"" help:"List webhooks."`
	Add        webhooksAdd        `cmd:"" help:"Add a webhook; its secret is shown once."`
	Edit       webhooksEdit       `cmd:"" help:"Change a webhook's address, events or description; its secret stays."`
	Remove     webhooksRemove     `cmd:"" name:"rm" help:"Remove a webhook; what waits for it is not sent."`
	Rotate     webhooksRotate     `cmd:"" help:"Give a webhook a new secret; for a day both sign."`
	Enable     webhooksEnable     `cmd:"" help:"Call a webhook again that is paused or disabled."`
	Deliveries webhooksDeliveries `cmd:"" help:"List what was, or is to be, sent to a webhook."`
	Redeliver  webhooksRedeliver  `cmd:"" help:"Send a delivery again."`
}

// hookArg names a webhook.
type hookArg struct {
	ID string `arg:"" name:"webhook-id" help:"Id of the webhook: wh_…; default stands for the URLs of single runs."`
}

type webhooksList struct {
	remote
	paging
}

// Run lists webhooks.
func (c *webhooksList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Webhooks.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "status", "failures", "events", "url"}}
		for _, h := range page.Data {
			rows = append(rows, []string{h.ID, h.Status, fmt.Sprint(h.Failures), oneLine(strings.Join(h.Events, ", "), 50), oneLine(h.URL, 80)})
		}
		p.table(rows)
		more(p, page)
	})
}

type webhooksAdd struct {
	remote
	Endpoint    string   `arg:"" name:"endpoint" help:"https URL that is told."`
	Event       []string `help:"What it is told: run.completed, run.failed, run.cancelled or run.awaiting_approval; repeat, or separate with commas. Default: everything." default:"*" placeholder:"EVENT"`
	Description string   `help:"What it is for." placeholder:"TEXT"`
}

// Help is the command's longer help.
func (webhooksAdd) Help() string {
	return `Examples:

  errand webhooks add https://example.com/hooks/errand
  errand webhooks add https://example.com/hooks/errand --event run.completed,run.failed

Each delivery is signed with the secret that is shown, this once: libraries for Standard
Webhooks take it as it is. http:// is refused, except to addresses that the server's operator
has opened (ERRAND_EGRESS_ALLOW).`
}

// Run adds it and shows its secret, this once.
func (c *webhooksAdd) Run(ctx context.Context, p *process) error {
	hook, err := c.client(p).Webhooks.Create(ctx, client.NewWebhook{URL: c.Endpoint, Events: c.Event, Description: c.Description})
	if err != nil {
		return err
	}
	return c.show(p, hook.Raw, func() {
		p.print("%s\n\nThis is the secret of %s. It is shown this once.\n", hook.Secret, hook.ID)
	})
}

type webhooksEdit struct {
	remote
	hookArg
	Endpoint    string   `help:"https URL that is told from now on; what waits is sent there, too." placeholder:"URL"`
	Event       []string `help:"What it is told, in place of what it was; repeat, or separate with commas; * for everything." placeholder:"EVENT"`
	Description *string  `help:"What it is for; an empty one takes it away." placeholder:"TEXT"`
}

// Help is the command's longer help.
func (webhooksEdit) Help() string {
	return `Examples:

  errand webhooks edit wh_5f0c… --endpoint https://example.com/hooks/errand-2
  errand webhooks edit wh_5f0c… --event run.completed,run.awaiting_approval

What is not named stays as it is. errand webhooks rotate replaces the secret.`
}

// Run changes it.
func (c *webhooksEdit) Run(ctx context.Context, p *process) error {
	if c.Endpoint == "" && len(c.Event) == 0 && c.Description == nil {
		return usage(errors.New("name what to change: --endpoint, --event or --description"))
	}
	hook, err := c.client(p).Webhooks.Update(ctx, c.ID, client.WebhookChanges{URL: c.Endpoint, Events: c.Event, Description: c.Description})
	if err != nil {
		return err
	}
	return c.show(p, hook.Raw, func() { p.print("%s tells %s of %s.\n", hook.ID, hook.URL, strings.Join(hook.Events, ", ")) })
}

type webhooksRemove struct {
	remote
	hookArg
}

// Run removes it.
func (c *webhooksRemove) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Webhooks.Delete(ctx, c.ID); err != nil {
		return err
	}
	return c.show(p, map[string]any{"id": c.ID, "deleted": true}, func() { p.print("Removed %s.\n", c.ID) })
}

type webhooksRotate struct {
	remote
	hookArg
}

// Run makes a new secret and shows it, this once.
func (c *webhooksRotate) Run(ctx context.Context, p *process) error {
	hook, err := c.client(p).Webhooks.Rotate(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(p, hook.Raw, func() {
		p.print("%s\n\nThis is the new secret of %s. It is shown this once. For a day the one before signs too.\n", hook.Secret, hook.ID)
	})
}

type webhooksEnable struct {
	remote
	hookArg
}

// Run enables it.
func (c *webhooksEnable) Run(ctx context.Context, p *process) error {
	hook, err := c.client(p).Webhooks.Enable(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(p, hook.Raw, func() { p.print("%s is %s.\n", hook.ID, hook.Status) })
}

type webhooksDeliveries struct {
	remote
	paging
	hookArg
	Status string `help:"Only those that are: pending, succeeded or failed." enum:",pending,succeeded,failed" default:"" placeholder:"STATUS"`
}

// Run lists deliveries.
func (c *webhooksDeliveries) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Webhooks.Deliveries(ctx, c.ID, c.Status, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "event", "run", "status", "attempts", "came of it"}}
		for i := range page.Data {
			d := &page.Data[i]
			rows = append(rows, []string{d.ID, d.Event, d.Run, p.delivered(d.Status), fmt.Sprint(d.Attempts), cameOf(d)})
		}
		p.table(rows)
		more(p, page)
	})
}

// delivered colours a delivery's status.
func (p *process) delivered(status string) string {
	switch status {
	case "succeeded":
		return p.green(status)
	case "failed":
		return p.red(status)
	}
	return status
}

// cameOf says how the last attempt ended, and when the next one is due.
func cameOf(d *client.Delivery) string {
	said := "-"
	if d.ResponseStatus != 0 {
		said = fmt.Sprintf("%d in %d ms", d.ResponseStatus, d.Ms)
	}
	if d.Error != "" {
		said = oneLine(d.Error, 80)
	}
	if d.NextRetryAt != nil {
		said += ", next at " + d.NextRetryAt.UTC().Format("2006-01-02 15:04:05Z")
	}
	return said
}

type webhooksRedeliver struct {
	remote
	hookArg
	Delivery string `arg:"" name:"delivery-id" help:"Id of the delivery, as errand webhooks deliveries shows it."`
}

// Run sends it again.
func (c *webhooksRedeliver) Run(ctx context.Context, p *process) error {
	again, err := c.client(p).Webhooks.Redeliver(ctx, c.ID, c.Delivery)
	if err != nil {
		return err
	}
	return c.show(p, again.Raw, func() { p.print("%s is sent again.\n", again.ID) })
}
