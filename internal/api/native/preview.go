package native

import (
	"cmp"
	"context"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// previewIn is what of a schedule says when, while somebody is writing it.
type previewIn struct {
	Cron   *string  `json:"cron"`
	Every  *string  `json:"every"`
	Times  []string `json:"times"`
	Days   []string `json:"days"`
	Daemon *bool    `json:"daemon"`
	TZ     *string  `json:"tz"`
	Count  *int     `json:"count"`
}

// previewBody is when a schedule would fire. A daemon has no times.
type previewBody struct {
	Object string      `json:"object"`
	TZ     string      `json:"tz"`
	Next   []time.Time `json:"next_runs"`
}

const (
	defaultPreview = 5
	maxPreview     = 50
)

// previewSchedule says when a schedule would fire if it were saved now, or what is
// wrong with it. It saves nothing.
func (a *API) previewSchedule(_ context.Context, r *wire.Request, book Schedules) (wire.Response, error) {
	var in previewIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	count := defaultPreview
	if in.Count != nil {
		count = *in.Count
	}
	if count < 1 || count > maxPreview {
		return wire.Response{}, problem.Invalid("count", "must be from 1 to %d.", maxPreview)
	}
	next, err := book.Preview(ScheduleDefinition{
		Cron: value(in.Cron), Every: value(in.Every), Times: in.Times, Days: in.Days, Daemon: in.Daemon != nil && *in.Daemon, TZ: value(in.TZ),
	}, count)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(previewBody{Object: "schedule_preview", TZ: cmp.Or(value(in.TZ), "UTC"), Next: append([]time.Time{}, next...)}), nil
}
