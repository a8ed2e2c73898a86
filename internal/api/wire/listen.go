package wire

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	headerPatience = 10 * time.Second // for the head of a request
	idlePatience   = 2 * time.Minute  // between requests: longer than the minute of usual proxies
	maxHeaderBytes = 64 << 10         // a key, an id and a trace need a few hundred
)

// connKey finds a request's connection in its context.
type connKey struct{}

// NewHTTPServer returns a server with the limits that keep slow and greedy
// clients from tying it up: streams may last for ever, heads and bodies may not.
func NewHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerPatience,
		IdleTimeout:       idlePatience,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			if outer, ok := conn.(interface{ NetConn() net.Conn }); ok { // TLS, or strict
				conn = outer.NetConn()
			}
			return context.WithValue(ctx, connKey{}, conn)
		},
	}
}
