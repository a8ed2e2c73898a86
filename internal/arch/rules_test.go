package arch

import (
	"go/token"
	"strings"
	"testing"
)

// documented is a package comment as the rules want it.
const documented = "// Package p is for tests. To change it, edit this.\n"

// ruleCases break each rule once and keep it once: a rule that cannot fail holds
// nothing.
var ruleCases = []struct {
	name   string
	rule   rule
	file   string
	source string
	want   string // part of the only complaint, or "" for none
}{
	{"core imports nobody above", imports, "internal/run/a.go", `package run; import "errand/internal/engine"`, "internal/run may not import internal/engine"},
	{"dialects stay apart", imports, "internal/api/you/a.go", `package you; import "errand/internal/api/native"`, "never imports another dialect"},
	{"a store knows no API", imports, "internal/store/sqlite/a.go", `package sqlite; import "errand/internal/api/wire"`, "knows no API"},
	{"a test may use a real fake", imports, "internal/engine/a_test.go", `package engine; import "errand/internal/store/memory"`, ""},
	{"the product may not", imports, "internal/engine/a.go", `package engine; import "errand/internal/store/memory"`, "internal/engine may not import internal/store/memory"},
	{"app may all", imports, "internal/app/a.go", `package app; import "errand/internal/store/sqlite"`, ""},
	{"a package without a place", imports, "internal/stranger/a.go", `package stranger`, "has no place in the house"},

	{"a vague name", packageName, "internal/util/a.go", `package util`, "says nothing"},
	{"two names", packageName, "internal/queue/local/a.go", `package queue`, "call both the same"},
	{"two words", packageName, "internal/run_store/a.go", `package run_store`, "one word"},

	{"environment", reachRule, "internal/auth/a.go", `package auth; import "os"; func f() string { return os.Getenv("X") }`, "os.Getenv"},
	{"environment in app", reachRule, "internal/app/a.go", `package app; import "os"; func f() string { return os.Getenv("X") }`, ""},
	{"clock", reachRule, "internal/engine/a.go", `package engine; import "time"; func f() time.Time { return time.Now() }`, "time.Now"},
	{"clock as a default", reachRule, "internal/engine/a.go", `package engine; import "time"; func f() func() time.Time { return time.Now }`, ""},
	{"clock in a test", reachRule, "internal/engine/a_test.go", `package engine; import "time"; func f() time.Time { return time.Now() }`, ""},
	{"sleep", reachRule, "internal/app/a.go", `package app; import "time"; func f() { time.Sleep(1) }`, "time.Sleep"},
	{"http in the core", reachRule, "internal/engine/a.go", `package engine; import "net/http"; var _ http.Handler`, "imports net/http"},
	{"a client of one's own", reachRule, "internal/tool/web/a.go", `package web; import h "net/http"; func f() { h.Get("") }`, "h.Get"},
	{"a made client", reachRule, "internal/tool/web/a.go", `package web; import "net/http"; var _ = &http.Client{}`, "http.Client"},
	{"a given client", reachRule, "internal/tool/web/a.go", `package web; import "net/http"; type t struct { c *http.Client }`, ""},
	{"a dialer of one's own", reachRule, "internal/tool/web/a.go", `package web; import "net"; func f() { net.Dial("", "") }`, "net.Dial"},
	{"global log", reachRule, "internal/engine/a.go", `package engine; import "log/slog"; func f() { slog.Info("") }`, "slog.Info"},
	{"process", reachRule, "internal/tool/web/a.go", `package web; import "os/exec"; var _ exec.Cmd`, "start no process"},

	{"core waits for nobody", purity, "internal/run/a.go", `package run; import "context"; func f(context.Context)`, "imports context"},
	{"core starts nothing", purity, "internal/run/a.go", `package run; func f() { go f() }`, "goroutine"},
	{"init", noInit, "internal/auth/a.go", `package auth; func init() {}`, "init()"},
	{"side effect", noInit, "internal/auth/a.go", `package auth; import _ "modernc.org/sqlite"`, "side effect"},

	{"long file", sizes, "internal/auth/a.go", "package auth\n" + strings.Repeat("\n", 400), "has 401 lines, at most 400"},
	{"long test file", sizes, "internal/auth/a_test.go", "package auth\n" + strings.Repeat("\n", 800), "has 801 lines, at most 800"},
	{"long function", sizes, "internal/auth/a.go", "package auth\nfunc f() {\n" + strings.Repeat("_ = 0\n", 69) + "}\n", "f has 71 lines, at most 70"},
	{"many parameters", sizes, "internal/auth/a.go", `package auth; func f(a, b, c, d, e, f int) {}`, "6 parameters"},

	{"no comment", packageComment, "internal/auth/a.go", "package auth", "no package comment"},
	{"no pointer", packageComment, "internal/auth/a.go", "// Package auth is.\npackage auth", "where to change what"},
	{"a comment", packageComment, "internal/auth/a.go", documented + "package auth", ""},

	{"wide interface", interfaces, "internal/auth/a.go", `package auth; type i interface { A(); B(); C(); D(); E() }`, "has 5 methods"},
	{"late context", interfaces, "internal/auth/a.go", `package auth; import "context"; func f(a int, ctx context.Context) {}`, "first parameter"},
	{"kept context", interfaces, "internal/auth/a.go", `package auth; import "context"; type s struct { ctx context.Context }`, "in a struct"},
	{"owned context", interfaces, "internal/auth/a.go", `package auth; import "context"; type s struct { ctx context.Context; cancel context.CancelFunc }`, ""},

	{"state", variables, "internal/auth/a.go", `package auth; var cache map[string]int`, "cache is a package variable"},
	{"empty table", variables, "internal/auth/a.go", `package auth; var cache = map[string]int{}`, "cache is a package variable"},
	{"made at start", variables, "internal/auth/a.go", `package auth; var x = open()`, "x is a package variable"},
	{"changed table", variables, "internal/auth/a.go", `package auth; var x = []int{1}; func f() { x[0] = 2 }`, "assigns to the package variable x"},
	{"table", variables, "internal/auth/a.go", `package auth; var x = map[string]int{"a": 1}; func f() { x := 2; x = 3; _ = x }`, ""},
	{"pattern", variables, "internal/auth/a.go", `package auth; import "regexp"; var x = regexp.MustCompile("a")`, ""},
	{"error", variables, "internal/auth/a.go", `package auth; import "errors"; var errX = errors.New("a")`, ""},
	{"embedded", variables, "internal/auth/a.go", "package auth\n\n//go:embed a.txt\nvar x string\n", ""},

	{"a decoder", decoders, "internal/auth/a.go", `package auth; import "encoding/json"; func f() { json.Unmarshal(nil, nil) }`, "encoding/json.Unmarshal, and internal/auth has no fuzz test"},
	{"a decoder by another name", decoders, "internal/auth/a.go", `package auth; import j "encoding/json"; func f() { j.NewDecoder(nil) }`, "has no fuzz test"},
	{"a decoder of YAML", decoders, "internal/auth/a.go", `package auth; import "github.com/goccy/go-yaml"; func f() { yaml.Unmarshal(nil, nil) }`, "has no fuzz test"},
	{"a decoder of base64", decoders, "internal/auth/a.go", `package auth; import "encoding/base64"; func f() { base64.StdEncoding.DecodeString("") }`, "has no fuzz test"},
	{"an encoder", decoders, "internal/auth/a.go", `package auth; import ("encoding/base64"; "encoding/json"); func f() { json.Marshal(base64.StdEncoding.EncodeToString(nil)) }`, ""},
	{"a decoder in a test", decoders, "internal/auth/a_test.go", `package auth; import "encoding/json"; func f() { json.Unmarshal(nil, nil) }`, ""},
	{"an excuse that nothing needs", decoders, "internal/model/router/a.go", `package router`, "needs to no more"},

	{"unfinished", finished, "internal/auth/a.go", "package auth\n// TODO: the rest\n", "says TODO"},
}

func TestRules(t *testing.T) {
	for _, c := range ruleCases {
		t.Run(c.name, func(t *testing.T) {
			h := &house{fset: token.NewFileSet()}
			if err := h.add(make(map[string]*pkg), c.file, c.source); err != nil {
				t.Fatal(err)
			}
			found := c.rule(h, h.packages[0])
			switch {
			case c.want == "" && len(found) > 0:
				t.Errorf("complains about what is right: %+v", found)
			case c.want != "" && (len(found) != 1 || !strings.Contains(found[0].what, c.want)):
				t.Errorf("got %+v, want one complaint with %q", found, c.want)
			}
		})
	}
}
