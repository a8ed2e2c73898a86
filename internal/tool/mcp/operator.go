package mcp

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"errand/internal/run"
)

// Operator is a server of the operator's configuration: a URL, or a program that
// is run here.
type Operator struct {
	Name      string
	URL       string
	Transport string // of a URL: streamable_http, sse, auto; empty = auto
	Token     string
	Headers   map[string]string
	Command   string // a program's path or name
	Args      []string
	Env       map[string]string // all of its environment but PATH and HOME
	Timeout   time.Duration     // 0 = 30 s
	// Effects are the classes of its tools, by the server's own names; "*" is all
	// others. A tool that is not named has the class that the server's
	// annotations say, else once.
	Effects map[string]run.Class
	Scope   string // needed on a run's key at the step; empty = none
}

// trust is what the operator has said of a server.
type trust struct {
	effects map[string]run.Class
	scope   string
}

// program is how a stdio server is started.
type program struct {
	command string
	args    []string
	env     map[string]string
}

// serverName leaves room for a tool's name: both together have 64 characters.
var serverName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,22}[A-Za-z0-9])?$`)

// CheckName says what is wrong with a server's name, or "".
func CheckName(name string) string {
	if !serverName.MatchString(name) || strings.Contains(name, separator) {
		return "must be 1 to 24 letters, digits, dashes and single underscores, beginning and ending with a letter or digit: its tools are called <name>__<tool>"
	}
	return ""
}

func (o *Operator) endpoint() (*endpoint, error) {
	e := &endpoint{
		name: o.Name, origin: Configured, transport: o.Transport, timeout: o.Timeout,
		credentials: credentials{URL: o.URL, Token: o.Token, Headers: o.Headers},
		trust:       &trust{effects: o.Effects, scope: o.Scope},
	}
	if fault := CheckName(o.Name); fault != "" {
		return nil, fmt.Errorf("the name %s", fault)
	}
	for name, class := range o.Effects {
		if class != run.Safe && class != run.Keyed && class != run.Once {
			return nil, fmt.Errorf("effects.%s: must be safe, keyed or once", name)
		}
	}
	if (o.URL == "") == (o.Command == "") {
		return nil, fmt.Errorf("set url or command, one of the two")
	}
	if o.Command == "" {
		if len(o.Args) > 0 || len(o.Env) > 0 {
			return nil, fmt.Errorf("args and env are a program's: set them with command, not with url")
		}
		for field, fault := range e.complete() {
			return nil, fmt.Errorf("%s: %s", field, fault)
		}
		return e, nil
	}
	if o.Transport != "" && o.Transport != Stdio || o.Token != "" || len(o.Headers) > 0 {
		return nil, fmt.Errorf("transport, token and headers are a URL's: set them with url, not with command")
	}
	if e.timeout == 0 {
		e.timeout = defaultTimeout
	}
	if e.timeout < 0 || e.timeout > maxTimeout {
		return nil, fmt.Errorf("timeout: must be above 0, and at most %d seconds", int(maxTimeout.Seconds()))
	}
	e.transport, e.program = Stdio, &program{command: o.Command, args: o.Args, env: o.Env}
	e.place()
	return e, nil
}

// class is the effect class of a tool. A reader may be repeated freely; what is
// idempotent may be repeated, and is still written down before it is called.
func (e *endpoint) class(d *definition) run.Class {
	if e.trust == nil {
		return run.Once
	}
	for _, name := range []string{d.Name, "*"} {
		if class, ok := e.trust.effects[name]; ok {
			return class
		}
	}
	switch {
	case d.Hints.ReadOnly:
		return run.Safe
	case d.Hints.Idempotent:
		return run.Keyed
	}
	return run.Once
}
