package arch

import (
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// decoding names what turns bytes or text into values, by the import path that it is
// of; a nil set means that importing the package at all is decoding.
var decoding = map[string]map[string]bool{
	"encoding/json":                               set("Unmarshal", "NewDecoder"),
	"github.com/go-json-experiment/json":          set("Unmarshal", "UnmarshalRead", "UnmarshalDecode"),
	"github.com/go-json-experiment/json/jsontext": set("NewDecoder"),
	"github.com/goccy/go-yaml":                    set("Unmarshal", "UnmarshalWithOptions", "NewDecoder", "YAMLToJSON"),
	"encoding/base64":                             set("NewDecoder", "StdEncoding.DecodeString", "RawStdEncoding.DecodeString", "URLEncoding.DecodeString", "RawURLEncoding.DecodeString"),
	"encoding/hex":                                set("Decode", "DecodeString"),
	"encoding/xml":                                nil,
	"encoding/csv":                                nil,
	"archive/tar":                                 set("NewReader"),
	"archive/zip":                                 set("NewReader", "OpenReader"),
	"mime":                                        set("ParseMediaType"),
	"mime/multipart":                              set("NewReader"),
	"net/mail":                                    set("ParseAddress", "ParseAddressList", "ReadMessage"),
	"net/netip":                                   set("ParseAddr", "ParsePrefix"),
	"net/url":                                     set("ParseQuery"),
	"time":                                        set("Parse", "ParseDuration", "LoadLocation"),
	"golang.org/x/net/html":                       set("Parse", "NewTokenizer"),
	"go.starlark.net/syntax":                      nil,
	"github.com/modelcontextprotocol/go-sdk/mcp": nil,
	"github.com/anthropics/anthropic-sdk-go":     nil,
	"github.com/chromedp/chromedp":               nil,
	"github.com/wneessen/go-mail":                nil,
}

// unfuzzed are the packages that decode and have no fuzz test, each with the reason:
// whose what it reads is, and who checks it where it comes in.
var unfuzzed = map[string]string{
	"internal/model/router": "It reads models.json, which is compiled into the program and read whole by its tests; prices that an operator writes are read by internal/config.",
}

// decoders is the rule that what decodes has a fuzz test, so that no bytes from
// outside are read by code that only ever saw what its author thought of.
func decoders(h *house, p *pkg) []complaint {
	if !strings.HasPrefix(p.dir, "internal/") && p.dir != "client" {
		return nil // what is under scripts reads what the repository itself has
	}
	place, call := "", ""
	for _, f := range p.product() {
		if call = decodes(f); call != "" {
			place = f.name
			break
		}
	}
	why, excused := unfuzzed[p.dir]
	switch fuzzed := len(fuzzTests(p)) > 0; {
	case call == "" && excused, fuzzed && excused:
		return []complaint{{p.dir, "decoders", "stands in the table of those without a fuzz test and needs to no more: take it out of decode_test.go"}}
	case excused && (!strings.HasSuffix(why, ".") || len(why) < 40):
		return []complaint{{p.dir, "decoders", "stands in the table of those without a fuzz test: say in a sentence why"}}
	case call != "" && !fuzzed && !excused:
		return []complaint{{place, "decoders", fmt.Sprintf("calls %s, and %s has no fuzz test: write one with an invariant that can fail, or say in decode_test.go whose what it reads is", call, p.dir)}}
	}
	return nil
}

// decodes names the first thing in a file that decodes, or nothing.
func decodes(f *file) (found string) {
	for path, names := range decoding {
		local, spec := importName(f, path)
		if spec == nil {
			continue
		}
		if names == nil {
			return path
		}
		if spec.Name == nil {
			local = strings.TrimPrefix(local, "go-") // what is in github.com/goccy/go-yaml is yaml
		}
		ast.Inspect(f.tree, func(node ast.Node) bool {
			if selected, ok := node.(*ast.SelectorExpr); ok && found == "" && names[of(selected, local)] {
				found = path + "." + of(selected, local)
			}
			return true
		})
	}
	return found
}

// of is what is selected of a package: Unmarshal, or StdEncoding.DecodeString.
func of(selected *ast.SelectorExpr, local string) string {
	switch x := selected.X.(type) {
	case *ast.Ident:
		if x.Name == local {
			return selected.Sel.Name
		}
	case *ast.SelectorExpr:
		if first := of(x, local); first != "" {
			return first + "." + selected.Sel.Name
		}
	}
	return ""
}

// fuzzTests are the names of a package's fuzz tests.
func fuzzTests(p *pkg) (names []string) {
	for _, f := range p.files {
		for _, decl := range f.tree.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && f.test && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Fuzz") {
				names = append(names, fn.Name.Name)
			}
		}
	}
	return names
}

// TestUnfuzzedAreThere finds lines of the table whose package has gone.
func TestUnfuzzedAreThere(t *testing.T) {
	there := map[string]bool{}
	for _, p := range load(t).packages {
		there[p.dir] = true
	}
	for dir := range unfuzzed {
		if !there[dir] {
			t.Errorf("decode_test.go: there is no package %s any more: take the line out", dir)
		}
	}
}

// TestFuzzTargetsAreListed holds that docs/security.md has every fuzz test with the
// command that runs it.
func TestFuzzTargetsAreListed(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, p := range load(t).packages {
		for _, name := range fuzzTests(p) {
			found++
			if command := fmt.Sprintf("`go test -run xxx -fuzz '%s$' -fuzztime 10s ./%s`", name, p.dir); !strings.Contains(string(page), command) {
				t.Errorf("docs/security.md does not say what %s of %s reads: add a row that ends with %s", name, p.dir, command)
			}
		}
	}
	if found < 80 {
		t.Errorf("only %d fuzz tests were found", found)
	}
}
