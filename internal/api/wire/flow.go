package wire

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// flow writes an answer that is too large to be made before it is sent. A client that
// takes nothing for as long as a stream's may is let go.
type flow struct {
	recorder
	controller *http.ResponseController
	deadline   time.Time
	now        func() time.Time
}

func (f *flow) Write(p []byte) (int, error) {
	if now := f.now(); f.deadline.Sub(now) < writePatience {
		f.deadline = now.Add(writePatience + writeSlack)
		_ = f.controller.SetWriteDeadline(f.deadline) // a test's writer has none
	}
	n, err := f.recorder.Write(p)
	if err == nil {
		err = f.controller.Flush()
	}
	f.sent.failed = f.sent.failed || err != nil
	return n, err
}

// sendFlow writes an answer as it goes. What fails before the first byte is an error
// like any other; after it the connection is cut, so that nobody takes the part for
// the whole.
func (r *Request) sendFlow(ctx context.Context, answer Response) error {
	header := r.writer.Header()
	r.familyHeaders(header)
	for name, values := range answer.Header {
		header[name] = values
	}
	if r.http.Method == http.MethodHead {
		r.sent.status = http.StatusOK
		r.writer.WriteHeader(http.StatusOK)
		return nil
	}
	out := &flow{recorder: recorder{ResponseWriter: r.writer, sent: &r.sent}, controller: http.NewResponseController(r.writer), now: r.server.cfg.Now}
	err := answer.Flow(ctx, out)
	if err == nil {
		return nil
	}
	if r.sent.status == 0 {
		for name := range answer.Header {
			header.Del(name)
		}
		return err
	}
	if !r.sent.failed && !errors.Is(err, context.Canceled) {
		r.server.cfg.Logger.LogAttrs(ctx, slog.LevelError, "an answer was cut off", slog.String("request_id", r.ID), slog.Any("error", err))
	}
	panic(http.ErrAbortHandler)
}
