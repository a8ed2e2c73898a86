// Package schema checks JSON values against JSON schemas that users and models
// give. It compiles a schema once and keeps the most recently used; a schema may
// not refer to anything outside itself.
//
// To change what a model is told about a value that does not fit, edit explain.
package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// maxKept bounds the cache: more compiled schemas than a busy server has tools.
const maxKept = 1024

// maxProblems bounds how many faults of one value are told.
const maxProblems = 8

// Cache compiles schemas and remembers them. The zero Cache is ready to use and
// safe for concurrent use.
type Cache struct {
	mu   sync.Mutex
	kept map[[32]byte]*jsonschema.Schema
}

// Check reports whether text is itself a usable JSON schema.
func (c *Cache) Check(text []byte) error {
	_, err := c.compile(text)
	return err
}

// Validate reports whether the JSON text value is Sound and satisfies the schema.
// The error says, for people and models alike, where the value departs from it.
func (c *Cache) Validate(schema, value []byte) error {
	if err := Sound(value); err != nil {
		return err
	}
	compiled, err := c.compile(schema)
	if err != nil {
		return err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return fmt.Errorf("not valid JSON: %w", err)
	}
	var invalid *jsonschema.ValidationError
	if err := compiled.Validate(parsed); errors.As(err, &invalid) {
		return explain(invalid)
	} else if err != nil {
		return err
	}
	return nil
}

func (c *Cache) compile(text []byte) (*jsonschema.Schema, error) {
	key := sha256.Sum256(text)
	c.mu.Lock()
	compiled := c.kept[key]
	c.mu.Unlock()
	if compiled != nil {
		return compiled, nil
	}
	compiled, err := compile(text)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= maxKept {
		c.kept = map[[32]byte]*jsonschema.Schema{} // all at once: simpler than ages, and rare
	}
	c.kept[key] = compiled
	return compiled, nil
}

// closed refuses every reference that leaves the schema: no file, no network.
type closed struct{}

func (closed) Load(url string) (any, error) {
	return nil, fmt.Errorf("a schema may not refer to %s: put what it needs under $defs", url)
}

func compile(text []byte) (*jsonschema.Schema, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("not valid JSON: %w", err)
	}
	const name = "errand:schema"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(closed{})
	if err := compiler.AddResource(name, parsed); err != nil {
		return nil, fmt.Errorf("not a JSON schema: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("not a JSON schema: %s", strings.ReplaceAll(err.Error(), name, "the schema"))
	}
	return compiled, nil
}

// explain lists the leaves of the error tree: "at /to: got number, want string".
func explain(invalid *jsonschema.ValidationError) error {
	printer := message.NewPrinter(language.English)
	var lines []string
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) == 0 {
			at := "/" + strings.Join(e.InstanceLocation, "/")
			lines = append(lines, fmt.Sprintf("at %s: %s", at, e.ErrorKind.LocalizedString(printer)))
		}
	}
	walk(invalid)
	if more := len(lines) - maxProblems; more > 0 {
		lines = append(lines[:maxProblems], fmt.Sprintf("and %d more", more))
	}
	return errors.New(strings.Join(lines, "; "))
}

// Extract finds the JSON value in a model's answer: the whole text, or what is
// inside its one fenced block, or what follows its first brace or bracket.
func Extract(text string) (json.RawMessage, bool) {
	text = strings.TrimSpace(text)
	if _, rest, ok := strings.Cut(text, "```"); ok {
		body, _, closed := strings.Cut(rest, "```")
		if _, afterTag, ok := strings.Cut(body, "\n"); closed && ok {
			if value, ok := firstValue(afterTag); ok {
				return value, true
			}
		}
	}
	if value, ok := firstValue(text); ok {
		return value, true
	}
	if start := strings.IndexAny(text, "{["); start > 0 {
		return firstValue(text[start:])
	}
	return nil, false
}

func firstValue(text string) (json.RawMessage, bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	var value json.RawMessage
	if err := decoder.Decode(&value); err != nil {
		return nil, false
	}
	if _, err := decoder.Token(); text[0] != '{' && text[0] != '[' && !errors.Is(err, io.EOF) {
		return nil, false // a number or a word with prose behind it is prose
	}
	return value, true
}

// maxDepth bounds how deep a value may nest: far above what any schema describes,
// and far below where the JSON readers of other languages give up (Python's at
// about a thousand), so that whoever gets a value from here can read it.
const maxDepth = 256

// Sound reports whether text is one JSON value that every reader reads alike: no
// key twice in an object, of which some take the first and some the last, no half
// of a surrogate pair, no byte that is no UTF-8, no endless depth.
func Sound(text []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	for whole := false; ; {
		_, err := decoder.ReadToken()
		switch {
		case whole && errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return unsound(err)
		case whole:
			return errors.New("not valid JSON: something follows the value")
		case decoder.StackDepth() > maxDepth:
			return fmt.Errorf("not usable: it nests deeper than %d levels", maxDepth)
		}
		whole = decoder.StackDepth() == 0
	}
}

// unsound says what is wrong with a text, in few words however long it is.
func unsound(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case !errors.As(err, &syntax):
		return fmt.Errorf("not valid JSON: %w", err)
	case errors.Is(err, jsontext.ErrDuplicateName):
		name := syntax.JSONPointer.LastToken()
		return fmt.Errorf("not usable: the key %.64q is there twice in one object; keep one of them", name)
	}
	return fmt.Errorf("not valid JSON at byte %d: %w", syntax.ByteOffset, syntax.Err)
}

// Object reports whether text is a Sound JSON object, the least that tool
// arguments have to be.
func Object(text []byte) error {
	if err := Sound(text); err != nil {
		return err
	}
	if object := bytes.TrimLeft(text, " \t\r\n"); object[0] != '{' {
		return errors.New("not a JSON object")
	}
	return nil
}
