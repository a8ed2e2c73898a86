package native

import (
	"context"

	"errand/internal/api/wire"
)

// modelBody is a name that a run or an agent can give as its model.
type modelBody struct {
	ID       string  `json:"id"`
	Object   string  `json:"object"`
	OwnedBy  string  `json:"owned_by"` // the provider
	Resolves *string `json:"resolves_to"`
	Window   *int    `json:"context_window"`
}

func showModel(m *Model) modelBody {
	return modelBody{
		ID: m.ID, Object: "model", OwnedBy: m.Provider, Resolves: optional(m.Resolves), Window: optional(m.Window),
	}
}

// listModels lists all names at once: they are few, and come from settings.
func (a *API) listModels(context.Context, *wire.Request) (wire.Response, error) {
	all := a.cfg.Models.Models()
	return wire.OK(listOf(all, len(all)+1, showModel, func(last *Model) string { return last.ID })), nil
}
