package native

import (
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// docsPage is the contract as the template docs.html shows it.
type docsPage struct {
	CSS     template.CSS
	Title   string
	Lead    string
	Intro   template.HTML
	Groups  []docsGroup
	Errors  []docsError
	Schemas []docsSchema
}

type docsGroup struct {
	Name        string
	Description template.HTML
	Operations  []docsOperation
}

type docsOperation struct {
	ID, Method, Path, Summary string
	Scope                     string
	Open                      bool // needs no key
	Description               template.HTML
	Parameters                []docsField
	Body                      []docsField
	BodyOf                    string // name of the body's schema, when it has one
	BodyExample               string
	Answers                   []docsAnswer
}

type docsAnswer struct {
	Status      string
	Description template.HTML
	Kind        string // media type, when it is not JSON
	Schema      string // name of a schema on this page
	Example     string
}

type docsField struct {
	Name, In, Type string
	Required       bool
	Description    template.HTML
}

type docsSchema struct {
	Name        string
	Description template.HTML
	Fields      []docsField
}

type docsError struct {
	Code        string
	Status      string
	Description template.HTML
}

// node is an object of the contract, in the order of the file.
type node = yaml.MapSlice

// document reads values by key, following references inside the contract.
type document struct{ root node }

func readDocs(text []byte) (docsPage, error) {
	var root node
	if err := yaml.UnmarshalWithOptions(text, &root, yaml.UseOrderedMap()); err != nil {
		return docsPage{}, fmt.Errorf("reading the contract: %w", err)
	}
	d := document{root}
	info := d.object(root, "info")
	page := docsPage{
		Title: d.text(info, "title"), Lead: d.text(info, "summary"), Intro: prose(d.text(info, "description")),
	}
	for _, tag := range d.list(root, "tags") {
		name := d.text(tag, "name")
		group := docsGroup{Name: name, Description: prose(d.text(tag, "description"))}
		group.Operations = d.operations(name)
		page.Groups = append(page.Groups, group)
	}
	schemas := d.object(d.object(root, "components"), "schemas")
	for _, item := range schemas {
		schema := d.resolve(item.Value)
		page.Schemas = append(page.Schemas, docsSchema{
			Name: fmt.Sprint(item.Key), Description: prose(d.text(schema, "description")), Fields: d.fields(schema),
		})
	}
	page.Errors = d.errors()
	return page, nil
}

// operations returns those whose first tag is this one.
func (d *document) operations(tag string) []docsOperation {
	var found []docsOperation
	for _, path := range d.object(d.root, "paths") {
		item := d.resolve(path.Value)
		for _, method := range item {
			operation := d.resolve(method.Value)
			tags, _ := member(operation, "tags").([]any)
			if len(tags) == 0 || tags[0] != tag {
				continue
			}
			shown := d.operation(operation)
			shown.Method, shown.Path = strings.ToUpper(fmt.Sprint(method.Key)), fmt.Sprint(path.Key)
			shown.Parameters = append(d.parameters(item), d.parameters(operation)...)
			found = append(found, shown)
		}
	}
	return found
}

func (d *document) operation(operation node) docsOperation {
	shown := docsOperation{
		ID: d.text(operation, "operationId"), Summary: d.text(operation, "summary"), Scope: d.text(operation, "x-scope"),
		Open: member(operation, "security") != nil, Description: prose(d.text(operation, "description")),
	}
	if body := d.object(operation, "requestBody"); body != nil {
		media := d.object(d.object(body, "content"), "application/json")
		shown.BodyOf, shown.BodyExample = refName(member(media, "schema")), example(member(media, "example"))
		shown.Body = d.fields(d.object(media, "schema"))
	}
	for _, answer := range d.object(operation, "responses") {
		shown.Answers = append(shown.Answers, d.answer(fmt.Sprint(answer.Key), d.resolve(answer.Value)))
	}
	slices.SortStableFunc(shown.Answers, func(a, b docsAnswer) int { return strings.Compare(a.Status, b.Status) })
	return shown
}

func (d *document) answer(status string, response node) docsAnswer {
	shown := docsAnswer{Status: status, Description: prose(d.text(response, "description"))}
	for i, content := range d.object(response, "content") {
		media := d.resolve(content.Value)
		if i == 0 {
			shown.Schema, shown.Example = refName(member(media, "schema")), example(member(media, "example"))
		}
		if kind := fmt.Sprint(content.Key); kind != "application/json" {
			shown.Kind = kind
		}
	}
	return shown
}

func (d *document) parameters(of node) []docsField {
	var fields []docsField
	for _, parameter := range d.list(of, "parameters") {
		required, _ := member(parameter, "required").(bool)
		fields = append(fields, docsField{
			Name: d.text(parameter, "name"), In: d.text(parameter, "in"), Required: required,
			Type: d.kind(member(parameter, "schema")), Description: prose(d.text(parameter, "description")),
		})
	}
	return fields
}

// fields returns the properties of an object's schema.
func (d *document) fields(schema node) []docsField {
	required, _ := member(schema, "required").([]any)
	var fields []docsField
	for _, property := range d.object(schema, "properties") {
		described := d.resolve(property.Value)
		fields = append(fields, docsField{
			Name: fmt.Sprint(property.Key), Required: slices.Contains(required, property.Key),
			Type: d.kind(property.Value), Description: prose(d.text(described, "description")),
		})
	}
	return fields
}

// kind says in a few words what a value may be.
func (d *document) kind(schema any) string {
	if name := refName(schema); name != "" {
		return name
	}
	s := d.resolve(schema)
	if choices, ok := member(s, "anyOf").([]any); ok {
		var kinds []string
		for _, choice := range choices {
			kinds = append(kinds, d.kind(choice))
		}
		return strings.Join(kinds, " or ")
	}
	words := "any"
	switch t := member(s, "type").(type) {
	case string:
		words = t
	case []any:
		words = strings.ReplaceAll(strings.Trim(fmt.Sprint(t), "[]"), " ", " or ")
	}
	if items := member(s, "items"); items != nil {
		words = strings.Replace(words, "array", "list of "+d.kind(items), 1)
	}
	if choices, ok := member(s, "enum").([]any); ok {
		var texts []string
		for _, choice := range choices {
			if choice != nil {
				texts = append(texts, fmt.Sprint(choice))
			}
		}
		words += ": " + strings.Join(texts, ", ")
	}
	return words + d.bounds(s)
}

func (d *document) bounds(s node) string {
	least, most, standard := member(s, "minimum"), member(s, "maximum"), member(s, "default")
	words := ""
	switch {
	case least != nil && most != nil:
		words = fmt.Sprintf(", %v to %v", least, most)
	case least != nil:
		words = fmt.Sprintf(", from %v", least)
	}
	if standard != nil {
		words += fmt.Sprintf(", default %v", standard)
	}
	return words
}

// errorCode finds the codes that a response's description begins with.
var errorCode = regexp.MustCompile("`([a-z_]+)`")

// errors lists the codes of the common responses, by HTTP status: a doc_url
// leads to one of them.
func (d *document) errors() []docsError {
	statuses := map[string]string{}
	for _, group := range d.object(d.root, "x-errors") {
		for _, answer := range d.resolve(group.Value) {
			reference, _ := member(d.asNode(answer.Value), "$ref").(string)
			statuses[reference[strings.LastIndex(reference, "/")+1:]] = fmt.Sprint(answer.Key)
		}
	}
	var found []docsError
	for _, response := range d.object(d.object(d.root, "components"), "responses") {
		text := d.text(d.resolve(response.Value), "description")
		for _, code := range errorCode.FindAllStringSubmatch(text, -1) {
			status := statuses[fmt.Sprint(response.Key)]
			if status != "" && !slices.ContainsFunc(found, func(e docsError) bool { return e.Code == code[1] }) && code[1] != "errors" {
				found = append(found, docsError{Code: code[1], Status: status, Description: prose(text)})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b docsError) int { return strings.Compare(a.Status, b.Status) })
	return found
}

// member is the value of a key; of one that a merge has brought and the file then
// overrides, the last.
func member(of node, key string) any {
	var found any
	for i := range of {
		if of[i].Key == key {
			found = of[i].Value
		}
	}
	return found
}

func (d *document) text(of node, key string) string {
	text, _ := member(of, key).(string)
	return text
}

func (d *document) object(of node, key string) node {
	return d.resolve(member(of, key))
}

func (d *document) list(of node, key string) []node {
	items, _ := member(of, key).([]any)
	var nodes []node
	for _, item := range items {
		nodes = append(nodes, d.resolve(item))
	}
	return nodes
}

func (d *document) asNode(value any) node {
	found, _ := value.(node)
	return distinct(found)
}

// resolve returns the object that a value is, or refers to.
func (d *document) resolve(value any) node {
	found := d.asNode(value)
	reference, ok := member(found, "$ref").(string)
	if !ok {
		return found
	}
	at := any(d.root)
	for _, key := range strings.Split(strings.TrimPrefix(reference, "#/"), "/") {
		at = member(d.asNode(at), key)
	}
	return d.asNode(at)
}

// distinct drops entries that a later one overrides.
func distinct(of node) node {
	var kept node
	for i := range of {
		overridden := slices.ContainsFunc(of[i+1:], func(later yaml.MapItem) bool { return later.Key == of[i].Key })
		if !overridden {
			kept = append(kept, of[i])
		}
	}
	return kept
}

// refName is the name of the schema that a reference leads to.
func refName(schema any) string {
	found, _ := schema.(node)
	reference, _ := member(found, "$ref").(string)
	return reference[strings.LastIndex(reference, "/")+1:]
}

// example shows a value as indented JSON with its keys in the file's order.
func example(value any) string {
	if value == nil {
		return ""
	}
	var out strings.Builder
	writeJSON(&out, value, "")
	return out.String()
}

// lineWidth is up to how many characters an object or a list stays on one line.
const lineWidth = 76

func writeJSON(out *strings.Builder, value any, indent string) {
	deeper := indent + "  "
	var parts []string
	brackets := "[]"
	switch v := value.(type) {
	case node:
		brackets = "{}"
		for _, item := range distinct(v) {
			var part strings.Builder
			writeJSON(&part, item.Value, deeper)
			parts = append(parts, fmt.Sprintf("%q: %s", item.Key, part.String()))
		}
	case []any:
		for _, item := range v {
			var part strings.Builder
			writeJSON(&part, item, deeper)
			parts = append(parts, part.String())
		}
	default:
		text, err := json.Marshal(value)
		if err != nil { // scalars of YAML always have a JSON form
			text = []byte("null")
		}
		out.Write(text)
		return
	}
	line := strings.Join(parts, ", ")
	out.WriteByte(brackets[0])
	if len(indent)+len(line) <= lineWidth && !strings.Contains(line, "\n") {
		out.WriteString(line)
	} else {
		out.WriteString("\n" + deeper + strings.Join(parts, ",\n"+deeper) + "\n" + indent)
	}
	out.WriteByte(brackets[1])
}
