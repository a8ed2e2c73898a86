package webhook

import (
	"context"

	"errand/internal/run"
)

// Traces are the rows that are about one run alone: how far it has been told, and
// what was, or is to be, sent about it.
func (h *Hub) Traces(ctx context.Context, project string, id run.ID) ([]run.Row, error) {
	rows := []run.Row{{Kind: markerKind, Project: project, ID: id.String()}}
	endpoints, err := h.Endpoints(ctx, project, "", 0)
	if err != nil {
		return nil, err
	}
	for _, e := range append(endpoints, Endpoint{ID: Own}) {
		prefix := prefixOf(e.ID) + id.String()
		err := h.below(ctx, project, prefix, prefix+"~", func(d *Delivery) (bool, error) {
			rows = append(rows, run.Row{Kind: deliveryKind, Project: project, ID: d.ID})
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rows, nil
}
