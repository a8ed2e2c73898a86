package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/config"
)

type serveCommand struct {
	settingFlags
	Addr        string `help:"Where to listen (ERRAND_ADDR; default 127.0.0.1:8420)." placeholder:"HOST:PORT"`
	Store       string `help:"Where runs are kept (ERRAND_STORE; default sqlite): postgres://USER@HOST/DATABASE. A password belongs into the environment." placeholder:"URL"`
	Model       string `help:"Model that answers where a caller names none (ERRAND_MODEL)." placeholder:"PROVIDER/NAME"`
	PublicURL   string `help:"Address of the server as others see it (ERRAND_PUBLIC_URL)." placeholder:"URL"`
	EgressAllow string `help:"Networks that tools may reach although they are not public, CIDR[:port],… (ERRAND_EGRESS_ALLOW)." placeholder:"LIST"`
	MaxActive   string `help:"Runs that are driven at once (ERRAND_MAX_ACTIVE; default 1000)." placeholder:"N"`
	TLSCert     string `name:"tls-cert" help:"Certificate, PEM (ERRAND_TLS_CERT)." placeholder:"FILE"`
	TLSKey      string `name:"tls-key" help:"Its key, PEM (ERRAND_TLS_KEY)." placeholder:"FILE"`
	LogFormat   string `help:"text or json (ERRAND_LOG_FORMAT)." placeholder:"FORMAT"`
}

// Help is the command's longer help.
func (serveCommand) Help() string {
	return `Examples:

  errand serve
  OPENAI_API_KEY=sk-… errand serve
  OPENAI_BASE_URL=http://127.0.0.1:8000/v1 ERRAND_MODEL=openai/my-model errand serve
  ERRAND_ADMIN_KEY=… errand serve --addr 0.0.0.0:8420 --data /var/lib/errand

Secrets are set by environment or file: ERRAND_ADMIN_KEY (16 characters or more),
ERRAND_SMTP_URL (smtp[s]://user:password@host:port, with ERRAND_SMTP_FROM), and the
keys of model providers: OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY,
DEEPSEEK_API_KEY, GROQ_API_KEY, MISTRAL_API_KEY, TOGETHER_API_KEY.

The first start prints a key. Ctrl-C stops: calls under way may finish for up to
10 seconds, and what did not finish goes on at the next start.`
}

func (c *serveCommand) flags() map[string]string {
	flags := c.settingFlags.flags()
	for name, value := range map[string]string{
		"addr": c.Addr, "store": c.Store, "model": c.Model, "public-url": c.PublicURL, "egress-allow": c.EgressAllow,
		"max-active": c.MaxActive, "tls-cert": c.TLSCert, "tls-key": c.TLSKey, "log-format": c.LogFormat,
	} {
		flags[name] = value
	}
	return flags
}

// settings reads the settings; what is wrong with them is a fault of usage.
func (p *process) settings(flags map[string]string) (config.Config, error) {
	cfg, err := config.Load(config.Source{Flags: flags, Env: p.env})
	if err != nil {
		return cfg, usage(err)
	}
	return cfg, nil
}

// settling is how long after the start what only the start has used is forgotten:
// the first requests come right behind it and use some of it.
const settling = 500 * time.Millisecond

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, p *process) error {
	cfg, err := p.settings(c.flags())
	if err != nil {
		return err
	}
	guest := rand.Text()
	a, err := assemble(ctx, p, cfg, options{guest: guest})
	if err != nil {
		return err
	}
	secret, listener, err := a.open(ctx)
	if err != nil {
		return errors.Join(err, a.close())
	}
	if err := a.begin(ctx, guest); err != nil {
		return errors.Join(err, listener.Close(), a.close())
	}
	server := wire.NewHTTPServer(newFront(&a.cfg, a.wire), a.logger)
	served := make(chan error, 1)
	go func() { served <- a.serve(server, listener) }()
	unprofile, err := a.profile()
	if err != nil {
		return errors.Join(err, a.stop(server), <-served)
	}
	a.logger.Debug("ready", "addr", listener.Addr().String(), "data", cfg.Data, "model", a.answering())
	link, err := p.signLink(ctx, a, secret != "")
	if err != nil {
		return errors.Join(err, a.stop(server), <-served)
	}
	p.banner(a, listener.Addr(), shown{secret: secret, link: link})
	var beside sync.WaitGroup
	if a.looks() {
		beside.Go(func() { a.lookForOllama(ctx) })
	}
	tending, cancel := context.WithCancel(ctx)
	defer cancel()
	if config.Environment(p.env)["GOGC"] == "" {
		beside.Go(func() { new(collector).tend(tending) })
	}
	settled := time.AfterFunc(settling, forgetPages)
	defer settled.Stop()
	select {
	case <-ctx.Done():
		a.logger.Info("stopping: calls under way may finish", "for", drainTime)
		err = a.stop(server)
		<-served
	case err = <-served:
		err = errors.Join(err, a.stop(server))
	}
	cancel()
	beside.Wait()
	return errors.Join(err, unprofile())
}

// open makes sure that there is a key, and listens. The secret is not empty when
// the key is new.
func (a *assembly) open(ctx context.Context) (secret string, _ net.Listener, err error) {
	if !a.cfg.Loopback() && a.cfg.AdminKey == "" {
		empty, err := a.keys.Empty(ctx)
		if err != nil {
			return "", nil, err
		}
		if empty {
			return "", nil, usage(fmt.Errorf("%s can be reached by others, and no key is configured: "+
				"set ERRAND_ADMIN_KEY to 16 characters or more, or start once with --addr 127.0.0.1:8420", a.cfg.Addr))
		}
	}
	if a.cfg.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(a.cfg.TLSCert, a.cfg.TLSKey); err != nil {
			return "", nil, fmt.Errorf("reading the certificate: %w", err)
		}
	}
	listener, err := net.Listen("tcp", a.cfg.Addr)
	if err != nil {
		return "", nil, fmt.Errorf("listening on %s: %w", a.cfg.Addr, err)
	}
	secret, err = a.keys.EnsureAdmin(ctx, a.cfg.AdminKey.Reveal())
	if err != nil {
		return "", nil, errors.Join(err, listener.Close())
	}
	if secret != "" {
		a.redactor.Add([]string{secret})
	}
	return secret, listener, nil
}

// begin saves the agents of the settings and takes earlier runs over.
func (a *assembly) begin(ctx context.Context, guest string) error {
	if len(a.cfg.Agents) > 0 {
		inner := a.serveInside(guest)
		if err := errors.Join(inner.loadAgents(ctx), inner.detach()); err != nil {
			return err
		}
	}
	return a.start(ctx)
}

// serve answers until the server is closed.
func (a *assembly) serve(server *http.Server, listener net.Listener) error {
	var err error
	listener = a.wire.Guard(listener, wire.Door{Most: mostConnections(), Secure: a.cfg.TLSCert != ""})
	if a.cfg.TLSCert != "" {
		err = server.ServeTLS(listener, a.cfg.TLSCert, a.cfg.TLSKey)
	} else {
		err = server.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving: %w", err)
}

// shown is what a start shows this once.
type shown struct {
	secret string // of the admin key, when it is new
	link   string // the token of a link that signs in as the admin
}

// signLink makes a link that signs in as the admin, where it is not written to a file
// or a log: for the person at the terminal, and at the first start, which shows the key.
func (p *process) signLink(ctx context.Context, a *assembly, first bool) (string, error) {
	if !first && !p.reads() {
		return "", nil
	}
	return a.keys.AdminLink(ctx)
}

// banner says where the server is, where it keeps its data, and what answers.
func (p *process) banner(a *assembly, addr net.Addr, once shown) {
	scheme := "http"
	if a.cfg.TLSCert != "" {
		scheme = "https"
	}
	host := addr.String()
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		host = fmt.Sprintf("localhost:%d", tcp.Port) // every address, this one among them
	}
	url := cmp.Or(strings.TrimRight(a.cfg.PublicURL, "/"), scheme+"://"+host+a.cfg.BasePath)
	data, err := filepath.Abs(a.cfg.Data)
	if err != nil {
		data = a.cfg.Data
	}
	model := a.answering()
	if model == "offline" {
		model = "offline, which is no language model: set OPENAI_API_KEY or OPENAI_BASE_URL, or start Ollama"
	}
	p.print("%s\n\n", p.bold("Errand "+version()+" is ready"))
	p.print("  API     %s (reference: %s/docs)\n", url, url)
	if once.link != "" {
		p.print("  Page    %s/ui/#link=%s\n          signs in once, within %d minutes; errand link prints another one\n", url, once.link, int(auth.LinkLife.Minutes()))
	} else {
		p.print("  Page    %s/ui/\n", url)
	}
	p.print("  Data    %s\n", data)
	p.print("  Model   %s\n", model)
	if once.secret != "" {
		p.print("  Key     %s\n          shown this once: keep it, for example with export ERRAND_API_KEY=…\n", p.bold(once.secret))
	}
	p.print("\nCtrl-C stops it; runs go on at the next start.\n")
}
