package app

import (
	"net/http"

	"errand/internal/api/wire"
	"errand/internal/ui"
)

// pageRoutes are the routes of the page on which people decide.
func (a *assembly) pageRoutes(family *wire.Family) []wire.Route {
	var routes []wire.Route
	for _, name := range ui.Files() {
		routes = append(routes, wire.Route{Method: http.MethodGet, Path: "/ui/" + name, Family: family, Open: true, HTTP: ui.Handler(name)})
	}
	return routes
}
