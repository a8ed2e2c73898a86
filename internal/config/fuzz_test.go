package config

import (
	"encoding/json"
	"strings"
	"testing"
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
