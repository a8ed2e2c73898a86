// Package arch holds the rules of this house as tests: who may import whom
// (layers_test.go), who may reach the network, the clock and the environment
// (reach_test.go), how long a file or a function gets and what each package says
// of itself (shape_test.go), and that each dependency has a page that says why
// (decisions_test.go). They read the source with go/parser, take a second, and
// every complaint says what to do.
//
// It promises that a rule can fail: rules_test.go breaks each of them once.
//
// To change a rule, edit its table; an exception is a line in exceptions_test.go
// with its reason.
package arch
