package openai

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// wireFailure is a provider error that came where an answer should be.
type wireFailure struct{ body []byte }

// failedWith keeps the error when the reader that brought it reads for others.
func failedWith(body []byte) *wireFailure { return &wireFailure{body: bytes.Clone(body)} }

func (*wireFailure) Error() string { return "the provider reports an error" }

// failed explains an answer whose status is not 200.
func (c *Client) failed(ctx context.Context, answer *http.Response, from *remote.Body, req *run.Request) error {
	from.Watch.Wait = c.cfg.Timeouts.Silence
	text, err := io.ReadAll(io.LimitReader(from, remote.MaxError))
	if err != nil && ctx.Err() != nil {
		return from.Watch.Broken(ctx, c.cfg.Name, err, problem.ModelUnavailable)
	}
	return c.judge(answer.StatusCode, text, answer.Header, req)
}

// judge makes the typed error of a provider error, or the refusal of a parameter
// that may be left out.
func (c *Client) judge(status int, body []byte, header http.Header, req *run.Request) error {
	said := remote.ParseFailure(body)
	// Inside an answer it is too late to ask again: something may have been shown.
	if header != nil && (status == http.StatusBadRequest || status == http.StatusUnprocessableEntity) {
		if param := refusedParam(said, req); param != "" {
			return &refusal{param: param, message: c.place.Quote(said.Message)}
		}
	}
	return c.place.Judge(status, said, header, req.Model)
}
