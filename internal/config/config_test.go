package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// TestEmptyFile: a file that says nothing changes nothing.
func TestEmptyFile(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n", "---\n"} {
		dir := write(t, map[string]string{"errand.yaml": text})
		want := Defaults()
		want.Data, want.File = filepath.Join(dir, "errand-data"), filepath.Join(dir, "errand.yaml")
		cfg, err := Load(Source{Dir: dir})
		if diff := cmp.Diff(want, cfg); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
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
	prices := filepath.Join(write(t, map[string]string{"p.yaml": "prices: {}"}), "p.yaml")
	env := []string{
		"ERRAND_ADDR=[::1]:9", "ERRAND_PRICES=" + prices, "ERRAND_DATA=/d", "ERRAND_STORE=postgres://u:p@h:5/d", "ERRAND_QUEUES=run, timer", "ERRAND_PUBLIC_URL=https://e.example",
		"ERRAND_ADMIN_KEY=0123456789abcdef", "ERRAND_MODEL=m", "ERRAND_EGRESS_ALLOW=127.0.0.0/8, 10.0.0.0/8:443",
		"ERRAND_SEARCH=brave, index", "ERRAND_SEARXNG_URL=http://s:8", "BRAVE_API_KEY=bk", "YDC_API_KEY=yk", "EXA_API_KEY=",
		"ERRAND_SMTP_URL=smtp://u:p@h:25", "ERRAND_SMTP_FROM=a@b", "ERRAND_MAX_ACTIVE=3", "ERRAND_RATE_LIMIT=600", "ERRAND_RETENTION_DAYS=90", "ERRAND_PPROF=[::1]:6060", "ERRAND_METRICS=key", "ERRAND_TLS_CERT=/c",
		"ERRAND_TLS_KEY=/k", "ERRAND_MAX_STEPS=40", "ERRAND_PROMPT_RUNES=9000", "ERRAND_FILES_MB=20", "ERRAND_INDEX_MB=0",
		"ERRAND_LOG_LEVEL=debug", "ERRAND_LOG_FORMAT=json", "ERRAND_YOU_ANSWER_TYPE=chat_node.answer", "ERRAND_WEBAGENT_OPEN=1",
		"ERRAND_CHROMIUM=/c/chromium", "ERRAND_BASE_PATH=/errand", "ERRAND_TRUSTED_PROXIES=10.0.0.0/8, ::1", "ERRAND_CORS_ORIGINS=https://a.example, http://localhost:3000", "ERRAND_FALLBACK=a/b, c/d", "ERRAND_URL=http://x", "ERRAND_API_KEY=k", "ERRAND_SERVICE_HOST=10.0.0.1", "ERRAND_PORT_8420_TCP=x",
	}
	got, err := Load(Source{Dir: t.TempDir(), Env: env})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Addr: "[::1]:9", PricesFile: prices, Data: "/d", Store: "postgres://u:p@h:5/d", Queues: List{"run", "timer"}, PublicURL: "https://e.example", AdminKey: "0123456789abcdef",
		Search: List{"brave", "index"}, SearXNGURL: "http://s:8", SearchKeys: map[string]Secret{"brave": "bk", "you": "yk"},
		Model: "m", Fallbacks: map[string]List{"*": {"a/b", "c/d"}}, EgressAllow: List{"127.0.0.0/8", "10.0.0.0/8:443"}, SMTPURL: "smtp://u:p@h:25", SMTPFrom: "a@b",
		MaxActive: 3, RateLimit: 600, RetentionDays: 90, Pprof: "[::1]:6060", Metrics: "key", TLSCert: "/c", TLSKey: "/k", Limits: Limits{40, 9000, 20, 0}, Log: Log{"debug", "json"}, You: You{"chat_node.answer"}, WebAgent: WebAgent{true}, Chromium: "/c/chromium", BasePath: "/errand", TrustedProxies: List{"10.0.0.0/8", "::1"}, CORSOrigins: List{"https://a.example", "http://localhost:3000"},
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
search: [index, brave]
search_keys: {brave: "${BRAVE}", exa: file}
endpoints:
  local: {url: "http://127.0.0.1:8000/v1", key: "${LOCAL_KEY}", kind: vllm}
  openai: {max_concurrent: 20, requests_per_minute: 500}
fallbacks:
  local/m: [openai/gpt-5-mini, offline]
  "*": openai/gpt-5-mini
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
	got, err := Load(Source{Dir: dir, Env: []string{"ADMIN=0123456789abcdef", "LOCAL_KEY=lk", "BRAVE=bk", "EXA_API_KEY=env"}})
	if err != nil {
		t.Fatal(err)
	}
	free := 0.0
	want := Defaults()
	want.Data, want.File = filepath.Join(dir, "errand-data"), filepath.Join(dir, "errand.yaml")
	want.AdminKey = "0123456789abcdef"
	want.Search, want.SearchKeys = List{"index", "brave"}, map[string]Secret{"brave": "bk", "exa": "env"}
	want.Aliases = map[string]string{"deep": "openai/o3"}
	want.Endpoints = map[string]Endpoint{
		"local":  {URL: "http://127.0.0.1:8000/v1", Key: "lk", Kind: "vllm"},
		"openai": {MaxConcurrent: 20, RequestsPerMinute: 500},
	}
	want.Fallbacks = map[string]List{"local/m": {"openai/gpt-5-mini", "offline"}, "*": {"openai/gpt-5-mini"}}
	want.Prices = map[string]Price{"local/m": {Input: 1.5, Output: 3, Cached: &free, Origin: "errand.yaml"}}
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
		"later setting":         {file: "cluster: 3", want: []string{"line 1", "cluster", "no such setting"}},
		"duplicate key":         {file: "addr: 127.0.0.1:1\naddr: 127.0.0.1:2", want: []string{"2"}},
		"not YAML":              {file: "addr: [", want: []string{"errand.yaml"}},
		"wrong type":            {file: "max_active: many", want: []string{"errand.yaml"}},
		"later variable":        {env: "ERRAND_CLUSTER=3", want: []string{"ERRAND_CLUSTER", "no such setting"}},
		"misspelt variable":     {env: "ERRAND_ADRR=x", want: []string{"ERRAND_ADRR", "did you mean ERRAND_ADDR?"}},
		"not a number":          {env: "ERRAND_MAX_ACTIVE=x", want: []string{"ERRAND_MAX_ACTIVE", "whole number"}},
		"flag not a number":     {flags: map[string]string{"max-active": "x"}, want: []string{"--max-active"}},
		"another database":      {env: "ERRAND_STORE=mysql://u:hunter2@h/d", want: []string{"store", "mysql://…", "postgres://"}},
		"profiles for all":      {env: "ERRAND_PPROF=:6060", want: []string{"pprof", ":6060", "127.0.0.1:6060"}},
		"figures for whom":      {env: "ERRAND_METRICS=all", want: []string{"metrics", "all", "near", "open"}},
		"profiles nowhere":      {env: "ERRAND_PPROF=6060", want: []string{"pprof", "host:port"}},
		"short key":             {env: "ERRAND_ADMIN_KEY=short", want: []string{"admin_key", "16"}},
		"search key of none":    {file: "search_keys: {barve: x}", want: []string{"search_keys.barve", "did you mean brave?"}},
		"search engine's URL":   {env: "ERRAND_SEARXNG_URL=hunter2", want: []string{"searxng_url", "http://127.0.0.1:8888"}},
		"name of an answer":     {file: "you: {answer_type: answer}", want: []string{"you.answer_type", "chat_node.answer"}},
		"half of TLS":           {env: "ERRAND_TLS_CERT=/c", want: []string{"tls_key"}},
		"half of mail":          {env: "ERRAND_SMTP_URL=smtp://h:25", want: []string{"smtp_from"}},
		"mail over http":        {env: "ERRAND_SMTP_URL=http://u:hunter2@h\nERRAND_SMTP_FROM=a@b", want: []string{"smtp[s]://"}},
		"a queue of none":       {env: "ERRAND_QUEUES=runs\nERRAND_STORE=postgres://h/d", want: []string{"queues", "runs", "run, browser, webhook, timer"}},
		"queues of SQLite":      {env: "ERRAND_QUEUES=run", want: []string{"queues", "store"}},
		"origin with a path":    {file: "cors_origins: https://a.example/", want: []string{"cors_origins", "https://a.example/"}},
		"any and one origin":    {env: "ERRAND_CORS_ORIGINS=*,https://a.example", want: []string{"cors_origins", `"*"`}},
		"no origin":             {env: "ERRAND_CORS_ORIGINS=null", want: []string{"cors_origins", "null"}},
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
	cfg := Config{AdminKey: "hunter2hunter2", SMTPURL: "smtp://u:sesame@h:25", SearXNGURL: "http://u:sesame@h", SearchKeys: map[string]Secret{"exa": "xyzzy"},
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

func TestMCPServers(t *testing.T) {
	dir := write(t, map[string]string{"errand.yaml": `mcp:
  crm: {url: "https://crm.example/mcp?key=${KEY}", token: "${KEY}", headers: {X-Key: "${KEY}"}, effects: {"*": safe}, timeout: 5}
  own: {command: ./server, args: [a, "b c"], env: {TOKEN: "${KEY}"}, scope: "context:crm"}
  npm: {command: npx}
`})
	cfg, err := Load(Source{Dir: dir, Env: []string{"KEY=a-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]MCPServer{
		"crm": {URL: "https://crm.example/mcp?key=a-secret", Token: "a-secret", Headers: map[string]Secret{"X-Key": "a-secret"}, Effects: map[string]string{"*": "safe"}, Timeout: 5},
		"own": {Command: filepath.Join(dir, "server"), Args: []string{"a", "b c"}, Env: map[string]Secret{"TOKEN": "a-secret"}, Scope: "context:crm"},
		"npm": {Command: "npx"},
	}
	if diff := cmp.Diff(want, cfg.MCP); diff != "" {
		t.Error(diff)
	}
	if shown, err := json.Marshal(cfg.MCP); err != nil || strings.Contains(string(shown), "a-secret") || strings.Contains(fmt.Sprintf("%v %+v %#v", cfg.MCP, cfg.MCP, cfg.MCP), "a-secret") {
		t.Errorf("a secret is shown: %s, %v", shown, err)
	}
	if found := strings.Join(cfg.Secrets(), " "); !strings.Contains(found, "a-secret") {
		t.Errorf("the log is not told of the secret: %s", found)
	}
	for text, want := range map[string]string{
		"mcp: {a: {url: x, tokn: y}}":            "did you mean token?",
		"mcp: {a: {url: x, token: \"${NONE}\"}}": "NONE",
	} {
		dir := write(t, map[string]string{"errand.yaml": text})
		if _, err := Load(Source{Dir: dir}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s in it", text, err, want)
		}
	}
}

// Headers of tools refer to the environment, in the file and in files that it names;
// what came from there is a secret of this server.
func TestHeadersOfToolsComeFromTheEnvironment(t *testing.T) {
	dir := write(t, map[string]string{
		"other.yaml": "name: b\nheaders: {X-Key: \"${KEY}\"}\n",
		"errand.yaml": `tools:
  - {name: a, url: "https://a.example.com/${KEY}", headers: {Authorization: "Bearer ${KEY}", Plain: "as it is"}}
  - other.yaml
`})
	got, err := Load(Source{Dir: dir, Env: []string{"KEY=k-from-outside"}})
	if err != nil {
		t.Fatal(err)
	}
	var tools []string
	for _, tool := range got.Tools {
		tools = append(tools, string(tool.JSON))
	}
	want := []string{
		`{"headers":{"Authorization":"Bearer k-from-outside","Plain":"as it is"},"name":"a","url":"https://a.example.com/${KEY}"}`,
		`{"headers":{"X-Key":"k-from-outside"},"name":"b"}`,
	}
	if diff := cmp.Diff(want, tools); diff != "" {
		t.Errorf("the tools (-want +got):\n%s", diff)
	}
	for _, secret := range []string{"Bearer k-from-outside", "k-from-outside"} {
		if !slices.Contains(got.Secrets(), secret) {
			t.Errorf("%q is not taken for a secret: %q", secret, got.Secrets())
		}
	}
	if slices.Contains(got.Secrets(), "as it is") {
		t.Error("a header that stands in the file is a secret of the environment")
	}
	if _, err := Load(Source{Dir: dir}); err == nil || !strings.Contains(err.Error(), "tools[0].headers.Authorization: the environment has no KEY") {
		t.Errorf("without it: %v", err)
	}
}
