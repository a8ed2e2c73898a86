package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write puts files into a fresh directory and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	cfg, err := Load(Source{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	want.Data = filepath.Join(dir, "errand-data")
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Error(diff)
	}
	if !cfg.Loopback() {
		t.Error("the default address is not loopback")
	}
}

func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	dir := write(t, map[string]string{"errand.yaml": "addr: 127.0.0.1:1\nmodel: file/m\nmax_active: 7\n"})
	cfg, err := Load(Source{
		Dir:   dir,
		Env:   []string{"ERRAND_ADDR=127.0.0.1:2", "ERRAND_MODEL=env/m", "HOME=/x"},
		Flags: map[string]string{"addr": "127.0.0.1:3", "model": ""},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(cfg.Addr, " ", cfg.Model, " ", cfg.MaxActive)
	if want := "127.0.0.1:3 env/m 7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEverySettingHasItsVariable(t *testing.T) {
	env := []string{
		"ERRAND_ADDR=[::1]:9", "ERRAND_DATA=/d", "ERRAND_STORE=sqlite", "ERRAND_PUBLIC_URL=https://e.example",
		"ERRAND_ADMIN_KEY=0123456789abcdef", "ERRAND_MODEL=m", "ERRAND_EGRESS_ALLOW=127.0.0.0/8, 10.0.0.0/8:443",
		"ERRAND_SMTP_URL=smtp://u:p@h:25", "ERRAND_SMTP_FROM=a@b", "ERRAND_MAX_ACTIVE=3", "ERRAND_TLS_CERT=/c",
		"ERRAND_TLS_KEY=/k", "ERRAND_MAX_STEPS=40", "ERRAND_PROMPT_RUNES=9000",
		"ERRAND_LOG_LEVEL=debug", "ERRAND_LOG_FORMAT=json",
		"ERRAND_URL=http://x", "ERRAND_API_KEY=k", "ERRAND_SERVICE_HOST=10.0.0.1", "ERRAND_PORT_8420_TCP=x",
	}
	got, err := Load(Source{Dir: t.TempDir(), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr: "[::1]:9", Data: "/d", Store: "sqlite", PublicURL: "https://e.example", AdminKey: "0123456789abcdef",
		Model: "m", EgressAllow: List{"127.0.0.0/8", "10.0.0.0/8:443"}, SMTPURL: "smtp://u:p@h:25", SMTPFrom: "a@b",
		MaxActive: 3, TLSCert: "/c", TLSKey: "/k", Limits: Limits{40, 9000}, Log: Log{"debug", "json"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, s := range settings() {
		if !strings.Contains(strings.Join(env, "\n"), variable(s.name)+"=") {
			t.Errorf("%s is not tried here", variable(s.name))
		}
	}
}

const wholeFile = `
admin_key: ${ADMIN}
aliases: {deep: openai/o3}
endpoints:
  local: {url: "http://127.0.0.1:8000/v1", key: "${LOCAL_KEY}"}
prices:
  local/m: {input: 1.5, output: 3, cached: 0}
egress_allow: 10.0.0.0/8
limits: {max_steps: 50, prompt_runes: 9000}
sql:
  finance.read:
    dsn: shop.db
    statement: select :status
    parameters: {status: text, days: {type: integer, description: How old.}}
    max_rows: 9
tools:
  - {name: a.b, url: "https://x.example", parameters: {type: object}}
agents: [chaser.yaml]
`

func TestFile(t *testing.T) {
	dir := write(t, map[string]string{"errand.yaml": wholeFile, "chaser.yaml": "name: chaser\nmax_steps: 8\n"})
	got, err := Load(Source{Dir: dir, Env: []string{"ADMIN=0123456789abcdef", "LOCAL_KEY=lk"}})
	if err != nil {
		t.Fatal(err)
	}
	free := 0.0
	want := Defaults()
	want.Data, want.File = filepath.Join(dir, "errand-data"), filepath.Join(dir, "errand.yaml")
	want.AdminKey = "0123456789abcdef"
	want.Aliases = map[string]string{"deep": "openai/o3"}
	want.Endpoints = map[string]Endpoint{"local": {URL: "http://127.0.0.1:8000/v1", Key: "lk"}}
	want.Prices = map[string]Price{"local/m": {Input: 1.5, Output: 3, Cached: &free}}
	want.EgressAllow, want.Limits.MaxSteps, want.Limits.PromptRunes = List{"10.0.0.0/8"}, 50, 9000
	want.SQL = map[string]Query{"finance.read": {
		DSN: Secret(filepath.Join(dir, "shop.db")), Statement: "select :status", MaxRows: 9,
		Parameters: map[string]Parameter{"status": {Type: "text"}, "days": {Type: "integer", Description: "How old."}},
	}}
	want.Tools = []Document{{Origin: want.File, JSON: json.RawMessage(`{"name": "a.b", "url": "https://x.example", "parameters": {"type": "object"}}`)}}
	want.Agents = []Document{{Origin: filepath.Join(dir, "chaser.yaml"), JSON: json.RawMessage(`{"name": "chaser", "max_steps": 8}`)}}
	compact := cmp.Transformer("compact", func(raw json.RawMessage) (value any) {
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		return value
	})
	if diff := cmp.Diff(want, got, compact); diff != "" {
		t.Error(diff)
	}
}

func TestPathsOfTheFileStartAtItsFolder(t *testing.T) {
	dir := write(t, map[string]string{"elsewhere.yaml": "data: kept", "plain.yaml": "addr: 127.0.0.1:1"})
	work := t.TempDir()
	for file, want := range map[string]string{
		"elsewhere.yaml": filepath.Join(dir, "kept"),
		"plain.yaml":     filepath.Join(work, "errand-data"),
	} {
		cfg, err := Load(Source{Dir: work, Flags: map[string]string{"config": filepath.Join(dir, file)}})
		if err != nil || cfg.Data != want {
			t.Errorf("%s: data is %s (%v), want %s", file, cfg.Data, err, want)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		env   string
		flags map[string]string
		want  []string
	}{
		"misspelt key":          {file: "adr: x", want: []string{"line 1", "adr", "did you mean addr?"}},
		"misspelt nested key":   {file: "addr: 127.0.0.1:1\nlimits:\n  max_stps: 3", want: []string{"line 3", "limits.max_stps", "max_steps"}},
		"misspelt key of entry": {file: "endpoints:\n  x:\n    uri: http://h", want: []string{"line 3", "endpoints.x.uri", "url"}},
		"key of parameter":      {file: "sql:\n  q: {dsn: a, statement: b, parameters: {p: {typ: text}}}", want: []string{"line 2", "typ", "type"}},
		"later setting":         {file: "rate_limit: 3", want: []string{"line 1", "rate_limit", "no such setting"}},
		"duplicate key":         {file: "addr: 127.0.0.1:1\naddr: 127.0.0.1:2", want: []string{"2"}},
		"not YAML":              {file: "addr: [", want: []string{"errand.yaml"}},
		"wrong type":            {file: "max_active: many", want: []string{"errand.yaml"}},
		"later variable":        {env: "ERRAND_RATE_LIMIT=3", want: []string{"ERRAND_RATE_LIMIT", "no such setting"}},
		"misspelt variable":     {env: "ERRAND_ADRR=x", want: []string{"ERRAND_ADRR", "did you mean ERRAND_ADDR?"}},
		"not a number":          {env: "ERRAND_MAX_ACTIVE=x", want: []string{"ERRAND_MAX_ACTIVE", "whole number"}},
		"flag not a number":     {flags: map[string]string{"max-active": "x"}, want: []string{"--max-active"}},
		"postgres":              {env: "ERRAND_STORE=postgres://u:hunter2@h/d", want: []string{"store", "postgres://…"}},
		"short key":             {env: "ERRAND_ADMIN_KEY=short", want: []string{"admin_key", "16"}},
		"half of TLS":           {env: "ERRAND_TLS_CERT=/c", want: []string{"tls_key"}},
		"half of mail":          {env: "ERRAND_SMTP_URL=smtp://h:25", want: []string{"smtp_from"}},
		"mail over http":        {env: "ERRAND_SMTP_URL=http://u:hunter2@h\nERRAND_SMTP_FROM=a@b", want: []string{"smtp[s]://"}},
		"no port":               {env: "ERRAND_ADDR=localhost", want: []string{"addr", "host:port"}},
		"missing reference":     {file: "admin_key: ${NOWHERE}", want: []string{"admin_key", "NOWHERE"}},
		"missing agent file":    {file: "agents: [gone.yaml]", want: []string{"gone.yaml"}},
		"missing file":          {flags: map[string]string{"config": "gone.yaml"}, want: []string{"gone.yaml"}},
		"no statement":          {file: "sql: {q: {dsn: a.db}}", want: []string{"sql.q.statement"}},
		"log level":             {env: "ERRAND_LOG_LEVEL=loud", want: []string{"log.level", "debug"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if c.file != "" {
				files["errand.yaml"] = c.file
			}
			_, err := Load(Source{Dir: write(t, files), Env: strings.Split(c.env, "\n"), Flags: c.flags})
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q shows a secret", err)
			}
		})
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	cfg := Config{AdminKey: "hunter2hunter2", SMTPURL: "smtp://u:sesame@h:25",
		Endpoints: map[string]Endpoint{"x": {Key: "xyzzy"}}, SQL: map[string]Query{"q": {DSN: "postgres://u:plugh@h/d"}}}
	encoded, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %s", cfg, cfg, cfg, cfg.AdminKey, encoded)
	for _, secret := range []string{"hunter2", "sesame", "xyzzy", "plugh"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%s is shown in %s", secret, shown)
		}
		if !strings.Contains(strings.Join(cfg.Secrets(), " "), secret) {
			t.Errorf("Secrets does not name %s", secret)
		}
	}
}

func TestLoopback(t *testing.T) {
	for addr, want := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "127.9.9.9:1": true,
		"0.0.0.0:1": false, ":1": false, "[::]:1": false, "192.168.0.1:1": false, "example.com:1": false,
	} {
		if got := (&Config{Addr: addr}).Loopback(); got != want {
			t.Errorf("Loopback(%s) = %v", addr, got)
		}
	}
}
