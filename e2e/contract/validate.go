package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Where the compiler finds the contract's schemas, and the mark of a reference to one.
const (
	home   = "https://contract.test/components.json"
	shared = "#/components/schemas/"
)

// validator compiles each schema of the contract once. openapi3 would do it for each
// answer, which takes longer than most answers do.
type validator struct {
	mu       sync.Mutex
	compiler *jsonschema.Compiler
	known    map[*openapi3.SchemaRef]*jsonschema.Schema
}

func newValidator(document *openapi3.T) (*validator, error) {
	components, err := plain(map[string]any{"components": map[string]any{"schemas": document.Components.Schemas}})
	if err != nil {
		return nil, err
	}
	v := &validator{compiler: jsonschema.NewCompiler(), known: map[*openapi3.SchemaRef]*jsonschema.Schema{}}
	v.compiler.DefaultDraft(jsonschema.Draft2020)
	v.compiler.AssertFormat()
	return v, v.compiler.AddResource(home, components)
}

// check reports in what way a body does not fit a schema.
func (v *validator) check(schema *openapi3.SchemaRef, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("no JSON: %w", err)
	}
	compiled, err := v.compile(schema)
	if err != nil {
		return err
	}
	return compiled.Validate(value)
}

func (v *validator) compile(schema *openapi3.SchemaRef) (*jsonschema.Schema, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.known[schema]; known != nil {
		return known, nil
	}
	at := home + schema.Ref
	if schema.Ref == "" {
		inline, err := plain(schema.Value)
		if err != nil {
			return nil, err
		}
		at = fmt.Sprintf("https://contract.test/answer-%d.json", len(v.known))
		if err := v.compiler.AddResource(at, absolute(inline)); err != nil {
			return nil, err
		}
	}
	compiled, err := v.compiler.Compile(at)
	if err != nil {
		return nil, fmt.Errorf("the contract's schema can't be used: %w", err)
	}
	v.known[schema] = compiled
	return compiled, nil
}

// plain is a value as the compiler takes it.
func plain(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("writing a schema of the contract: %w", err)
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(text))
}

// absolute makes the references of a schema that stands alone point to where the
// shared ones are.
func absolute(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if ref, is := value.(string); is && key == "$ref" && strings.HasPrefix(ref, shared) {
				node[key] = home + ref
				continue
			}
			absolute(value)
		}
	case []any:
		for _, value := range node {
			absolute(value)
		}
	}
	return node
}
