package app

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"errand/internal/config"
	"errand/internal/tool/browser"
)

// expiresSoon is when a certificate is worth a word.
const expiresSoon = 14 * 24 * time.Hour

// checkSurroundings looks at what is around the server: who can reach it, whom it may
// reach, and the programs that it uses.
func checkSurroundings(p *process, cfg *config.Config) []check {
	return []check{checkReach(p, cfg), checkEgress(cfg), checkBrowser(p, cfg)}
}

// checkReach looks at who can reach the server, and how.
func checkReach(p *process, cfg *config.Config) check {
	c := check{what: "address", how: cfg.Addr}
	switch {
	case cfg.TLSCert != "":
		pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			c.err = fmt.Errorf("reading the certificate: %w", err)
			return c
		}
		left := pair.Leaf.NotAfter.Sub(p.now())
		c.how += fmt.Sprintf(", with TLS; the certificate is good for %d days", int(left.Hours()/24))
		if c.warn = left < expiresSoon; left <= 0 {
			c.err = fmt.Errorf("the certificate has expired at %s", pair.Leaf.NotAfter.Format(time.DateOnly))
		}
	case cfg.Loopback():
		c.how += ", from this machine alone"
	case strings.HasPrefix(cfg.PublicURL, "https://"):
		c.how += ", behind a proxy that ends TLS at " + cfg.PublicURL
	default:
		c.warn, c.how = true, c.how+", from other machines and without TLS: keys can be read on the way. Set tls_cert and tls_key, or let a proxy end TLS and set public_url"
	}
	return c
}

// checkEgress tells whom tools may reach beside public addresses.
func checkEgress(cfg *config.Config) check {
	c := check{what: "egress", how: "public addresses alone"}
	if len(cfg.EgressAllow) == 0 {
		return c
	}
	c.how = "public addresses, and " + strings.Join(cfg.EgressAllow, ", ")
	metadata := netip.MustParseAddr("169.254.169.254") // where clouds keep credentials of machines
	for _, rule := range cfg.EgressAllow {
		prefix, err := netip.ParsePrefix(rule)
		switch {
		case err != nil: // with a port: narrow
		case prefix.Contains(metadata):
			c.warn, c.how = true, c.how+"; "+rule+" has the address at which clouds keep this machine's credentials: name what is needed, with its port"
		case prefix.Bits() == 0:
			c.warn, c.how = true, c.how+"; "+rule+" is every address"
		}
	}
	return c
}

// checkBrowser looks for a Chromium, and whether it may be its own sandbox.
func checkBrowser(p *process, cfg *config.Config) check {
	c := check{what: "browser"}
	path := cmp.Or(cfg.Chromium, browser.Find(config.Environment(p.env)["PATH"]))
	if path == "" {
		c.how = "no Chromium: there are no browser tools"
		return c
	}
	c.how = path
	if cfg.Chromium != "" && strings.ContainsRune(cfg.Chromium, '/') {
		if _, err := os.Stat(cfg.Chromium); err != nil {
			c.err = fmt.Errorf("ERRAND_CHROMIUM names %s, which can't be used: %w. Name the program, or leave it out to have it found", cfg.Chromium, errors.Unwrap(err))
			return c
		}
	}
	if os.Geteuid() == 0 {
		c.warn, c.how = true, c.how+", which does not start as root: run errand as a user of its own"
	} else if limit, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err == nil && strings.TrimSpace(string(limit)) == "0" {
		c.warn, c.how = true, c.how+"; this machine allows no user namespaces, which its sandbox is made of"
	}
	return c
}

func contains(text []byte, secret string) bool { return bytes.Contains(text, []byte(secret)) }
