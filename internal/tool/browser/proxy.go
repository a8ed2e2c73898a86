package browser

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"errand/internal/egress"
)

const (
	// maxBody is how long one plain answer may be. What comes through a tunnel is
	// Chromium's own to bound; it keeps nothing on disk.
	maxBody = 64 << 20
	// maxReasons bounds what is remembered of failed connections.
	maxReasons = 256
	// idleConnection is how long a plain connection is kept for the next request of
	// a page.
	idleConnection = 15 * time.Second
	headerTimeout  = 10 * time.Second
)

// proxy is the only way out of the browser: HTTP, and tunnels for HTTPS and
// WebSocket. Every address is checked when it is dialed.
type proxy struct {
	guard    *egress.Guard
	listener net.Listener
	server   *http.Server
	client   *http.Client // its transport is all that is used
	done     chan struct{}

	mu      sync.Mutex
	closed  bool
	open    map[net.Conn]bool
	tunnels sync.WaitGroup
	reasons map[string]error // by host:port, why the last connection failed
}

// newProxy listens on a port of loopback.
func newProxy(guard *egress.Guard) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("opening the browser's proxy: %w", err)
	}
	p := &proxy{
		guard: guard, listener: listener, done: make(chan struct{}),
		client: guard.Client(egress.Options{MaxBody: maxBody, KeepAlive: idleConnection}),
		open:   map[net.Conn]bool{}, reasons: map[string]error{},
	}
	quiet := log.New(io.Discard, "", 0) // what goes wrong is told to the model, by the browser
	forward := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport: p.client.Transport, FlushInterval: -1, ErrorLog: quiet,
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			p.failed(egress.HostPort(r.URL), err)
			panic(http.ErrAbortHandler) // so that the browser sees a failure, and no page of ours
		},
	}
	p.server = &http.Server{ReadHeaderTimeout: headerTimeout, ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			p.tunnel(w, r)
		case r.URL.Scheme == "http" && r.URL.Host != "":
			forward.ServeHTTP(w, r)
		default:
			http.Error(w, "This is a proxy for a browser.", http.StatusBadRequest)
		}
	})}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(listener) // ends with Close
	}()
	return p, nil
}

// address is what the browser is given.
func (p *proxy) address() string { return "http://" + p.listener.Addr().String() }

// tunnel connects the browser with an address that may be called.
func (p *proxy) tunnel(w http.ResponseWriter, r *http.Request) {
	there, err := p.guard.Dial(r.Context(), "tcp", r.Host)
	if err != nil {
		p.failed(r.Host, err)
		http.Error(w, "This address can't be reached.", http.StatusForbidden)
		return
	}
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = there.Close()
		return
	}
	if !p.keep(here, there) {
		return
	}
	defer p.tunnels.Done()
	_, err = io.WriteString(here, "HTTP/1.1 200 Connection established\r\n\r\n")
	if err == nil {
		back := make(chan struct{})
		go func() {
			defer close(back)
			_, _ = io.Copy(here, there)
			_ = here.Close()
		}()
		_, _ = io.Copy(there, buffered) // what one side has to say about its end, the other hears as an end
		_ = there.Close()
		<-back
	}
	p.drop(here, there)
}

// keep notes a tunnel's connections so that close can end them. After close it
// ends them itself.
func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
			continue
		}
		p.open[c] = true
	}
	if !p.closed {
		p.tunnels.Add(1)
	}
	return !p.closed
}

func (p *proxy) drop(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
		delete(p.open, c)
	}
}

// failed notes why an address was not reached.
func (p *proxy) failed(hostPort string, err error) {
	if errors.Is(err, context.Canceled) {
		return // by the browser
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.reasons) >= maxReasons {
		clear(p.reasons)
	}
	p.reasons[hostPort] = err
}

// why returns what came between the browser and an address, or nil.
func (p *proxy) why(hostPort string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reasons[hostPort]
}

// close ends all connections and waits for whoever serves them.
func (p *proxy) close() {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	_ = p.server.Close()
	<-p.done
	p.tunnels.Wait()
	p.client.CloseIdleConnections()
}
