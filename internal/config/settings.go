package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"errand/internal/problem"
)

// setting is a setting that flags and the environment may set: its name is the
// flag's (--max-active), and in capitals with ERRAND_ before it the variable's.
type setting struct {
	name string
	set  func(*Config, string) error
}

// settings lists them in the order of Config. It is the one place that says
// which variables are known.
func settings() []setting {
	return []setting{
		{"addr", text(func(c *Config) *string { return &c.Addr })},
		{"data", text(func(c *Config) *string { return &c.Data })},
		{"store", secret(func(c *Config) *Secret { return &c.Store })},
		{"queues", func(c *Config, value string) error { c.Queues = commas(value); return nil }},
		{"public-url", text(func(c *Config) *string { return &c.PublicURL })},
		{"base-path", text(func(c *Config) *string { return &c.BasePath })},
		{"trusted-proxies", func(c *Config, value string) error { c.TrustedProxies = commas(value); return nil }},
		{"cors-origins", func(c *Config, value string) error { c.CORSOrigins = commas(value); return nil }},
		{"admin-key", secret(func(c *Config) *Secret { return &c.AdminKey })},
		{"model", text(func(c *Config) *string { return &c.Model })},
		{"fallback", func(c *Config, value string) error {
			if c.Fallbacks == nil {
				c.Fallbacks = map[string]List{}
			}
			c.Fallbacks["*"] = commas(value)
			return nil
		}},
		{"prices", text(func(c *Config) *string { return &c.PricesFile })},
		{"egress-allow", func(c *Config, value string) error { c.EgressAllow = commas(value); return nil }},
		{"search", func(c *Config, value string) error { c.Search = commas(value); return nil }},
		{"searxng-url", secret(func(c *Config) *Secret { return &c.SearXNGURL })},
		{"smtp-url", secret(func(c *Config) *Secret { return &c.SMTPURL })},
		{"smtp-from", text(func(c *Config) *string { return &c.SMTPFrom })},
		{"chromium", text(func(c *Config) *string { return &c.Chromium })},
		{"max-active", number(func(c *Config) *int { return &c.MaxActive })},
		{"retention-days", number(func(c *Config) *int { return &c.RetentionDays })},
		{"rate-limit", number(func(c *Config) *int { return &c.RateLimit })},
		{"tls-cert", text(func(c *Config) *string { return &c.TLSCert })},
		{"tls-key", text(func(c *Config) *string { return &c.TLSKey })},
		{"max-steps", number(func(c *Config) *int { return &c.Limits.MaxSteps })},
		{"prompt-runes", number(func(c *Config) *int { return &c.Limits.PromptRunes })},
		{"files-mb", number(func(c *Config) *int { return &c.Limits.FilesMB })},
		{"index-mb", number(func(c *Config) *int { return &c.Limits.IndexMB })},
		{"log-level", text(func(c *Config) *string { return &c.Log.Level })},
		{"log-format", text(func(c *Config) *string { return &c.Log.Format })},
		{"pprof", text(func(c *Config) *string { return &c.Pprof })},
		{"metrics", text(func(c *Config) *string { return &c.Metrics })},
		{"you-answer-type", text(func(c *Config) *string { return &c.You.AnswerType })},
		{"webagent-open", yes(func(c *Config) *bool { return &c.WebAgent.Open })},
	}
}

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, value string) error { *field(c) = value; return nil }
}

func secret(field func(*Config) *Secret) func(*Config, string) error {
	return func(c *Config, value string) error { *field(c) = Secret(value); return nil }
}

func number(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, value string) error {
		parsed, err := strconv.Atoi(value)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		*field(c) = parsed
		return nil
	}
}

// yes reads a setting that is on or off.
func yes(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, value string) error {
		parsed, err := strconv.ParseBool(value)
		if err != nil {
			return fmt.Errorf("%q is neither 1 nor 0", value)
		}
		*field(c) = parsed
		return nil
	}
}

func commas(value string) []string {
	var parts []string
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// variable is the environment variable of a setting.
func variable(name string) string {
	return "ERRAND_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// ofClient are the variables that the program reads beside the settings.
func ofClient() []string { return []string{"ERRAND_URL", "ERRAND_API_KEY", "ERRAND_CONFIG"} }

// applyEnvironment takes the settings from the ERRAND_ variables. An empty
// variable counts as unset.
func (c *Config) applyEnvironment(env map[string]string) error {
	known := ofClient()
	for _, s := range settings() {
		name := variable(s.name)
		known = append(known, name)
		if value := env[name]; value != "" {
			if err := s.set(c, value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	c.takeSearchKeys(env)
	return refuseUnknown(env, known)
}

// refuseUnknown names the first ERRAND_ variable that nothing reads: a setting
// that is misspelt, or of another version, must not be ignored in silence.
// Kubernetes sets ERRAND_PORT… and ERRAND_SERVICE_… by itself in a cluster with a
// service named errand; those are nobody's mistake.
func refuseUnknown(env map[string]string, known []string) error {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !strings.HasPrefix(name, "ERRAND_") || env[name] == "" || slices.Contains(known, name) ||
			name == "ERRAND_PORT" || strings.HasPrefix(name, "ERRAND_PORT_") || strings.HasPrefix(name, "ERRAND_SERVICE_") {
			continue
		}
		return fmt.Errorf("%s: no such setting%s", name, suggestion(name, known))
	}
	return nil
}

// applyFlags takes the settings that the command line names.
func (c *Config) applyFlags(flags map[string]string) error {
	for _, s := range settings() {
		if value, ok := flags[s.name]; ok && value != "" {
			if err := s.set(c, value); err != nil {
				return fmt.Errorf("--%s: %w", s.name, err)
			}
		}
	}
	return nil
}

// suggestion ends a message about an unknown word with the nearest known one, or
// with all of them when none is near.
func suggestion(word string, known []string) string {
	if nearest := problem.Nearest(word, known); nearest != "" {
		return "; did you mean " + nearest + "?"
	}
	return "; known are " + strings.Join(known, ", ")
}
