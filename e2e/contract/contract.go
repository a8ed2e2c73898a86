// Package contract checks what goes over the wire against api/openapi.yaml, for
// tests alone: the validator is not part of the program.
//
// It promises to be stricter than the contract: an answer may not have a key that
// the contract does not describe, and a status that it does not list is a fault.
//
// To change what is promised, edit api/openapi.yaml.
package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"errand/api"
)

// Contract is the document, and what was seen of it.
type Contract struct {
	Document  *openapi3.T // is shared, and must not be changed
	validator *validator
	mu        sync.Mutex
	seen      map[string]bool
}

// Operation is one method of one path.
type Operation struct {
	Method, Path string
	Tags         []string
	Scope        string   // x-scope
	Open         bool     // needs no key
	Query        []string // its query parameters, sorted
}

// Load returns the contract, of which nothing is seen yet. Reading it takes a second
// with the race detector, so each process reads it once; that it is valid is for a test
// of its own.
func Load() (*Contract, error) {
	document, err := load()
	if err != nil {
		return nil, err
	}
	return &Contract{Document: document.T, validator: document.validator, seen: map[string]bool{}}, nil
}

type document struct {
	*openapi3.T
	validator *validator
}

var load = sync.OnceValues(func() (document, error) {
	read, err := openapi3.NewLoader().LoadFromData(api.YAML)
	if err != nil {
		return document{}, fmt.Errorf("loading the contract: %w", err)
	}
	closeSchemas(read)
	v, err := newValidator(read)
	return document{read, v}, err
})

// closeSchemas lets no object have a property that is not described, unless its
// schema speaks of others.
func closeSchemas(document *openapi3.T) {
	done := map[*openapi3.Schema]bool{}
	var closeOne func(*openapi3.SchemaRef)
	closeOne = func(ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || done[ref.Value] {
			return
		}
		s := ref.Value
		done[s] = true
		if len(s.Properties) > 0 && s.AdditionalProperties.Has == nil && s.AdditionalProperties.Schema == nil {
			no := false
			s.AdditionalProperties.Has = &no
		}
		for _, property := range s.Properties {
			closeOne(property)
		}
		closeOne(s.Items)
		for _, list := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
			for _, choice := range list {
				closeOne(choice)
			}
		}
	}
	for _, schema := range document.Components.Schemas {
		closeOne(schema)
	}
	for _, item := range document.Paths.Map() {
		for _, operation := range item.Operations() {
			for _, response := range operation.Responses.Map() {
				for _, media := range response.Value.Content {
					closeOne(media.Schema)
				}
			}
		}
	}
}

// Operations lists what the contract describes.
func (c *Contract) Operations() []Operation {
	var all []Operation
	for path, item := range c.Document.Paths.Map() {
		for method, operation := range item.Operations() {
			scope, _ := operation.Extensions["x-scope"].(string)
			all = append(all, Operation{
				Method: method, Path: path, Tags: operation.Tags, Scope: scope,
				Open:  operation.Security != nil && len(*operation.Security) == 0,
				Query: queryNames(item.Parameters, operation.Parameters),
			})
		}
	}
	slices.SortFunc(all, func(a, b Operation) int { return strings.Compare(a.Path+a.Method, b.Path+b.Method) })
	return all
}

func queryNames(lists ...openapi3.Parameters) []string {
	names := []string{}
	for _, list := range lists {
		for _, parameter := range list {
			if parameter.Value.In == openapi3.ParameterInQuery {
				names = append(names, parameter.Value.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// Check reports in what way an answer to a request does not fit the contract.
// What came for a path or a method that the contract does not have must be an
// error, in the shape that the path names as x-error or else in the native one, or
// it is not this contract's business.
func (c *Contract) Check(method, path string, answer *http.Response, body []byte) error {
	operation := c.find(method, path)
	if operation == nil {
		if strings.HasPrefix(path, "/v1/") {
			return c.checkError(path, body)
		}
		return nil
	}
	c.mu.Lock()
	c.seen[fmt.Sprintf("%s %d", operation.OperationID, answer.StatusCode)] = true
	c.mu.Unlock()
	response := operation.Responses.Status(answer.StatusCode)
	if response == nil {
		return fmt.Errorf("%s %s: status %d is not in the contract: %s", method, path, answer.StatusCode, clip(body))
	}
	if len(response.Value.Content) == 0 {
		return nil
	}
	kind, _, _ := strings.Cut(answer.Header.Get("Content-Type"), ";")
	media := response.Value.Content[strings.TrimSpace(kind)]
	if media == nil {
		return fmt.Errorf("%s %s: %d with Content-Type %q is not in the contract", method, path, answer.StatusCode, kind)
	}
	if kind != "application/json" || media.Schema == nil {
		return nil
	}
	if err := c.validator.check(media.Schema, body); err != nil {
		return fmt.Errorf("%s %s: %d: %w in %s", method, path, answer.StatusCode, err, clip(body))
	}
	return nil
}

func (c *Contract) checkError(path string, body []byte) error {
	if len(body) == 0 {
		return nil
	}
	shape := "Error"
	if item := c.item(path); item != nil && item.Extensions["x-error"] != nil {
		shape, _ = item.Extensions["x-error"].(string)
	}
	schema := c.Document.Components.Schemas[shape]
	if schema == nil {
		return fmt.Errorf("%s: its x-error %q is no schema", path, shape)
	}
	return c.validator.check(schema, body)
}

func clip(body []byte) string { return string(body[:min(len(body), 2000)]) }

func (c *Contract) find(method, path string) *openapi3.Operation {
	if item := c.item(path); item != nil {
		return item.GetOperation(method)
	}
	return nil
}

// item matches a path against the contract's; a literal segment goes before a
// parameter.
func (c *Contract) item(path string) *openapi3.PathItem {
	var best *openapi3.PathItem
	literals := -1
	for pattern, item := range c.Document.Paths.Map() {
		if n, ok := matches(pattern, path); ok && n > literals {
			literals, best = n, item
		}
	}
	return best
}

func matches(pattern, path string) (literals int, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return 0, false
	}
	for i := range want {
		switch {
		case want[i] == have[i]:
			literals++
		case !strings.HasPrefix(want[i], "{") || have[i] == "":
			return 0, false
		}
	}
	return literals, true
}

// Missing lists the operations of these tags of which no answer was checked.
func (c *Contract) Missing(tags ...string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var missing []string
	for path, item := range c.Document.Paths.Map() {
		for method, operation := range item.Operations() {
			covered := false
			for seen := range c.seen {
				covered = covered || strings.HasPrefix(seen, operation.OperationID+" 2")
			}
			if !covered && len(operation.Tags) > 0 && slices.Contains(tags, operation.Tags[0]) {
				missing = append(missing, method+" "+path)
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// Transport is an http.RoundTripper that checks every answer and fails the test
// where one does not fit. Streams are passed on unread.
type Transport struct {
	T        testing.TB
	Contract *Contract
	Next     http.RoundTripper // nil = http.DefaultTransport
}

// RoundTrip makes the request and checks its answer.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	next := t.Next
	if next == nil {
		next = http.DefaultTransport
	}
	answer, err := next.RoundTrip(request)
	if err != nil {
		return answer, err
	}
	var body []byte
	if !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		body, err = io.ReadAll(answer.Body)
		if closed := answer.Body.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return nil, err
		}
		answer.Body = io.NopCloser(bytes.NewReader(body))
	}
	if err := t.Contract.Check(request.Method, request.URL.EscapedPath(), answer, body); err != nil {
		t.T.Errorf("outside of the contract: %v", err)
	}
	return answer, nil
}
