package config

import (
	"log/slog"
	"net/url"
)

// Secret is a value that must not be shown. Only Reveal returns it.
type Secret string

const redacted = "[redacted]"

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// String keeps the value out of every format verb that asks for a string.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString keeps it out of %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps it out of JSON and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps it out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Secrets returns every secret value, for redaction: of a URL with a password,
// the URL, the password, and the pair as HTTP and SMTP send it.
func (c *Config) Secrets() []string {
	var all []string
	add := func(s Secret) {
		if s != "" {
			all = append(all, s.Reveal())
		}
	}
	addURL := func(s Secret) {
		parsed, err := url.Parse(s.Reveal())
		if err != nil || parsed.User == nil {
			return
		}
		add(s)
		if password, ok := parsed.User.Password(); ok {
			all = append(all, password, parsed.User.Username()+":"+password)
		}
	}
	add(c.AdminKey)
	addURL(c.Store)
	addURL(c.SMTPURL)
	addURL(c.SearXNGURL)
	for _, key := range c.SearchKeys {
		add(key)
	}
	for _, e := range c.Endpoints {
		add(e.Key)
	}
	for _, q := range c.SQL {
		addURL(q.DSN)
	}
	for _, s := range c.MCP {
		add(s.Token)
		for _, values := range []map[string]Secret{s.Headers, s.Env} {
			for _, value := range values {
				add(value)
			}
		}
	}
	for _, tool := range c.Tools {
		for _, header := range tool.Secrets {
			add(header)
		}
	}
	return all
}
