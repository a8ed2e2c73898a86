package rule

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"
)

// Bounds of a condition. What it costs at most is their product with the size of
// the arguments: milliseconds, where nobody has set out to make it slow.
const (
	maxLength = 500 // bytes: some lines
	maxNodes  = 100 // names, constants and operators
	maxLoops  = 2   // any(…), all(…) and the like, none within another
	maxJoins  = 8   // of +, which makes texts longer
)

// allowed are the functions that a condition may call. None of them reads a clock,
// and what they make is no larger than what they are given.
func allowed() []string {
	return []string{"all", "any", "none", "one", "count", "len", "lower", "upper", "trim", "abs", "int", "float", "string"}
}

// Check reports in what way a condition can't be used, and returns the names of
// the arguments that it reads.
func Check(when string) (names []string, err error) {
	_, names, err = compile(when)
	return names, err
}

func compile(when string) (*vm.Program, []string, error) {
	if len(when) > maxLength {
		return nil, nil, fmt.Errorf("it is too long: at most %d bytes", maxLength)
	}
	seen := &inspector{guarded: map[*ast.BinaryNode]bool{}}
	options := []expr.Option{
		expr.Env(map[string]any{}), expr.AllowUndefinedVariables(), expr.AsBool(), expr.MaxNodes(maxNodes),
		expr.DisableAllBuiltins(), expr.Patch(seen), expr.Optimize(false),
	}
	for _, name := range allowed() {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(when, options...)
	switch {
	case seen.fault != nil:
		return nil, nil, seen.fault
	case err != nil:
		return nil, nil, errors.New(oneLine(err))
	case seen.loops > maxLoops:
		return nil, nil, fmt.Errorf("it has too many of any(…), all(…) and the like: at most %d", maxLoops)
	case seen.joins > maxJoins:
		return nil, nil, fmt.Errorf("it has too many +: at most %d", maxJoins)
	case len(seen.names) == 0:
		return nil, nil, errors.New("it reads no argument, so it would say the same of every call")
	}
	slices.Sort(seen.names)
	return program, slices.Compact(seen.names), nil
}

// inspector sees each node of a condition, children first, and has comparisons with
// what is not there fail.
type inspector struct {
	names        []string
	loops, joins int
	fault        error
	guarded      map[*ast.BinaryNode]bool
}

// Visit is called by the compiler, which may do so more than once for a node: the
// counts are then too high by as much, never too low.
func (i *inspector) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value != "$env" {
			i.names = append(i.names, n.Value)
		}
	case *ast.MemberNode:
		if root, all := n.Node.(*ast.IdentifierNode); all && root.Value == "$env" {
			if name, plain := n.Property.(*ast.StringNode); plain {
				i.names = append(i.names, name.Value)
			} else {
				i.refuse("name the argument itself after $env, as in $env[\"my-field\"]")
			}
		}
	case *ast.CallNode:
		i.refuse(fmt.Sprintf("there is no function %s: there are %s", n.Callee, strings.Join(allowed(), ", ")))
	case *ast.PredicateNode:
		i.loops++
		inner := finder(false)
		ast.Walk(&n.Node, &inner)
		if inner {
			i.refuse("any(…), all(…) and the like can't stand in one another")
		}
	case *ast.VariableDeclaratorNode, *ast.SequenceNode:
		i.refuse("let and ; are not for conditions: write one expression")
	case *ast.BinaryNode:
		i.operator(n)
		if !i.guarded[n] {
			i.guarded[n] = true
			ast.Patch(node, guard(n))
		}
	}
}

// finder is true when it has seen a loop.
type finder bool

// Visit is called by ast.Walk.
func (f *finder) Visit(node *ast.Node) {
	if _, loop := (*node).(*ast.PredicateNode); loop {
		*f = true
	}
}

// guard makes a comparison fail whose operand is not there. The language itself says
// false then, and so would let a call pass that nobody can judge. A comparison with
// nil is about just that.
func guard(n *ast.BinaryNode) ast.Node {
	switch n.Operator {
	case "==", "!=", "in", "contains", "startsWith", "endsWith", "matches":
	default:
		return n // of the rest, those that could be misled fail by themselves
	}
	var whole ast.Node = n
	for _, operand := range []ast.Node{n.Left, n.Right} {
		switch operand.(type) {
		case *ast.NilNode:
			return n
		case *ast.IdentifierNode, *ast.MemberNode, *ast.ChainNode, *ast.PointerNode:
			whole = &ast.ConditionalNode{
				Cond: &ast.BinaryNode{Operator: "==", Left: operand, Right: &ast.NilNode{}},
				Exp1: &ast.BinaryNode{Operator: "<", Left: operand, Right: &ast.IntegerNode{}}, // nil has no size: an error
				Exp2: whole,
			}
		}
	}
	return whole
}

func (i *inspector) operator(n *ast.BinaryNode) {
	switch n.Operator {
	case "+":
		i.joins++
	case "..":
		i.refuse("ranges are not for conditions: compare with >= and <=")
	case "matches":
		if _, constant := n.Right.(*ast.StringNode); !constant {
			i.refuse("the pattern behind matches must be a text in quotes")
		}
	}
}

func (i *inspector) refuse(why string) {
	if i.fault == nil {
		i.fault = errors.New(why)
	}
}
