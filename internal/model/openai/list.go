package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"errand/internal/problem"
	"errand/internal/run"
)

// List returns the names of the models that the endpoint says it has.
func (c *Client) List(ctx context.Context) ([]string, error) {
	watch := newWatch(ctx, c.cfg.Timeouts)
	defer watch.stop()
	answer, err := c.transport.RoundTrip(c.listing.WithContext(watch.ctx))
	watch.timer.Stop()
	if err != nil {
		return nil, c.broken(ctx, watch, err, problem.ModelUnavailable)
	}
	defer answer.Body.Close()
	from := &body{from: answer.Body, watch: watch}
	if answer.StatusCode != http.StatusOK {
		return nil, c.failed(ctx, answer, from, &run.Request{})
	}
	text, err := io.ReadAll(io.LimitReader(from, maxLine))
	if err != nil {
		return nil, c.broken(ctx, watch, err, problem.ModelGarbled)
	}
	var page struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(text, &page); err != nil {
		return nil, problem.New(problem.ModelGarbled, "The list of models of %s can't be read.", c.cfg.Name).Because(fmt.Errorf("decoding the list: %w", err))
	}
	names := make([]string, 0, len(page.Data))
	for _, model := range page.Data {
		if model.ID != "" {
			names = append(names, model.ID)
		}
	}
	return names, nil
}
