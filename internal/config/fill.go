package config

import (
	"encoding/json"
	"fmt"
	"regexp"
)

// reference is ${NAME} in a secret of the file: the secret itself then stays in
// the environment.
var reference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// fill puts the environment's values into secrets, and remembers the first that
// refers to what is not there.
type fill struct {
	env     map[string]string
	missing error
}

// in returns s with its references filled in. where names s in the file.
func (f *fill) in(where string, s Secret) Secret {
	return Secret(reference.ReplaceAllStringFunc(s.Reveal(), func(ref string) string {
		name := ref[2 : len(ref)-1]
		value, ok := f.env[name]
		if !ok && f.missing == nil {
			f.missing = fmt.Errorf("%s: the environment has no %s", where, name)
		}
		return value
	}))
}

// fillIn fills the secrets of the file's settings.
func (c *Config) fillIn(env map[string]string) error {
	f := fill{env: env}
	c.AdminKey, c.Store = f.in("admin_key", c.AdminKey), f.in("store", c.Store)
	c.SMTPURL, c.SearXNGURL = f.in("smtp_url", c.SMTPURL), f.in("searxng_url", c.SearXNGURL)
	for name, key := range c.SearchKeys {
		c.SearchKeys[name] = f.in("search_keys."+name, key)
	}
	for name, e := range c.Endpoints {
		e.Key = f.in("endpoints."+name+".key", e.Key)
		c.Endpoints[name] = e
	}
	for name, q := range c.SQL {
		q.DSN = f.in("sql."+name+".dsn", q.DSN)
		c.SQL[name] = q
	}
	for name, s := range c.MCP {
		where := "mcp." + name
		s.URL, s.Token = f.in(where+".url", s.URL), f.in(where+".token", s.Token)
		for header, value := range s.Headers {
			s.Headers[header] = f.in(where+".headers."+header, value)
		}
		for variable, value := range s.Env {
			s.Env[variable] = f.in(where+".env."+variable, value)
		}
		c.MCP[name] = s
	}
	return f.missing
}

// fillTools fills the headers of tools, which are the only secrets in definitions.
// What is no definition of a tool is left for the native API to refuse.
func (c *Config) fillTools(env map[string]string) error {
	f := fill{env: env}
	for i := range c.Tools {
		tool := &c.Tools[i]
		var fields map[string]json.RawMessage
		var headers map[string]string
		if json.Unmarshal(tool.JSON, &fields) != nil || json.Unmarshal(fields["headers"], &headers) != nil {
			continue
		}
		where := fmt.Sprintf("%s: headers", tool.Origin)
		if tool.Origin == c.File {
			where = fmt.Sprintf("tools[%d].headers", i)
		}
		for header, value := range headers {
			filled := f.in(where+"."+header, Secret(value)).Reveal()
			if filled != value {
				tool.Secrets = append(tool.Secrets, Secret(filled))
			}
			headers[header] = filled
		}
		if err := tool.set(fields, headers); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	return f.missing
}

// set writes the definition anew, with other headers.
func (d *Document) set(fields map[string]json.RawMessage, headers map[string]string) (err error) {
	if fields["headers"], err = json.Marshal(headers); err != nil {
		return err
	}
	d.JSON, err = json.Marshal(fields)
	return err
}
