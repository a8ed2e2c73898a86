// Package rule decides whether a gate holds for a call, by a condition over the
// call's arguments: amount > 100, to endsWith "@corp.com".
//
// What it promises: a condition reads the arguments and nothing else, no clock, no
// file, no network; it always ends, and soon, because what could take long (nested
// loops, ranges, text that doubles) is refused when it is saved; and whatever goes
// wrong while it is evaluated, the gate holds. A person sees what nobody could judge.
//
// The names in a condition are the fields of the arguments. One that is not there, or
// null, can't be compared with anything, so the gate holds: a tool may take what is
// missing for something that the condition was written against. A condition that has
// to do with it says so: to == nil, (to ?? "").
//
// To change what a condition may say, edit allowed and inspector in check.go.
package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

const (
	// maxArguments is the largest call, in bytes, that is judged: what a condition
	// costs grows with the arguments. The gate holds for a larger one.
	maxArguments = 32 << 10
	// maxKept bounds the compiled conditions that are remembered: more than the
	// agents of a busy server have.
	maxKept = 1024
)

// Book compiles conditions and remembers them. The zero Book is ready to use and
// safe for concurrent use.
type Book struct {
	mu   sync.Mutex
	kept map[string]*vm.Program
}

// Holds reports whether the arguments of a call, one JSON object, satisfy the
// condition. It is also true where that can't be told.
func (b *Book) Holds(when, arguments string) bool {
	held, err := b.judge(when, arguments)
	return held || err != nil
}

func (b *Book) judge(when, arguments string) (bool, error) {
	if len(arguments) > maxArguments {
		return false, errors.New("the arguments are too large to be judged")
	}
	program, err := b.program(when)
	if err != nil {
		return false, err
	}
	fields, err := read(arguments)
	if err != nil {
		return false, err
	}
	out, err := expr.Run(program, fields)
	if err != nil {
		return false, fmt.Errorf("evaluating %q: %w", when, err)
	}
	held, truth := out.(bool)
	if !truth {
		return false, fmt.Errorf("%q is %T, not true or false", when, out)
	}
	return held, nil
}

func (b *Book) program(when string) (*vm.Program, error) {
	b.mu.Lock()
	known := b.kept[when]
	b.mu.Unlock()
	if known != nil {
		return known, nil
	}
	made, _, err := compile(when)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept == nil || len(b.kept) >= maxKept {
		b.kept = map[string]*vm.Program{} // to forget all is rare, and costs a millisecond
	}
	b.kept[when] = made
	return made, nil
}

// read decodes arguments with whole numbers as such: an id of 64 bits is compared
// digit by digit.
func read(arguments string) (map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(arguments))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, fmt.Errorf("reading the arguments: %w", err)
	}
	if rest, _ := decoder.Token(); rest != nil || fields == nil {
		return nil, errors.New("the arguments are not one JSON object")
	}
	plain, err := numbers(fields)
	if err != nil {
		return nil, err
	}
	return plain.(map[string]any), nil
}

func numbers(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case json.Number:
		if whole, err := v.Int64(); err == nil && int64(int(whole)) == whole {
			return int(whole), nil
		}
		size, err := v.Float64()
		if err != nil || math.IsInf(size, 0) || !exact(v.String(), size) {
			return nil, fmt.Errorf("%.40s is no number that can be compared", v)
		}
		return size, nil
	case map[string]any:
		for name := range v {
			if v[name], err = numbers(v[name]); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range v {
			if v[i], err = numbers(v[i]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// exact reports whether a number is a float64 as people write it. One that is rounded
// to another could pass a limit that it is beyond.
func exact(number string, size float64) bool {
	return strings.ContainsAny(number, ".eE") && digits(number) == digits(strconv.FormatFloat(size, 'e', -1, 64))
}

// digits are those of a number that count.
func digits(number string) string {
	number, _, _ = strings.Cut(strings.ToLower(number), "e")
	return strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(number), "0")
}

// oneLine is an error of the compiler without its drawing of where it is.
func oneLine(err error) string {
	line, _, _ := bytes.Cut([]byte(err.Error()), []byte("\n"))
	return string(line)
}
