package config

import (
	"cmp"
	"encoding/json"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzFile reads settings that nobody would write on purpose: no panic, no secret
// in an error, and what is accepted has been checked.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{
		"addr: 127.0.0.1:1\nmax_active: 3\n", "admin_key: ${SECRET}\n", "sql: {q: {dsn: sqlite:x.db, statement: SELECT 1, parameters: {a: string, b: {type: integer, required: true}}}}", "tools:\n  - {name: a, url: http://h/}\n",
		"endpoints: {a: {url: http://h/v1, key: ${SECRET}, model: m}}", "prices: {a/*: {input: 1e309}}", "a: &a [*a]", "&a a: *a", "a: &a {b: *a}", "<<: {addr: x}", "addr: !!binary aGVsbG8=", "max_active: 0x10", "max_active: 9999999999999999999999",
		"---\naddr: a\n---\naddr: b\n", "adr: x", "egress_allow: 10.0.0.0/8, ::1", "egress_allow: [10.0.0.0/8]", "limits: 3", "limits: {max_steps: -1}", "\t", "{", "- a", "\xff", "addr: \"\\u0000\"", "log: {level: loud}", strings.Repeat("[", 300), "? a\n: b", "addr: a\naddr: b\n",
	} {
		f.Add(seed)
	}
	env := map[string]string{"SECRET": "the-secret-of-the-environment"}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 || strings.Contains(text, "yaml") || strings.Contains(text, "/") && strings.Contains(text, "agents") {
			t.Skip()
		}
		cfg := Defaults()
		err := cfg.decodeFile("errand.yaml", []byte(text), env)
		if err == nil {
			err = cfg.check()
		}
		if err != nil {
			if strings.Contains(err.Error(), env["SECRET"]) {
				t.Errorf("%q: the error tells the secret: %v", text, err)
			}
			return
		}
		if cfg.MaxActive < 1 || cfg.Limits.MaxSteps < 0 || cfg.Addr == "" {
			t.Errorf("%q is accepted: %+v", text, cfg)
		}
	})
}

// FuzzDocument reads definitions of agents and tools: what comes out is one JSON
// value, whatever went in.
func FuzzDocument(f *testing.F) {
	for _, seed := range []string{
		"name: chaser\nmodel: auto\ninstructions: |\n  Chase.\ntools: [email.send]\napproval: {required_for: [email.send]}\n", `{"name":"a","parameters":{"type":"object","n":9007199254740993}}`, "a: &a [*a]", "a: &x {b: 1}\nc: *x", "? {a: 1}\n: b", "a: .nan", "a: .inf", "a: 2026-06-11", "a: !!binary x", "a: 1\na: 2",
		"- 1", "", "~", "\xff", "a: \"\\ud800\"", "1: 2", strings.Repeat("a: ", 50), "\u202e: 1", "%YAML 1.2\n---\na: 1\n...\n", "a: 0o17\nb: 1_000\nc: 1e309",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			t.Skip()
		}
		d, err := ReadDocument(strings.NewReader(text), "a.yaml")
		if err == nil && len(d.JSON) > 0 && !json.Valid(d.JSON) {
			t.Errorf("%q became %q", text, d.JSON)
		}
	})
}

// FuzzPrices reads files of prices: whatever one says, what is taken makes no reply
// cheaper than nothing, and names where it is from.
func FuzzPrices(f *testing.F) {
	for _, seed := range []string{
		"as_of: 2026-11-20\nprices:\n  openai/gpt-5: {input: 1.25, output: 10, cached: 0.125, window: 400000, above: {tokens: 200000, input: 2, output: 15}}\n", `{"as_of": "2026-11-20", "prices": {"local/*": {"input": 0, "output": 0, "image": 900}}}`,
		"prices: {a: {input: .nan}}", "prices: {a: {input: .inf}}", "prices: {a: {output: -0.0}}", "prices: {a: {input: 1, cached: null, written: -1}}", "prices: {a: {above: {tokens: 0}}}", "prices: {a: {above: {tokens: 1, cached: -.inf}}}", "as_of: 2026-02-30", "prices: [1]", "prices: {a: &a {input: 1}, b: *a}", "prices: &a {a: *a}", "prices: {a: {<<: *a}}", "price: {}",
		"prices: {? {a: 1} : {}}", "---\n---\nprices: {a: {input: -1}}", "prices: {a: 1}", "", "\xff", "prices: {a: {input: 1e400}}", "prices: {a: {window: 99999999999999999999}}", "prices: {\"\": {}}",
	} {
		f.Add(seed)
	}
	path := filepath.Join(f.TempDir(), "prices.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<12 {
			t.Skip()
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := Defaults()
		cfg.PricesFile = path
		err := cfg.takePrices()
		if err == nil {
			err = cfg.checkPrices()
		}
		if err != nil {
			if err.Error() == "" || !utf8.ValidString(err.Error()) && utf8.ValidString(text) {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		for model, p := range cfg.Prices {
			for _, price := range []float64{p.Input, p.Output, *cmp.Or(p.Cached, &p.Input), *cmp.Or(p.Written, &p.Input)} {
				if !(price >= 0) || math.IsInf(price, 0) {
					t.Errorf("%q: a token of %s costs %v", text, model, price)
				}
			}
			if p.Origin != "prices.yaml" || p.Window < 0 || p.Image < 0 || p.Above != nil && (p.Above.Tokens < 1 || !(p.Above.Input >= 0) || !(p.Above.Output >= 0)) {
				t.Errorf("%q: %s is %+v", text, model, p)
			}
		}
	})
}

// FuzzAddresses reads what the settings say of networks: an address is taken for this
// machine's only if nothing else reaches it, and a proxy is trusted only as written.
func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{"127.0.0.1:8420", "localhost:1", "[::1]:8420", "0.0.0.0:80", ":8420", "127.0.0.1.example.com:80", "[::ffff:127.0.0.1]:1", "[fe80::1%lo]:1", "10.0.0.0/8", "10.1.2.3/8", "::/0", "2001:db8::1", "10.0.0.0/33", "010.0.0.1", "1.2.3.4/", "LOCALHOST:1", "", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if loopback(text) {
			host, _, err := net.SplitHostPort(text)
			if ip := net.ParseIP(host); err != nil || ip == nil && !strings.EqualFold(host, "localhost") && !strings.Contains(host, "%") || ip != nil && !ip.IsLoopback() {
				t.Errorf("%q is taken for this machine's own", text)
			}
		}
		cfg := Defaults()
		cfg.TrustedProxies = List{text}
		all, err := cfg.Proxies()
		if err != nil {
			if !strings.HasPrefix(err.Error(), "trusted_proxies: ") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		at, _, _ := strings.Cut(text, "/")
		address, err := netip.ParseAddr(at)
		if len(all) != 1 || err != nil || !all[0].Contains(address.WithZone("")) || !strings.Contains(text, "/") && !all[0].IsSingleIP() {
			t.Errorf("%q trusts %v", text, all)
		}
	})
}
