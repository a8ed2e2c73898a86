package mcp

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/internal/problem"
	"errand/internal/schema"
	"errand/internal/tool"
)

// FuzzTools reads a server's list: what is offered of it has a schema that can be
// used, hides no character from a person, and has a legal name that no other tool has.
func FuzzTools(f *testing.F) {
	for _, seed := range []string{
		`{"tools":[{"name":"get_weather","title":"Weather","description":"Get current weather for a location","inputSchema":{"type":"object","properties":{"location":{"type":"string","description":"City"}},"required":["location"]},"annotations":{"readOnlyHint":true}}]}`,
		`{"tools":[{"name":"a b","inputSchema":{"type":"object"}},{"name":"a?b","inputSchema":{"type":"object"}},{"name":"a_b_c8687a08","inputSchema":{"type":"object"}}]}`,
		`{"tools":[{"name":"x","description":"a\u202e\udb40\udc41b\r\n","inputSchema":{"type":"object","properties":{"description":{"type":"string","description":"\u200bd"}}}}]}`,
		`{"tools":[{"name":"","inputSchema":null},{"name":"\u0000","inputSchema":{"type":"object","$ref":"#"}},{"name":"é","inputSchema":{"type":"object","enum":["\u200b"]}}]}`,
		`{"tools":[null]}`, `{"tools":[{"name":"a","inputSchema":{"type":"object","properties":{"a":{"$ref":"http://h/s"}}}}]}`, `{"tools":null,"nextCursor":"x"}`,
	} {
		f.Add(seed)
	}
	schemas := &schema.Cache{}
	legalName := regexp.MustCompile(`^peer__[a-zA-Z0-9._-]{1,58}$`)
	f.Fuzz(func(t *testing.T, text string) {
		var said sdk.ListToolsResult
		if len(text) > 1<<14 || json.Unmarshal([]byte(text), &said) != nil {
			return
		}
		var remotes []string
		known := map[string]bool{}
		for _, one := range said.Tools {
			if one == nil {
				continue
			}
			d, err := define(one, schemas)
			if !known[one.Name] {
				known[one.Name], remotes = true, append(remotes, one.Name)
			}
			if err != nil {
				continue
			}
			var object struct{ Type string }
			if json.Unmarshal(d.Schema, &object) != nil || object.Type != "object" || schemas.Check(d.Schema) != nil {
				t.Errorf("%q is offered with the schema %q", text, d.Schema)
			}
			if strings.ContainsFunc(d.Description+d.Hints.Title, invisible) || !utf8.ValidString(d.Description) || len(d.Description) > maxDescription+100 {
				t.Errorf("%q is described as %q", text, d.Description)
			}
		}
		here := map[string]string{}
		for remote, name := range toolNames("peer", remotes) {
			if other, taken := here[name]; taken || !legalName.MatchString(name) {
				t.Errorf("%q is called %q, as is %q", remote, name, other)
			}
			here[name] = remote
		}
	})
}

// FuzzResult reads what a call gives back: a model gets no more of it than a tool may
// give, pictures that are ones, and never the credentials of the server.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{
		`{"content":[{"type":"text","text":"Current weather in New York: 72°F"}],"isError":false}`,
		`{"content":[{"type":"text","text":"Failed: sk-secret-of-the-server is no key"}],"isError":true}`,
		`{"content":[{"type":"text","text":"{\"t\":1}"}],"structuredContent":{"temperature":22.5,"to":"sk-secret-of-the-server"}}`, `{"content":[],"structuredContent":["sk-secret-of-the-server"]}`,
		`{"content":[{"type":"image","data":"iVBORw0KGgo=","mimeType":"image/png"},{"type":"image","data":"R0lGODlhAQABAAAAACw=","mimeType":"x\u202ey"},{"type":"audio","data":"AAAA","mimeType":"audio/wav"}]}`,
		`{"content":[{"type":"resource_link","uri":"file:///x","name":"a](b)","description":"\n"},{"type":"resource","resource":{"uri":"file:///y","mimeType":"text/plain","text":"z"}},{"type":"resource","resource":{"uri":"b","blob":"AAAA"}}]}`,
		`{"content":[{"type":"new"}]}`, `{"content":null,"isError":true}`, `{"isError":true,"content":[{"type":"text","text":"` + strings.Repeat("é", 1<<10) + `"}]}`,
	} {
		f.Add(seed, 1)
	}
	const secret = "sk-secret-of-the-server"
	e := &endpoint{name: "peer", credentials: credentials{URL: "https://h.example/", Token: secret}}
	f.Fuzz(func(t *testing.T, text string, times int) {
		var said sdk.CallToolResult
		if len(text) > 1<<14 || json.Unmarshal([]byte(text), &said) != nil {
			return
		}
		if times > 1 && times < 128 { // many of what there is
			for range times {
				said.Content = append(said.Content, said.Content[:min(1, len(said.Content))]...)
			}
		}
		got, err := translate(e, &said)
		output := got.Output
		if err != nil {
			told := problem.From(err)
			if output = told.Detail; told.Code != problem.ToolFailed || strings.TrimSpace(output) == "" {
				t.Errorf("%q: %v", text, err)
			}
		}
		if err == nil && output == "" || len(output) > tool.MaxOutput || !utf8.ValidString(output) || strings.Contains(output, secret) {
			t.Errorf("%q gives %d bytes, %.200q", text, len(output), output)
		}
		if len(got.Images) > maxImages {
			t.Errorf("%q gives %d images", text, len(got.Images))
		}
		for _, image := range got.Images {
			if !regexp.MustCompile(`^data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*$`).MatchString(image.URL) {
				t.Errorf("%q gives the image %.100q", text, image.URL)
			}
		}
	})
}
