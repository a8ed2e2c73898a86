package arch

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// layer says which packages of this module a folder may import.
type layer struct {
	folder string   // as in covers; the first line that covers a package holds
	may    []string // folders as in covers
	why    string
}

// layers is the house from its foundation up: imports point down only. Nothing
// is allowed but what is written here, so a new package starts with a line.
var layers = []layer{
	{"internal/problem", nil, "the one error type stands on nothing"},
	{"internal/run", may("internal/problem"), "the core is pure and knows nobody above it"},
	{"internal/egress", may("internal/problem"), "the guard of outgoing connections is a leaf"},
	{"internal/schema", may("internal/problem"), "checking JSON against a schema is a leaf"},
	{"internal/seal", nil, "sealing credentials is a leaf that knows nothing of what they are for"},
	{"internal/secret", nil, "the forms of a secret in a text are a leaf: strings in, strings out"},
	{"internal/obs", may("internal/secret", "internal/problem"), "logs and metrics are a leaf that anyone could read"},

	{"internal/span", may("internal/run"), "spans are made of stored events: they know no engine that tells of them"},

	{"internal/rule", nil, "conditions of gates are a leaf: text and arguments in, a word out"},

	{"internal/agent", may("internal/rule", "internal/run", "internal/problem", "internal/schema"), "a saved definition becomes a run.Spec, purely"},
	{"internal/auth", may("internal/run", "internal/problem", "internal/schema"), "projects, keys and scopes know no server"},

	{"internal/model/router", may("internal/run", "internal/problem"), "the router is given models, it makes none"},
	{"internal/model/remote", may("internal/secret", "internal/run", "internal/problem"), "what clients of providers share knows none of them"},
	{"internal/model/openai", may("internal/model/remote", "internal/run", "internal/problem"), "a client of one wire format"},
	{"internal/model/anthropic", may("internal/model/remote", "internal/run", "internal/problem"), "a client of one wire format"},
	{"internal/model/...", may("internal/run", "internal/problem"), "a model satisfies the engine's interface without importing it"},
	{"internal/index", may("internal/run", "internal/problem"), "the search index satisfies what tools and the API ask of one without importing them, and is handed what keeps it"},
	{"internal/index/...", may("internal/index", "internal/run", "internal/problem"), "a backing keeps what package index decides, and knows neither the store beside it nor the other backing"},
	{"internal/tool", may("internal/secret", "internal/run", "internal/problem", "internal/schema", "internal/egress"), "what tools share, and the registered ones"},
	{"internal/tool/mcp", may("internal/secret", "internal/run", "internal/problem", "internal/schema", "internal/egress", "internal/tool"), "servers of tools, whose credentials are cut out of what they say"},
	{"internal/tool/web", may("internal/tool/web/search", "internal/run", "internal/problem", "internal/egress", "internal/tool"), "a tool over the search engines"},
	{"internal/tool/...", may("internal/run", "internal/problem", "internal/schema", "internal/egress", "internal/tool"), "a tool satisfies the engine's interface without importing it"},
	{"internal/store/...", may("internal/store", "internal/run", "internal/problem"), "a store satisfies the engine's interface without importing it, and knows no API"},
	{"internal/queue/...", may("internal/queue", "internal/run", "internal/problem"), "a queue knows jobs, not what they are for"},

	{"internal/audit", may("internal/run", "internal/problem"), "the log of who did what is told of commits; how lines are hashed is handed to it"},
	{"internal/file", may("internal/run", "internal/problem"), "stored files know no API and no tool that uses them"},
	{"internal/webhook", may("internal/run", "internal/problem", "internal/egress"), "webhooks are told of runs by their log; what they say is rendered by others"},

	{"internal/schedule", may("internal/run", "internal/problem"), "schedules know jobs and rows; whom they start, and how, is handed to them"},
	{"internal/robot", may("internal/agent", "internal/run", "internal/problem"), "a robot becomes specs of runs, and its executions are read from their logs; it knows no engine and no API"},
	{"internal/robot/post", may("internal/robot", "internal/run", "internal/problem", "internal/egress"), "what robots deliver leaves the house here"},

	{"internal/project", may("internal/auth", "internal/run", "internal/problem"), "what becomes of projects as a whole is decided on what stores, keys and files are handed to it"},

	{"internal/workflow", may("internal/run", "internal/problem"), "a replay is a model that stands before the router and knows no API"},

	{"internal/feed", may("internal/run"), "the feed of changes is told of commits and knows nobody"},
	{"internal/node", nil, "who lives among the nodes is told by leases; what they had is given away by others"},
	{"internal/explain", may("internal/run", "internal/problem"), "why a run waits is read from its log, purely"},
	{"internal/engine", may("internal/run", "internal/problem", "internal/schema"), "the engine declares what it needs and is handed it"},

	{"api", nil, "the contract is a file and its embedding"},
	{"internal/api/wire/wiretest", may("e2e/contract", "internal/api/wire", "internal/engine", "internal/auth", "internal/run"), "the world that tests of all dialects share: it knows none of them"},
	{"internal/api/wire", may("internal/audit", "internal/engine", "internal/agent", "internal/auth", "internal/schema", "internal/run", "internal/problem"), "what all dialects share stands on the engine"},
	{"internal/api/chat", may("internal/run", "internal/problem"), "the format of chat completions, which more than one dialect speaks"},
	{"internal/api/yao", may("api", "internal/robot", "internal/api/chat", "internal/api/wire", "internal/audit", "internal/engine", "internal/agent", "internal/auth", "internal/schema", "internal/run", "internal/problem"), "the dialect of robots shows what a robot makes of its runs, and speaks the format of chat completions"},
	{"internal/api/openai", may("internal/api/chat", "internal/api/wire", "internal/audit", "internal/engine", "internal/agent", "internal/auth", "internal/schema", "internal/run", "internal/problem"), "chat completions of saved agents and models"},
	{"internal/api/webagent", may("api", "internal/workflow", "internal/api/wire", "internal/audit", "internal/engine", "internal/agent", "internal/auth", "internal/schema", "internal/run", "internal/problem"), "the dialect that shows recorded workflows and starts replays"},
	{"internal/api/native", may("api", "internal/explain", "internal/feed", "internal/api/wire", "internal/audit", "internal/engine", "internal/agent", "internal/auth", "internal/schema", "internal/run", "internal/problem"), "the product's own API also explains runs and tells what changes"},
	{"internal/api/...", may("api", "internal/api/wire", "internal/audit", "internal/engine", "internal/agent", "internal/auth", "internal/schema", "internal/run", "internal/problem"), "a dialect translates at the edge; it never imports another dialect, a store, a model or a tool"},
	{"internal/ui", nil, "embedded files and nothing else"},

	{"internal/config", may("internal/run", "internal/problem", "internal/schema"), "settings are read before anything stands"},
	{"client", nil, "the public client is what any program could write"},
	{"examples/...", nil, "examples are files and their embedding"},
	{"internal/app", may("..."), "the one place where everything meets"},
	{"", may("internal/app"), "main hands over to app"},
	{"scripts/...", nil, "a script works beside the program"},
}

// fakes are real in-memory implementations, and the suites, that any test may
// import beside what its package may.
var fakes = may("internal/api/wire/wiretest", "internal/store/memory", "internal/queue/local", "internal/model/script", "internal/model/offline",
	"internal/store/storetest", "internal/store/postgres", "internal/store/postgres/pgtest", "internal/index/indextest", "internal/queue/queuetest", "internal/model/modeltest", "internal/tool/tooltest",
	"internal/store", "internal/store/sqlite", "internal/auth", "internal/file", "internal/webhook", "internal/seal", "internal/tool/email/sink", "internal/run", "internal/problem", "internal/schema", "internal/egress", "api", "examples/...")

// wholeProgram are tests that stand above everything, and may import it.
var wholeProgram = may("e2e/...", "bench/...", "docs", "internal/arch", "internal/model/openai/oracle/...")

func may(folders ...string) []string { return folders }

// layerOf returns the line that holds for a package, or nil.
func layerOf(dir string) *layer {
	for i := range layers {
		if covers(layers[i].folder, dir) {
			return &layers[i]
		}
	}
	return nil
}

// imports is the rule that imports point down only.
func imports(h *house, p *pkg) []complaint {
	if matches(wholeProgram, p.dir) {
		return nil
	}
	line := layerOf(p.dir)
	if line == nil {
		return []complaint{{p.dir, "imports", "this package has no place in the house: give it a line in the layers of internal/arch/layers_test.go, with what it may import and why"}}
	}
	var found []complaint
	for _, f := range p.files {
		for _, spec := range f.tree.Imports {
			dir, ours := inModule(spec.Path.Value)
			if !ours || dir == p.dir || matches(line.may, dir) {
				continue
			}
			if f.test && (matches(fakes, dir) || matches(wholeProgram, dir)) || p.forTests() && matches(fakes, dir) {
				continue
			}
			found = append(found, complaint{h.at(spec), "imports", fmt.Sprintf(
				"%s may not import %s (%s). Declare the small interface that it needs in its own package and let internal/app hand the implementation in; it may import %s",
				name(p.dir), dir, line.why, list(line.may))})
		}
	}
	return found
}

// inModule returns the folder of an import path of this module.
func inModule(quoted string) (dir string, ours bool) {
	imported, err := strconv.Unquote(quoted)
	if err != nil {
		return "", false
	}
	if imported == module {
		return "", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// vagueNames say nothing of what a package is for.
var vagueNames = []string{"util", "utils", "common", "helper", "helpers", "types", "models", "misc", "shared", "base", "core", "lib"}

// packageName is the rule that a package is a singular noun of one word, called
// as its folder.
func packageName(_ *house, p *pkg) []complaint {
	var found []complaint
	for _, f := range p.files {
		called := strings.TrimSuffix(f.tree.Name.Name, "_test")
		switch {
		case called == "main":
		case matches(vagueNames, called):
			found = append(found, complaint{f.name, "package name", called + " says nothing: name the package after the thing that it holds"})
		case called != strings.ToLower(called) || strings.Contains(called, "_"):
			found = append(found, complaint{f.name, "package name", called + ": a package name is one word in lower case"})
		case p.dir != "" && !strings.Contains(path.Base(p.dir), "-") && called != path.Base(p.dir):
			found = append(found, complaint{f.name, "package name", fmt.Sprintf("package %s stands in folder %s: call both the same", called, path.Base(p.dir))})
		}
	}
	return found
}

func name(dir string) string {
	if dir == "" {
		return "main"
	}
	return dir
}

func list(folders []string) string {
	if len(folders) == 0 {
		return "nothing of this module"
	}
	return strings.Join(folders, ", ")
}
