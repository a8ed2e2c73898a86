package native

import (
	"context"
	"time"

	"errand/internal/api/wire"
	"errand/internal/run"
)

type deliveryBody struct {
	ID             string     `json:"id"`
	Object         string     `json:"object"`
	Event          string     `json:"event"`
	EventID        string     `json:"event_id"`
	Run            string     `json:"run"`
	URL            string     `json:"url"`
	Status         string     `json:"status"`
	Attempts       int        `json:"attempts"`
	ResponseStatus *int       `json:"response_status"`
	Ms             int64      `json:"ms"`
	Error          *string    `json:"error"`
	CreatedAt      time.Time  `json:"created_at"`
	AttemptedAt    *time.Time `json:"attempted_at"`
	NextRetryAt    *time.Time `json:"next_retry_at"`
}

func showDelivery(d *Delivery) deliveryBody {
	return deliveryBody{
		ID: d.ID, Object: "webhook_delivery", Event: d.Event, EventID: d.EventID, Run: runID(d.Run), URL: d.URL, Status: d.Status,
		Attempts: d.Attempts, ResponseStatus: optional(d.Code), Ms: d.Ms, Error: optional(d.Error), CreatedAt: d.Created.UTC(),
		AttemptedAt: moment(d.At), NextRetryAt: moment(d.Next),
	}
}

func (a *API) listDeliveries(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	query := r.Query()
	page := DeliveryPage{
		Status: query.OneOf("status", "pending", "succeeded", "failed"), After: query.String("starting_after"), Limit: query.Int("limit", defaultPage, 1, maxPage) + 1,
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	found, err := hooks.Deliveries(ctx, r.Caller.Project, r.Path("id"), page)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(listOf(found, page.Limit-1, showDelivery, func(d *Delivery) string { return d.ID })), nil
}

func (a *API) redeliver(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	return a.hookCommit(ctx, r, func() (wire.Response, run.Commit, error) {
		again, c, err := hooks.Redeliver(ctx, r.Caller.Project, r.Path("id"), r.Path("delivery"))
		return wire.OK(showDelivery(&again)), c, err
	})
}

// noticeBody is what a webhook gets.
type noticeBody struct {
	ID        string    `json:"id"`
	Object    string    `json:"object"`
	Type      string    `json:"type"`
	CreatedAt time.Time `json:"created_at"`
	Data      struct {
		Object runBody `json:"object"`
	} `json:"data"`
}

// Notice is the body of a webhook in this API's shape: what happened, and the run
// as it stood right after it.
func Notice(id, kind string, at time.Time, s *run.State) ([]byte, error) {
	body := noticeBody{ID: id, Object: "event", Type: kind, CreatedAt: at.UTC()}
	body.Data.Object = showRun(s)
	return wire.JSON(body)
}
