package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"strconv"
)

// reach names what only some packages may use of the standard library.
type reach struct {
	rule    string
	path    string          // import path
	names   map[string]bool // what of it; nil = importing it at all
	calls   bool            // only a call counts: a function may be given as a value
	makes   map[string]bool // types of which it may make no value: naming them is free
	allowed []string        // folders as in covers
	instead string          // what everyone else does
}

// reaches is the table. Tests may use all of it.
var reaches = []reach{
	{
		rule: "environment", path: "os", names: set("Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv"),
		allowed: may("", "internal/app", "internal/config", "scripts/..."),
		instead: "take the value in a Config: internal/app reads the settings",
	},
	{
		rule: "clock", path: "time", names: set("Now", "Since", "Until"), calls: true,
		allowed: may("internal/app", "scripts/...", "client"),
		instead: "take a now func() time.Time in a Config; a test can then turn the clock",
	},
	{
		rule: "sleep", path: "time", names: set("Sleep", "Tick"),
		instead: "wait on a timer and the context in one select, so that the wait can end early",
	},
	{
		rule: "network", path: "net/http",
		allowed: may("internal/egress", "internal/webhook", "internal/robot/post", "internal/api/...", "internal/app", "internal/obs", "internal/model/openai", "internal/model/anthropic", "internal/model/remote",
			"internal/tool/http", "internal/tool/mcp", "internal/tool/web/...", "internal/tool/browser", "internal/ui", "client"),
		instead: "keep HTTP at the edge; calls to URLs from outside go through internal/egress",
	},
	{
		rule: "http client", path: "net/http",
		names:   set("DefaultClient", "DefaultTransport", "Get", "Head", "Post", "PostForm"),
		makes:   set("Client", "Transport"),
		allowed: may("internal/egress", "internal/app", "internal/model/openai", "internal/model/anthropic", "internal/model/remote", "client"), // what the operator named
		instead: "use a client from internal/egress: it checks the address at every dial",
	},
	{
		rule: "dial", path: "net", names: set("Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix"), makes: set("Dialer"),
		allowed: may("internal/egress", "internal/app", "internal/model/openai", "internal/model/anthropic", "internal/model/remote", "internal/tool/email"), // the operator's own servers
		instead: "take a dial function from internal/egress, or from internal/app for an address that the operator configured",
	},
	{
		rule: "process", path: "os/exec",
		allowed: may("internal/app", "scripts/...", "internal/tool/mcp", "internal/tool/compute", "internal/tool/browser"),
		instead: "start no process: only the operator's own command line and configuration do, compute starts this program itself, and browser starts Chromium",
	},
	{
		rule: "global log", path: "log",
		names:   set("Default", "Print", "Printf", "Println", "Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln", "SetOutput", "SetFlags", "SetPrefix"),
		instead: "take a *slog.Logger in a Config; errors are returned, not logged on the way",
	},
	{
		rule: "global log", path: "log/slog", names: set("Default", "SetDefault", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Debug", "DebugContext"),
		instead: "take a *slog.Logger in a Config; errors are returned, not logged on the way",
	},
}

// pure packages have no clock, no I/O and no goroutines: the whole of what they
// do is in what they are given.
var pure = may("internal/run", "internal/problem")

// impureImports are what a pure package has no use for.
var impureImports = set("context", "sync", "sync/atomic", "os", "io/fs", "net", "net/http", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "testing")

// reachRule is the rule that what is dangerous, or hard to test, is used in few
// places only.
func reachRule(h *house, p *pkg) []complaint {
	var found []complaint
	for _, f := range p.product() {
		for i := range reaches {
			r := &reaches[i]
			if !matches(r.allowed, p.dir) {
				found = append(found, r.uses(h, f)...)
			}
		}
	}
	return found
}

// uses finds what a file uses of r.
func (r *reach) uses(h *house, f *file) []complaint {
	local, spec := importName(f, r.path)
	if spec == nil {
		return nil
	}
	if r.names == nil {
		return []complaint{{h.at(spec), r.rule, fmt.Sprintf("imports %s: %s", r.path, r.instead)}}
	}
	var found []complaint
	called, made := make(map[ast.Expr]bool), make(map[ast.Expr]bool)
	ast.Inspect(f.tree, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			called[node.Fun] = true
		case *ast.CompositeLit:
			made[node.Type] = true
		case *ast.ValueSpec:
			made[node.Type] = true
		case *ast.SelectorExpr:
			ident, ok := node.X.(*ast.Ident)
			if !ok || ident.Name != local {
				return true
			}
			name := node.Sel.Name
			if r.names[name] && (called[node] || !r.calls) || r.makes[name] && made[node] {
				found = append(found, complaint{h.at(node), r.rule, fmt.Sprintf("uses %s.%s: %s", local, name, r.instead)})
			}
		}
		return true
	})
	return found
}

// purity is the rule that the core only computes.
func purity(h *house, p *pkg) []complaint {
	if !matches(pure, p.dir) {
		return nil
	}
	var found []complaint
	for _, f := range p.product() {
		for _, spec := range f.tree.Imports {
			if imported, err := strconv.Unquote(spec.Path.Value); err == nil && impureImports[imported] {
				found = append(found, complaint{h.at(spec), "purity", fmt.Sprintf("%s imports %s: the core has no clock, no I/O and no goroutines; let internal/engine do it and hand the result in", p.dir, imported)})
			}
		}
		ast.Inspect(f.tree, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.GoStmt:
				found = append(found, complaint{h.at(node), "purity", "starts a goroutine: the core only computes; let internal/engine do it"})
			case *ast.SelectorExpr:
				if ident, ok := node.X.(*ast.Ident); ok && ident.Name == "time" && node.Sel.Name == "Now" {
					found = append(found, complaint{h.at(node), "purity", "reads the clock: times come into the core with the events"})
				}
			}
			return true
		})
	}
	return found
}

// silent imports bring data, and do nothing.
var silent = set(`"embed"`, `"time/tzdata"`)

// noInit is the rule that importing a package does nothing.
func noInit(h *house, p *pkg) []complaint {
	var found []complaint
	for _, f := range p.product() {
		for _, decl := range f.tree.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, complaint{h.at(fn), "init", "has an init(): importing a package does nothing; make it a constructor that internal/app calls"})
			}
			if gen, ok := decl.(*ast.GenDecl); ok && gen.Tok == token.IMPORT {
				for _, spec := range gen.Specs {
					imported := spec.(*ast.ImportSpec)
					if imported.Name != nil && imported.Name.Name == "_" && !silent[imported.Path.Value] {
						found = append(found, complaint{h.at(imported), "init", "imports " + imported.Path.Value + " for its side effect: use the package by name, where it can be seen"})
					}
				}
			}
		}
	}
	return found
}

// importName returns what a file calls an import, and where it stands.
func importName(f *file, imported string) (string, *ast.ImportSpec) {
	for _, spec := range f.tree.Imports {
		if value, err := strconv.Unquote(spec.Path.Value); err != nil || value != imported {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name, spec
		}
		return lastPart(imported), spec
	}
	return "", nil
}

func lastPart(imported string) string {
	for i := len(imported) - 1; i >= 0; i-- {
		if imported[i] == '/' {
			return imported[i+1:]
		}
	}
	return imported
}

func set(names ...string) map[string]bool {
	found := make(map[string]bool, len(names))
	for _, name := range names {
		found[name] = true
	}
	return found
}
