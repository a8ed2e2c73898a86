package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// What a reader can hold in the head. The caps are on the tail: most files and
// functions are far shorter.
const (
	maxFileLines     = 400
	maxTestFileLines = 800
	maxFunctionLines = 70
	maxParameters    = 5
	maxMethods       = 4
)

// sizes is the rule about lines and parameters.
func sizes(h *house, p *pkg) []complaint {
	var found []complaint
	for _, f := range p.files {
		limit := maxFileLines
		if f.test || p.forTests() {
			limit = maxTestFileLines
		}
		if f.lines > limit {
			found = append(found, complaint{f.name, "size", fmt.Sprintf("has %d lines, at most %d: a file is one idea; give the second one a file of its own", f.lines, limit)})
		}
		ast.Inspect(f.tree, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncDecl:
				found = append(found, function(h, node.Name.Name, node, node.Type)...)
			case *ast.FuncLit:
				found = append(found, function(h, "a function literal", node, node.Type)...)
			}
			return true
		})
	}
	return found
}

func function(h *house, called string, node ast.Node, of *ast.FuncType) []complaint {
	var found []complaint
	lines := h.fset.Position(node.End()).Line - h.fset.Position(node.Pos()).Line + 1
	if lines > maxFunctionLines {
		found = append(found, complaint{h.at(node), "size", fmt.Sprintf("%s has %d lines, at most %d: give a step of it a name and a function", called, lines, maxFunctionLines)})
	}
	if n := of.Params.NumFields(); n > maxParameters {
		found = append(found, complaint{h.at(node), "size", fmt.Sprintf("%s has %d parameters, at most %d: what belongs together is a struct", called, n, maxParameters)})
	}
	return found
}

// pointer is how a package comment ends: it sends whoever wants to change
// something to the right file.
var pointer = regexp.MustCompile(`(?s)\bTo [a-z]\w* .*\b(edit|see|write|implement|add|give|declare)\b`)

// packageComment is the rule that each package says what it is for, what it
// promises, and where to change it.
func packageComment(_ *house, p *pkg) []complaint {
	var doc string
	program := false // whose comment begins with its name, as the Go tools show it
	for _, f := range p.files {
		program = program || f.tree.Name.Name == "main"
		if f.tree.Doc != nil && !strings.HasSuffix(f.tree.Name.Name, "_test") {
			doc += f.tree.Doc.Text() + "\n"
		}
	}
	switch {
	case doc == "":
		return []complaint{{name(p.dir), "package comment", "has no package comment: say what it is for, what it promises, and end with \"To change X, edit Y\""}}
	case !program && !strings.HasPrefix(doc, "Package "):
		return []complaint{{name(p.dir), "package comment", "its comment must begin with Package and its name"}}
	case !pointer.MatchString(doc):
		return []complaint{{name(p.dir), "package comment", "its comment must end by saying where to change what: \"To change X, edit Y\""}}
	}
	return nil
}

// interfaces is the rule that seams are narrow, and contexts pass through.
func interfaces(h *house, p *pkg) []complaint {
	var found []complaint
	for _, f := range p.product() {
		ast.Inspect(f.tree, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.InterfaceType:
				if n := node.Methods.NumFields(); n > maxMethods {
					found = append(found, complaint{h.at(node), "interface", fmt.Sprintf("has %d methods, at most %d: its user declares only what it calls", n, maxMethods)})
				}
			case *ast.StructType:
				for _, field := range node.Fields.List {
					if isContext(field.Type, "Context") && !owns(node) {
						found = append(found, complaint{h.at(field), "context", "keeps a context in a struct: pass it as the first argument of what waits; only an owner that also holds its cancel keeps one"})
					}
				}
			case *ast.FuncType:
				for i, field := range node.Params.List {
					if i > 0 && isContext(field.Type, "Context") {
						found = append(found, complaint{h.at(field), "context", "a context is the first parameter"})
					}
				}
			}
			return true
		})
	}
	return found
}

// owns reports whether a struct ends its context itself: whose lifetime the
// context is.
func owns(node *ast.StructType) bool {
	for _, field := range node.Fields.List {
		if isContext(field.Type, "CancelFunc") || isContext(field.Type, "CancelCauseFunc") {
			return true
		}
	}
	return false
}

// isContext reports whether a type is this one of package context.
func isContext(expr ast.Expr, name string) bool {
	return called(expr) == "context."+name
}

// variables is the rule that packages keep no state: what stands at package
// level is an embedded file, an error, a compiled pattern, or a table that is
// written out in full and never assigned to.
func variables(h *house, p *pkg) []complaint {
	var found []complaint
	names := make(map[string]bool)
	for _, f := range p.product() {
		for _, decl := range f.tree.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				value := spec.(*ast.ValueSpec)
				for _, ident := range value.Names {
					names[ident.Name] = true
				}
				if !embedded(gen, value) && !fixed(value) {
					found = append(found, complaint{h.at(value), "variable", fmt.Sprintf(
						"%s is a package variable: only embedded files, errors, compiled patterns and full tables of constants are; make it a field of a struct, or a constant", value.Names[0].Name)})
				}
			}
		}
	}
	for _, f := range p.product() {
		found = append(found, assigned(h, f, names)...)
	}
	return found
}

func embedded(gen *ast.GenDecl, value *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{gen.Doc, value.Doc} {
		if doc == nil {
			continue
		}
		for _, comment := range doc.List {
			if strings.HasPrefix(comment.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

// fixedCalls make a value that nothing changes afterwards.
var fixedCalls = set("errors.New", "fmt.Errorf", "problem.New", "problem.Invalid", "regexp.MustCompile", "strings.NewReplacer",
	"template.Must", "netip.MustParsePrefix", "netip.MustParseAddr", "netip.AddrFrom4", "netip.PrefixFrom", "reflect.TypeFor")

// fixed reports whether the variable is one of those that may stand.
func fixed(value *ast.ValueSpec) bool {
	if len(value.Values) != len(value.Names) {
		return false
	}
	for i, expr := range value.Values {
		if value.Names[i].Name != "_" && !fixedValue(expr, true) { // _ = asserts an interface
			return false
		}
	}
	return true
}

// fixedValue judges an expression; outermost, an empty table is state that waits
// to be filled.
func fixedValue(expr ast.Expr, outermost bool) bool {
	switch expr := expr.(type) {
	case *ast.CallExpr:
		return fixedCalls[called(expr.Fun)] || !outermost
	case *ast.CompositeLit:
		if outermost && len(expr.Elts) == 0 {
			return false
		}
		for _, element := range expr.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				element = pair.Value
			}
			if !fixedValue(element, false) {
				return false
			}
		}
		return true
	case *ast.UnaryExpr:
		return fixedValue(expr.X, outermost)
	case *ast.FuncLit, *ast.BasicLit, *ast.Ident, *ast.SelectorExpr, *ast.BinaryExpr:
		return !outermost
	}
	return !outermost
}

// called is a function's name as it is written: "errors.New".
func called(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.SelectorExpr:
		return called(expr.X) + "." + expr.Sel.Name
	case *ast.IndexExpr:
		return called(expr.X)
	}
	return ""
}

// assigned finds assignments to package variables. The parser does not say what
// a name refers to, so a name that the function declares itself is let pass.
func assigned(h *house, f *file, names map[string]bool) []complaint {
	var found []complaint
	for _, decl := range f.tree.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Body == nil {
			continue
		}
		locals := localNames(fn)
		ast.Inspect(fn.Body, func(node ast.Node) bool {
			assign, ok := node.(*ast.AssignStmt)
			if !ok || assign.Tok == token.DEFINE {
				return true
			}
			for _, target := range assign.Lhs {
				if name := rootOf(target); names[name] && !locals[name] {
					found = append(found, complaint{h.at(assign), "variable", "assigns to the package variable " + name + ": everyone reads it; make it a field of a struct"})
				}
			}
			return true
		})
	}
	return found
}

// localNames are the names that a function declares: its receiver, parameters,
// results and variables.
func localNames(fn *ast.FuncDecl) map[string]bool {
	names := make(map[string]bool)
	ast.Inspect(fn, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.Field:
			for _, ident := range node.Names {
				names[ident.Name] = true
			}
		case *ast.ValueSpec:
			for _, ident := range node.Names {
				names[ident.Name] = true
			}
		case *ast.AssignStmt:
			for _, target := range node.Lhs {
				if ident, ok := target.(*ast.Ident); ok && node.Tok == token.DEFINE {
					names[ident.Name] = true
				}
			}
		case *ast.RangeStmt:
			for _, target := range []ast.Expr{node.Key, node.Value} {
				if ident, ok := target.(*ast.Ident); ok && node.Tok == token.DEFINE {
					names[ident.Name] = true
				}
			}
		}
		return true
	})
	return names
}

// rootOf is the variable that an assignment's left side changes, or "".
func rootOf(expr ast.Expr) string {
	switch expr := expr.(type) {
	case *ast.Ident:
		return expr.Name
	case *ast.IndexExpr:
		return rootOf(expr.X)
	case *ast.SelectorExpr:
		return rootOf(expr.X)
	case *ast.ParenExpr:
		return rootOf(expr.X)
	case *ast.StarExpr:
		return rootOf(expr.X)
	}
	return ""
}
