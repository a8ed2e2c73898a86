package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"

	"errand/client"
	"errand/internal/api/wire"
	"errand/internal/config"
)

// inside is a whole server inside this process, with a client of it. It has no
// port, and its only new key is the client's own.
type inside struct {
	*assembly
	api    *client.Client
	server *http.Server
	served chan error
	http   *http.Transport
}

// openInside starts one on the settings' data directory.
func openInside(ctx context.Context, p *process, cfg config.Config, o options) (*inside, error) {
	o.guest, o.name = rand.Text(), cmp.Or(p.variable("USER"), "someone")+" at the terminal"
	a, err := assemble(ctx, p, cfg, o)
	if err != nil {
		return nil, err
	}
	if !o.offline && a.looks() {
		a.lookForOllama(ctx)
	}
	if err := a.start(ctx); err != nil {
		return nil, errors.Join(err, a.close())
	}
	l := a.serveInside(o.guest)
	if err := l.loadAgents(ctx); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// serveInside answers requests of this process.
func (a *assembly) serveInside(key string) *inside {
	listener := newPipes()
	l := &inside{assembly: a, server: wire.NewHTTPServer(a.wire, a.logger), served: make(chan error, 1), http: listener.transport()}
	go func() { l.served <- l.server.Serve(listener) }()
	l.api = client.New("http://errand.internal", key, client.WithHTTPClient(&http.Client{Transport: l.http}))
	return l
}

// loadAgents saves the agents of the settings, as if they had been sent.
func (l *inside) loadAgents(ctx context.Context) error {
	for _, document := range l.cfg.Agents {
		if _, err := saveAgent(ctx, l.api, document.JSON); err != nil {
			return fmt.Errorf("%s: %w", document.Origin, err)
		}
	}
	return nil
}

// detach ends the inner server and its key, and keeps the assembly.
func (l *inside) detach() error {
	l.guest.left.Store(true)
	l.http.CloseIdleConnections()
	err := l.server.Close()
	<-l.served
	return err
}

// close drains and ends everything.
func (l *inside) close() error {
	l.http.CloseIdleConnections()
	err := l.stop(l.server)
	<-l.served
	return err
}
