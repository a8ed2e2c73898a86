package docs

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"errand/api"
)

// contractPages has a page for each group of routes, and one for the schemas.
func contractPages(t *testing.T) map[string]string {
	t.Helper()
	contract, err := openapi3.NewLoader().LoadFromData(api.YAML)
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	routes := 0
	for _, tag := range contract.Tags {
		var page strings.Builder
		fmt.Fprintf(&page, "# %s\n\n%s\n", tag.Name, paragraphs(tag.Description))
		for _, path := range contract.Paths.InMatchingOrder() {
			item := contract.Paths.Value(path)
			for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				operation := item.GetOperation(method)
				if operation == nil || len(operation.Tags) == 0 || operation.Tags[0] != tag.Name {
					continue
				}
				routes++
				writeOperation(&page, method+" "+path, operation, append(slices.Clone(item.Parameters), operation.Parameters...))
			}
		}
		pages["api/"+fileName(tag.Name)+".md"] = page.String()
	}
	if routes < 150 {
		t.Errorf("only %d routes in the contract", routes)
	}
	pages["api/schemas.md"] = schemasPage(contract)
	return pages
}

// notInName is what a file's name leaves out.
var notInName = regexp.MustCompile(`[^a-z0-9]+`)

func fileName(tag string) string {
	return strings.Trim(notInName.ReplaceAllString(strings.ToLower(tag), "-"), "-")
}

func writeOperation(page *strings.Builder, route string, o *openapi3.Operation, parameters openapi3.Parameters) {
	fmt.Fprintf(page, "\n## %s\n\n`%s`", o.Summary, route)
	if scope, ok := o.Extensions["x-scope"].(string); ok {
		fmt.Fprintf(page, " · scope `%s`", scope)
	}
	if o.Security != nil && len(*o.Security) == 0 {
		page.WriteString(" · needs no key")
	}
	page.WriteString("\n")
	if o.Description != "" {
		fmt.Fprintf(page, "\n%s\n", paragraphs(o.Description))
	}
	if len(parameters) > 0 {
		page.WriteString("\n| parameter | in | type | |\n|---|---|---|---|\n")
		for _, p := range parameters {
			fmt.Fprintf(page, "| `%s`%s | %s | %s | %s |\n", p.Value.Name, required(p.Value.Required), p.Value.In, cell(kind(p.Value.Schema)), cell(p.Value.Description))
		}
	}
	if o.RequestBody != nil {
		for _, media := range slices.Sorted(maps.Keys(o.RequestBody.Value.Content)) {
			content := o.RequestBody.Value.Content[media]
			fmt.Fprintf(page, "\nBody (`%s`): %s\n", media, kind(content.Schema))
			writeFields(page, content.Schema)
			writeExample(page, content)
		}
	}
	writeAnswers(page, o)
}

// writeAnswers shows what succeeds in full, and of errors their codes.
func writeAnswers(page *strings.Builder, o *openapi3.Operation) {
	var errors []string
	for _, status := range slices.Sorted(maps.Keys(o.Responses.Map())) {
		answer := o.Responses.Value(status).Value
		if status >= "400" || status == "default" {
			errors = append(errors, status)
			continue
		}
		said := ""
		if answer.Description != nil {
			said = *answer.Description
		}
		fmt.Fprintf(page, "\nAnswer `%s`: %s\n", status, flat(said))
		for _, media := range slices.Sorted(maps.Keys(answer.Content)) {
			content := answer.Content[media]
			fmt.Fprintf(page, "\n`%s`: %s\n", media, kind(content.Schema))
			writeExample(page, content)
		}
	}
	if len(errors) > 0 {
		fmt.Fprintf(page, "\nErrors: %s; see [errors](../errors.md).\n", strings.Join(errors, ", "))
	}
}

func writeExample(page *strings.Builder, content *openapi3.MediaType) {
	value := content.Example
	for _, name := range slices.Sorted(maps.Keys(content.Examples)) {
		if value == nil {
			value = content.Examples[name].Value.Value
		}
	}
	if value == nil && content.Schema != nil && content.Schema.Value != nil {
		value = content.Schema.Value.Example
	}
	switch value := value.(type) {
	case nil:
	case string:
		fmt.Fprintf(page, "\n```\n%s\n```\n", strings.TrimSpace(value))
	default:
		fmt.Fprintf(page, "\n```json\n%s\n```\n", asExample(value))
	}
}

// writeFields lists the properties of a schema that has no page of its own.
func writeFields(page *strings.Builder, schema *openapi3.SchemaRef) {
	if schema == nil || len(schema.Value.Properties) == 0 {
		return
	}
	page.WriteString("\n| field | type | |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(schema.Value.Properties)) {
		field := schema.Value.Properties[name]
		fmt.Fprintf(page, "| `%s`%s | %s | %s |\n", name, required(slices.Contains(schema.Value.Required, name)), cell(kind(field)), cell(field.Value.Description))
	}
}

func schemasPage(contract *openapi3.T) string {
	var page strings.Builder
	page.WriteString("# Schemas\n\nThe objects that the routes take and answer.\n")
	for _, name := range slices.Sorted(maps.Keys(contract.Components.Schemas)) {
		schema := contract.Components.Schemas[name]
		fmt.Fprintf(&page, "\n## %s\n", name)
		if schema.Value.Description != "" {
			fmt.Fprintf(&page, "\n%s\n", paragraphs(schema.Value.Description))
		}
		if len(schema.Value.Properties) == 0 {
			fmt.Fprintf(&page, "\n%s\n", kind(&openapi3.SchemaRef{Value: schema.Value}))
		}
		writeFields(&page, schema)
	}
	return page.String()
}

func required(is bool) string {
	if is {
		return " (required)"
	}
	return ""
}

// kind says in a few words what a value may be; a schema with a name is a link.
func kind(schema *openapi3.SchemaRef) string {
	if schema == nil || schema.Value == nil {
		return "any"
	}
	if name, ok := strings.CutPrefix(schema.Ref, "#/components/schemas/"); ok {
		return "[" + name + "](schemas.md#" + strings.ToLower(name) + ")"
	}
	s := schema.Value
	words := "any"
	if s.Type != nil {
		words = strings.Join(s.Type.Slice(), " or ")
	}
	var choices []string
	for _, choice := range slices.Concat(s.AnyOf, s.OneOf, s.AllOf) {
		choices = append(choices, kind(choice))
	}
	if len(choices) > 0 {
		words = strings.Join(choices, " or ")
	}
	if s.Items != nil {
		words = strings.Replace(words, "array", "list of "+kind(s.Items), 1)
	}
	if len(s.Enum) > 0 {
		words += ":"
		for _, one := range s.Enum {
			words += fmt.Sprintf(" `%v`", one)
		}
	}
	if s.Min != nil {
		words += fmt.Sprintf(", from %v", *s.Min)
	}
	if s.Max != nil {
		words += fmt.Sprintf(", up to %v", *s.Max)
	}
	if s.Default != nil {
		words += fmt.Sprintf(", default `%v`", s.Default)
	}
	return words
}

// paragraphs joins the lines of each paragraph.
func paragraphs(text string) string {
	var all []string
	for p := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		all = append(all, flat(p))
	}
	return strings.Join(all, "\n\n")
}

func flat(text string) string { return strings.Join(strings.Fields(text), " ") }

// cell is a text in a table.
func cell(text string) string { return strings.ReplaceAll(flat(text), "|", "\\|") }
