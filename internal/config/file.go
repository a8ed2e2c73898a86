package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// List is a list of texts; in the file it may be one text with commas.
type List []string

// UnmarshalYAML reads both forms.
func (l *List) UnmarshalYAML(text []byte) error {
	var one string
	if err := yaml.Unmarshal(text, &one); err == nil {
		*l = commas(one)
		return nil
	}
	return yaml.Unmarshal(text, (*[]string)(l))
}

// UnmarshalYAML reads a parameter as a type's name or as a mapping.
func (p *Parameter) UnmarshalYAML(text []byte) error {
	var name string
	if err := yaml.Unmarshal(text, &name); err == nil {
		*p = Parameter{Type: name}
		return nil
	}
	type plain Parameter
	return yaml.Unmarshal(text, (*plain)(p))
}

// Document is a definition in the native API's own form. Origin says where it
// was written, for messages.
type Document struct {
	Origin  string
	JSON    json.RawMessage
	Secrets []Secret // headers of a tool that came from the environment
}

// UnmarshalYAML reads a definition, or keeps the path of one until the folder
// that it is relative to is known.
func (d *Document) UnmarshalYAML(text []byte) error {
	var path string
	if err := yaml.Unmarshal(text, &path); err == nil {
		d.Origin = path
		return nil
	}
	converted, err := toJSON(text)
	d.JSON = converted
	return err
}

// toJSON converts YAML. Some of its values have no form in JSON, and the
// conversion leaves them as they are.
func toJSON(text []byte) (json.RawMessage, error) {
	converted, err := yaml.YAMLToJSON(text)
	if converted = bytes.TrimSpace(converted); err == nil && len(converted) > 0 && !json.Valid(converted) {
		err = errors.New("a value in it has no JSON form, such as .nan, .inf or a mapping as a key: write another one")
	}
	return converted, err
}

// ReadDocument reads a definition, YAML or JSON, from r.
func ReadDocument(r io.Reader, origin string) (Document, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return Document{}, fmt.Errorf("reading %s: %w", origin, err)
	}
	converted, err := toJSON(text)
	if err != nil {
		return Document{}, fmt.Errorf("%s: %s", origin, yaml.FormatError(err, false, true))
	}
	return Document{Origin: origin, JSON: converted}, nil
}

// ReadDocumentFile reads a definition from a file.
func ReadDocumentFile(path string) (Document, error) {
	file, err := os.Open(path)
	if err != nil {
		return Document{}, fmt.Errorf("reading a definition: %w", err)
	}
	defer file.Close()
	return ReadDocument(file, path)
}

// decodeFile reads errand.yaml over what is already set. Its relative paths
// start at its own folder, so that the file can be used from anywhere.
func (c *Config) decodeFile(path string, text []byte, env map[string]string) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	for _, doc := range file.Docs {
		if err := checkKeys(doc.Body, reflect.TypeFor[Config](), ""); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if !slices.ContainsFunc(file.Docs, func(doc *ast.DocumentNode) bool { return doc.Body != nil }) {
		return nil // it says nothing, and reading that would empty everything
	}
	data := c.Data // the default is relative to the working directory instead
	c.Data = ""
	if err := yaml.Unmarshal(text, c); err != nil {
		return fmt.Errorf("%s: %s", path, yaml.FormatError(err, false, true))
	}
	if err := c.fillIn(env); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := c.rebase(filepath.Dir(path)); err != nil {
		return err
	}
	if err := c.fillTools(env); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	c.Data = cmp.Or(c.Data, data)
	return nil
}

func (c *Config) rebase(dir string) error {
	c.Data, c.TLSCert, c.TLSKey = within(dir, c.Data), within(dir, c.TLSCert), within(dir, c.TLSKey)
	c.PricesFile = within(dir, c.PricesFile)
	for name, q := range c.SQL {
		if path, ok := strings.CutPrefix(q.DSN.Reveal(), "sqlite:"); path != "" && (ok || !strings.Contains(path, ":")) {
			q.DSN = Secret(within(dir, path))
			c.SQL[name] = q
		}
	}
	for name, s := range c.MCP {
		if strings.ContainsRune(s.Command, '/') { // else it is looked for on the PATH
			s.Command = within(dir, s.Command)
			c.MCP[name] = s
		}
	}
	for _, list := range [][]Document{c.Tools, c.Agents} {
		for i := range list {
			if list[i].JSON != nil {
				list[i].Origin = c.File
				continue
			}
			read, err := ReadDocumentFile(within(dir, list[i].Origin))
			if err != nil {
				return fmt.Errorf("%s: %w", c.File, err)
			}
			list[i] = read
		}
	}
	return nil
}

// checkKeys walks the file beside the type that it is read into and refuses the
// first key that the type does not have, with its line. The decoder's own strict
// mode knows no nearest key and stops at types that read themselves.
func checkKeys(node ast.Node, into reflect.Type, path string) error {
	for into.Kind() == reflect.Pointer {
		into = into.Elem()
	}
	if into == reflect.TypeFor[Document]() {
		return nil // the native API checks its own fields
	}
	switch node := node.(type) {
	case *ast.MappingNode:
		for _, entry := range node.Values {
			if err := checkKey(entry, into, path); err != nil {
				return err
			}
		}
	case *ast.MappingValueNode:
		return checkKey(node, into, path)
	case *ast.SequenceNode:
		if into.Kind() != reflect.Slice {
			return nil
		}
		for _, item := range node.Values {
			if err := checkKeys(item, into.Elem(), path); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkKey(entry *ast.MappingValueNode, into reflect.Type, path string) error {
	key := strings.Trim(entry.Key.String(), `"'`)
	at := strings.TrimPrefix(path+"."+key, ".")
	switch into.Kind() {
	case reflect.Map:
		return checkKeys(entry.Value, into.Elem(), at)
	case reflect.Struct:
		known := make([]string, 0, into.NumField())
		for i := range into.NumField() {
			name, _, _ := strings.Cut(into.Field(i).Tag.Get("yaml"), ",")
			if name == "-" {
				continue
			}
			if name == key {
				return checkKeys(entry.Value, into.Field(i).Type, at)
			}
			known = append(known, name)
		}
		return fmt.Errorf("line %d: %s: no such setting%s", entry.Key.GetToken().Position.Line, at, suggestion(key, known))
	}
	return errors.New(at + ": does not take a mapping")
}
