package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// List returns the names of the models that the endpoint says it has.
func (c *Client) List(ctx context.Context) ([]string, error) {
	watch := remote.NewWatch(ctx, c.cfg.Timeouts)
	defer watch.Stop()
	answer, err := c.transport.RoundTrip(c.listing.WithContext(watch.Context))
	watch.Answered()
	if err != nil {
		return nil, watch.Broken(ctx, c.cfg.Name, err, problem.ModelUnavailable)
	}
	defer answer.Body.Close()
	from := &remote.Body{From: answer.Body, Watch: watch}
	if answer.StatusCode != http.StatusOK {
		return nil, c.failed(ctx, answer, from, &run.Request{})
	}
	text, err := io.ReadAll(io.LimitReader(from, remote.MaxLine))
	if err != nil {
		return nil, watch.Broken(ctx, c.cfg.Name, err, problem.ModelGarbled)
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
