package app

import (
	"cmp"
	"context"

	"errand/internal/api/native"
	"errand/internal/config"
	"errand/internal/model/router"
)

// modelShelf shows the router's models to the API.
type modelShelf struct{ router *router.Router }

// Models lists what a run can name, the default first.
func (m modelShelf) Models() []native.Model {
	var all []native.Model
	for _, info := range m.router.Models(context.Background()) { // bounded by the router itself
		all = append(all, showModel(&info))
	}
	return all
}

func showModel(info *router.Info) native.Model {
	shown := native.Model{ID: info.ID, Resolves: info.Means, Provider: info.Endpoint, Window: info.Window}
	if f := info.Facts; info.Priced {
		shown.Price = &native.Price{Tariff: showTariff(f.Tariff), Origin: f.Origin, AsOf: f.AsOf}
		if f.Above != nil {
			shown.Price.Above, shown.Price.Long = f.Above.Tokens, showTariff(f.Above.Tariff)
		}
	}
	if info.Health != nil {
		health := native.Health(*info.Health)
		shown.Health = &health
	}
	return shown
}

func showTariff(t router.Tariff) native.Tariff {
	return native.Tariff{Input: t.Input, Cached: *cmp.Or(t.Cached, &t.Input), Written: *cmp.Or(t.Written, &t.Input), Output: t.Output}
}

// Try makes one small call.
func (m modelShelf) Try(ctx context.Context, name string) ([]native.Trial, error) {
	trials, err := m.router.Try(ctx, name)
	shown := make([]native.Trial, len(trials))
	for i := range trials {
		shown[i] = native.Trial(trials[i])
	}
	return shown, err
}

// factsOf is an operator's price as the router knows it.
func factsOf(p *config.Price) router.Facts {
	known := router.Facts{
		Tariff: router.Tariff{Input: p.Input, Output: p.Output, Cached: p.Cached, Written: p.Written},
		Window: p.Window, Image: p.Image, Origin: p.Origin, AsOf: p.AsOf,
	}
	if a := p.Above; a != nil {
		known.Above = &router.Above{Tokens: a.Tokens, Tariff: router.Tariff{Input: a.Input, Output: a.Output, Cached: a.Cached, Written: a.Written}}
	}
	return known
}
