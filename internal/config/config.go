// Package config reads the operator's settings: flags over environment
// (ERRAND_…) over a file (errand.yaml). Nothing else in the program reads the
// environment or a settings file.
//
// It promises that a setting is honoured or refused by name, never ignored: an
// unknown key of the file or an unknown ERRAND_ variable is an error that names
// the nearest known one and, in the file, the line. Secrets have a type of their
// own, which prints as [redacted].
//
// To add a setting, add a field to Config and, if flags and environment may set
// it, a line to settings.go.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Config is every setting, checked. Its yaml tags are the keys of errand.yaml.
type Config struct {
	// Addr is where the server listens, host:port. Default 127.0.0.1:8420.
	Addr string `yaml:"addr"`
	// Data is the directory of the database. Default ./errand-data.
	Data string `yaml:"data"`
	// Store says where runs are kept: sqlite, in Data, or the URL of a PostgreSQL
	// database, postgres://user:password@host:port/database.
	Store Secret `yaml:"store"`
	// Queues are those that this node of a PostgreSQL database works on: run, browser,
	// webhook, timer. Empty = all of them.
	Queues List `yaml:"queues"`
	// PublicURL is how the outside world reaches the server, for links.
	PublicURL string `yaml:"public_url"`
	// BasePath stands before every path: /errand behind a proxy that passes it on.
	BasePath string `yaml:"base_path"`
	// TrustedProxies are addresses (CIDR) whose word on who asks, and how, is taken.
	TrustedProxies List `yaml:"trusted_proxies"`
	// CORSOrigins are those whose pages may call what SDKs in browsers call, with a
	// key: https://app.example.com, * for any (the default), none for none.
	CORSOrigins List `yaml:"cors_origins"`
	// AdminKey is the secret of the key named admin: 16 characters or more.
	AdminKey Secret `yaml:"admin_key"`
	// Model answers where a caller names none: provider/name, an alias, or auto.
	Model string `yaml:"model"`
	// Aliases are what y0-agent, y0-fast, auto … mean instead of Model.
	Aliases map[string]string `yaml:"aliases"`
	// Endpoints are model servers, by name; under the name of a provider that is
	// known, what is set here for it.
	Endpoints map[string]Endpoint `yaml:"endpoints"`
	// Fallbacks are the models to call when one is down or refuses calls for now,
	// by its name, or by * for every model.
	Fallbacks map[string]List `yaml:"fallbacks"`
	// Prices are what models cost, by provider/name or provider/*.
	Prices map[string]Price `yaml:"prices"`
	// PricesFile is a file of prices, under Prices.
	PricesFile string `yaml:"prices_file"`
	// EgressAllow are networks (CIDR or CIDR:port) that tools may reach although
	// they are not public.
	EgressAllow List `yaml:"egress_allow"`
	// Search names the search engines that are asked, in order. Empty = every one
	// that is configured. This server's own index is the last unless it is named.
	Search List `yaml:"search"`
	// SearXNGURL is the operator's own search engine, http[s]://[user:pass@]host.
	SearXNGURL Secret `yaml:"searxng_url"`
	// SearchKeys are the keys of search engines: brave, tavily, exa, you. The
	// environment has them as BRAVE_API_KEY and so on.
	SearchKeys map[string]Secret `yaml:"search_keys"`
	// SMTPURL is the mail server, smtp[s]://user:pass@host:port. It makes
	// email.send available, together with SMTPFrom.
	SMTPURL  Secret `yaml:"smtp_url"`
	SMTPFrom string `yaml:"smtp_from"`
	// Chromium is the program that browser tools drive, as a path or a name on the
	// PATH. Empty = whichever is installed; without any there are no such tools.
	Chromium string `yaml:"chromium"`
	// RateLimit is how many requests a key may make in a minute, unless it has a limit
	// of its own. Default 0: any number.
	RateLimit int `yaml:"rate_limit"`
	// RetentionDays is for how many days after their end runs are kept, unless their
	// project says otherwise. Default 0: for ever.
	RetentionDays int `yaml:"retention_days"`
	// MaxActive bounds the runs that are driven at once. Default 1,000.
	MaxActive int `yaml:"max_active"`
	// TLSCert and TLSKey are PEM files; both or neither.
	TLSCert string `yaml:"tls_cert"`
	TLSKey  string `yaml:"tls_key"`
	Limits  Limits `yaml:"limits"`
	// SQL makes a tool of each named query.
	SQL map[string]Query `yaml:"sql"`
	// MCP are Model Context Protocol servers, by name, whose tools every project
	// may use.
	MCP map[string]MCPServer `yaml:"mcp"`
	// Tools and Agents are definitions in the native API's own form, inline or
	// as paths of YAML or JSON files; they are registered at start.
	Tools  []Document `yaml:"tools"`
	Agents []Document `yaml:"agents"`
	Log    Log        `yaml:"log"`
	// Pprof is where profiles of the process are served, host:port on loopback.
	// Empty = nowhere.
	Pprof string `yaml:"pprof"`
	// Metrics is who may read /metrics without a key: MetricsNear and the like.
	Metrics string `yaml:"metrics"`
	You     You    `yaml:"you"`
	// WebAgent is about the API of browser runs.
	WebAgent WebAgent `yaml:"webagent"`

	// File is the settings file that was read, or empty.
	File string `yaml:"-"`
}

// Limits are the operator's ceilings for one run, and for what one project keeps.
type Limits struct {
	// MaxSteps is the most model turns that a run may ask for; 0 = as each API has
	// it: 16, and 50 for a Swarms agent that works by itself.
	MaxSteps int `yaml:"max_steps"`
	// PromptRunes is how many characters (code points) a prompt may have.
	PromptRunes int `yaml:"prompt_runes"`
	// FilesMB is how much the files of one project may have, in millions of bytes,
	// and IndexMB how much text it may have in the search index; 0 = any amount.
	FilesMB int `yaml:"files_mb"`
	IndexMB int `yaml:"index_mb"`
}

// Endpoint is a model server. Model is the one that the aliases mean there. Kind
// says whose wire format it speaks; by default its name does, and any other name
// stands for the common chat-completions format. The limits are for this server
// alone: calls under way, and calls that begin in any minute; 0 = any number.
type Endpoint struct {
	URL               string `yaml:"url"`
	Key               Secret `yaml:"key"`
	Model             string `yaml:"model"`
	Kind              string `yaml:"kind"`
	MaxConcurrent     int    `yaml:"max_concurrent"`
	RequestsPerMinute int    `yaml:"requests_per_minute"`
}

// Query is a statement that agents may run as a tool.
type Query struct {
	// DSN is the path of an SQLite file (sqlite:PATH), or a postgres:// URL.
	DSN         Secret               `yaml:"dsn"`
	Description string               `yaml:"description"`
	Statement   string               `yaml:"statement"`
	Parameters  map[string]Parameter `yaml:"parameters"`
	MaxRows     int                  `yaml:"max_rows"`
	TimeoutS    int                  `yaml:"timeout_s"`
	Scope       string               `yaml:"scope"`
}

// Parameter is one typed parameter of a Query. In the file it is a type's name,
// or a mapping.
type Parameter struct {
	Type        string `yaml:"type"`
	Description string `yaml:"description"`
	Required    bool   `yaml:"required"`
	Default     any    `yaml:"default"`
	Enum        []any  `yaml:"enum"`
}

// You is about the API for You.com's clients. AnswerType is what its JSON calls
// the answer: message.answer, or chat_node.answer for clients that are years old.
type You struct {
	AnswerType string `yaml:"answer_type"`
}

// WebAgent is about the API of browser runs. Open lets requests without a key in
// that come from this machine, as the page of that API sends them.
type WebAgent struct {
	Open bool `yaml:"open"`
}

// MCPServer is a server at a URL, or a program that this server starts and speaks
// to. Its tools are called <name>__<tool>.
type MCPServer struct {
	URL       Secret            `yaml:"url"`       // may have a key in its query
	Transport string            `yaml:"transport"` // auto, streamable_http or sse
	Token     Secret            `yaml:"token"`     // sent as Authorization: Bearer
	Headers   map[string]Secret `yaml:"headers"`
	Command   string            `yaml:"command"`
	Args      []string          `yaml:"args"`
	Env       map[string]Secret `yaml:"env"`     // all of the program's environment but PATH and HOME
	Timeout   int               `yaml:"timeout"` // in seconds
	// Effects are safe, keyed or once by the server's own names of its tools; "*"
	// is all others.
	Effects map[string]string `yaml:"effects"`
	// Scope is what a run's key needs at the step.
	Scope string `yaml:"scope"`
}

// Log says how the server logs: level debug, info, warn or error; format text or
// json.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// Defaults returns the settings of a server that was told nothing.
func Defaults() Config {
	return Config{
		Addr:        "127.0.0.1:8420",
		Data:        "errand-data",
		Store:       "sqlite",
		CORSOrigins: List{"*"},
		MaxActive:   1000,
		Limits:      Limits{PromptRunes: 100_000, FilesMB: 10_000, IndexMB: 1000},
		Log:         Log{Level: "info", Format: "text"},
		You:         You{AnswerType: "message.answer"},
		Metrics:     MetricsNear,
	}
}

// Who may read /metrics.
const (
	MetricsNear = "near" // this machine without a key, others with one that has metrics:read
	MetricsKey  = "key"  // nobody without one
	MetricsOpen = "open" // everybody
	MetricsOff  = "off"  // nobody: there are none
)

// minAdminKey is long enough that guessing over a network is hopeless.
const minAdminKey = 16

// check refuses settings that cannot work, each by name and with its mend.
func (c *Config) check() error {
	switch {
	case c.Store != "sqlite" && !c.Postgres():
		return fmt.Errorf("store: %q is not known; leave it out for SQLite, or set it to postgres://user:password@host:port/database", scheme(c.Store.Reveal()))
	case c.Data == "":
		return fmt.Errorf("data: name a directory")
	case c.AdminKey != "" && utf8.RuneCountInString(c.AdminKey.Reveal()) < minAdminKey:
		return fmt.Errorf("admin_key: too short; use %d characters or more", minAdminKey)
	case c.WebAgent.Open && !c.Loopback():
		return fmt.Errorf("webagent.open: requests without a key are for a server that only this machine reaches; leave addr out, or set it to 127.0.0.1:8420")
	case c.Pprof != "" && !loopback(c.Pprof):
		return fmt.Errorf("pprof: %q can be reached from other machines, or is no host:port; profiles show what is in memory: use 127.0.0.1:6060", c.Pprof)
	case !slices.Contains([]string{MetricsNear, MetricsKey, MetricsOpen, MetricsOff}, c.Metrics):
		return fmt.Errorf("metrics: %q is not known; use near (this machine without a key, others with one), key (nobody without one), open (everybody) or off", c.Metrics)
	case c.MaxActive < 1:
		return fmt.Errorf("max_active: must be 1 or more")
	case c.RateLimit < 0:
		return fmt.Errorf("rate_limit: must be 1 or more, or 0 for any number of requests")
	case c.RetentionDays < 0 || c.RetentionDays > 36_500:
		return fmt.Errorf("retention_days: must be 1 to 36500 days, or 0 to keep runs for ever")
	case c.Limits.MaxSteps < 0:
		return fmt.Errorf("limits.max_steps: must be 1 or more, or 0 for each API's own ceiling")
	case c.Limits.PromptRunes < 1:
		return fmt.Errorf("limits.prompt_runes: must be 1 or more")
	case c.Limits.FilesMB < 0 || c.Limits.IndexMB < 0:
		return fmt.Errorf("limits.files_mb and limits.index_mb: must be 1 or more, or 0 for any amount")
	case c.You.AnswerType != "message.answer" && c.You.AnswerType != "chat_node.answer":
		return fmt.Errorf("you.answer_type: %q is not message.answer or chat_node.answer", c.You.AnswerType)
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return fmt.Errorf("tls_cert and tls_key: set both or neither")
	case (c.SMTPURL == "") != (c.SMTPFrom == ""):
		return fmt.Errorf("smtp_url and smtp_from: set both or neither")
	}
	if _, _, err := net.SplitHostPort(c.Addr); err != nil {
		return fmt.Errorf("addr: %q is not host:port; for example 127.0.0.1:8420", c.Addr)
	}
	if err := errors.Join(checkWords(c.Log), checkOrigins(c.CORSOrigins), c.checkFront(), c.checkPrices(), c.checkQueues()); err != nil {
		return err
	}
	return c.checkURLs()
}

// Postgres reports whether runs are kept in a PostgreSQL database.
func (c *Config) Postgres() bool {
	s := c.Store.Reveal()
	return strings.HasPrefix(s, "postgres://") || strings.HasPrefix(s, "postgresql://")
}

// queues are the names that Queues may have.
func queues() []string { return []string{"run", "browser", "webhook", "timer"} }

func (c *Config) checkQueues() error {
	for _, name := range c.Queues {
		if !slices.Contains(queues(), name) {
			return fmt.Errorf("queues: %q is none; name some of %s, or leave it out for all", name, strings.Join(queues(), ", "))
		}
	}
	if len(c.Queues) > 0 && !c.Postgres() {
		return fmt.Errorf("queues: one server alone works on all of them; this setting is for several over one PostgreSQL database (store)")
	}
	return nil
}

// Works reports whether this node works on the queue.
func (c *Config) Works(queue string) bool {
	return len(c.Queues) == 0 || slices.Contains(c.Queues, queue)
}

// scheme is what of a URL may be shown: the rest can have a password.
func scheme(text string) string {
	before, _, isURL := strings.Cut(text, "://")
	if !isURL {
		return text
	}
	return before + "://…"
}

// checkOrigins holds origins to the spelling of browsers, which is compared byte by
// byte.
func checkOrigins(origins List) error {
	for _, origin := range origins {
		if (origin == "*" || origin == "none") && len(origins) == 1 {
			continue
		}
		at, err := url.Parse(origin)
		if err != nil || at.Scheme == "" || at.Host == "" || origin != strings.ToLower(at.Scheme+"://"+at.Host) {
			return fmt.Errorf("cors_origins: %q is no origin; write scheme and host in small letters and nothing behind them, such as https://app.example.com, or * or none alone", origin)
		}
	}
	return nil
}

func checkWords(log Log) error {
	switch log.Level {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("log.level: %q is not debug, info, warn or error", log.Level)
	}
	if log.Format != "text" && log.Format != "json" {
		return fmt.Errorf("log.format: %q is not text or json", log.Format)
	}
	return nil
}

func (c *Config) checkURLs() error {
	if c.PublicURL != "" && !webURL(c.PublicURL) {
		return fmt.Errorf("public_url: %q is not an http(s) URL", c.PublicURL)
	}
	if c.SMTPURL != "" {
		parsed, err := url.Parse(c.SMTPURL.Reveal())
		if err != nil || (parsed.Scheme != "smtp" && parsed.Scheme != "smtps") || parsed.Host == "" {
			return fmt.Errorf("smtp_url: must look like smtp[s]://user:password@host:port")
		}
	}
	if c.SearXNGURL != "" && !webURL(c.SearXNGURL.Reveal()) {
		return fmt.Errorf("searxng_url: must be an http(s) URL, for example http://127.0.0.1:8888")
	}
	if err := c.checkSearchKeys(); err != nil {
		return err
	}
	for name, e := range c.Endpoints {
		if e.MaxConcurrent < 0 || e.RequestsPerMinute < 0 {
			return fmt.Errorf("endpoints.%s: max_concurrent and requests_per_minute must be 1 or more, or left out", name)
		}
		if e.URL != "" && !webURL(e.URL) {
			return fmt.Errorf("endpoints.%s.url: must be an http(s) URL, for example http://127.0.0.1:8000/v1", name)
		}
	}
	for name, q := range c.SQL {
		switch {
		case q.DSN == "":
			return fmt.Errorf("sql.%s.dsn: name the database: a path of an SQLite file, or a postgres:// URL", name)
		case strings.TrimSpace(q.Statement) == "":
			return fmt.Errorf("sql.%s.statement: write the query", name)
		}
	}
	return nil
}

func webURL(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && (parsed.Scheme == "http" || parsed.Scheme == "https") && parsed.Host != ""
}
