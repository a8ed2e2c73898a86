package app

import (
	"net/http"

	"errand/internal/api/wire"
	"errand/internal/ui"
)

// pageRoutes are the routes of Mission Control.
func (a *assembly) pageRoutes(family *wire.Family) ([]wire.Route, error) {
	site, err := ui.New(a.cfg.BasePath)
	if err != nil {
		return nil, err
	}
	return []wire.Route{
		{Method: http.MethodGet, Path: "/ui", Family: family, Open: true, HTTP: http.RedirectHandler("/ui/", http.StatusPermanentRedirect)},
		{Method: http.MethodGet, Path: "/ui/{path...}", Family: family, Open: true, HTTP: site},
	}, nil
}
