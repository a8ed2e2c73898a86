package app

import (
	"context"
	"io"
	"strings"

	"errand/internal/api/webagent"
	"errand/internal/file"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/webhook"
)

// newWebagent makes the WebAgent API.
func (a *assembly) newWebagent() (*webagent.API, error) {
	return webagent.New(webagent.Config{
		Engine: a.engine, Rows: a.store, Lines: a.store, Models: a.models, Catalog: a.catalog(),
		Webhooks: runHooks{a.hooks}, Screenshots: pictures{a.files}, MaxPrompt: a.cfg.Limits.PromptRunes,
		Open: a.cfg.WebAgent.Open, Now: a.now,
	})
}

// runHooks are the webhooks of single runs.
type runHooks struct{ hub *webhook.Hub }

// Check reports why nothing would be sent to the URL.
func (r runHooks) Check(_ context.Context, url string) error {
	err := r.hub.CheckURL(url)
	if told := problem.From(err); err != nil && told.Fields["url"] != "" {
		return problem.New(told.Code, "%s", told.Fields["url"])
	}
	return err
}

// Delivery is what has come of the run's last event.
func (r runHooks) Delivery(ctx context.Context, project string, id run.ID) (*webagent.Delivery, error) {
	// Deliveries come newest run first, and their ids have the run's: the first one
	// up to the last that this run could have is its last, if it has any.
	last := "del_" + webhook.Own + "_" + id.String() + "~"
	found, err := r.hub.Deliveries(ctx, project, webhook.Own, webhook.Page{After: last, Limit: 1})
	if err != nil || len(found) == 0 || found[0].Run != id || found[0].Attempts == 0 {
		return nil, err
	}
	d := &found[0]
	sent := &webagent.Delivery{Success: d.Status == webhook.Succeeded, Status: d.Code, Message: d.Error}
	if sent.Success && sent.Message == "" {
		sent.Message = "Delivered."
	}
	return sent, nil
}

// maxPicture bounds a screenshot that goes into an answer, in bytes: a page of
// usual size takes a tenth of it.
const maxPicture = 8 << 20

// pictures reads screenshots.
type pictures struct{ files *file.Store }

// PNG returns a file's content; nothing when it is there no more.
func (p pictures) PNG(ctx context.Context, project, id string) ([]byte, error) {
	info, content, err := p.files.Open(ctx, project, id)
	if problem.Is(err, problem.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer content.Close()
	if !strings.HasPrefix(info.Type, "image/png") {
		return nil, nil
	}
	return io.ReadAll(io.LimitReader(content, maxPicture))
}
