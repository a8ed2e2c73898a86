package tool

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/problem"
	"errand/internal/run"
)

func TestDefinitionDefaults(t *testing.T) {
	var d Definition
	if err := json.Unmarshal([]byte(`{"name":"crm.note","url":"https://crm.example/notes","parameters":null,"scope":null,"headers":null}`), &d); err != nil {
		t.Fatal(err)
	}
	d = d.WithDefaults()
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	want := Definition{Name: "crm.note", URL: "https://crm.example/notes", Parameters: json.RawMessage(`{"type":"object"}`), Method: "POST", Effect: run.Once, TimeoutS: 30}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Error(diff)
	}
}

func TestValidateNamesEachField(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Definition)
		fields []string
	}{
		"nothing":           {func(*Definition) {}, nil},
		"longest name":      {func(d *Definition) { d.Name = strings.Repeat("a", 64) }, nil},
		"too long name":     {func(d *Definition) { d.Name = strings.Repeat("a", 65) }, []string{"name"}},
		"spaced name":       {func(d *Definition) { d.Name = "a b" }, []string{"name"}},
		"name with newline": {func(d *Definition) { d.Name = "a\n" }, []string{"name"}},
		"array schema":      {func(d *Definition) { d.Parameters = json.RawMessage(`{"type":"array"}`) }, []string{"parameters"}},
		"no schema":         {func(d *Definition) { d.Parameters = json.RawMessage(`[1]`) }, []string{"parameters"}},
		"wrong schema": {func(d *Definition) {
			d.Parameters = json.RawMessage(`{"type":"object","properties":{"a":{"type":"strng"}}}`)
		}, []string{"parameters"}},
		"reaching schema": {func(d *Definition) {
			d.Parameters = json.RawMessage(`{"type":"object","properties":{"a":{"$ref":"file:///etc/passwd"}}}`)
		}, []string{"parameters"}},
		"relative url":        {func(d *Definition) { d.URL = "/x" }, []string{"url"}},
		"url with user":       {func(d *Definition) { d.URL = "https://a:b@c.example" }, []string{"url"}},
		"url with fragment":   {func(d *Definition) { d.URL = "https://c.example/#x" }, []string{"url"}},
		"GET":                 {func(d *Definition) { d.Method = "GET" }, []string{"method"}},
		"lower-case method":   {func(d *Definition) { d.Method = "post" }, []string{"method"}},
		"DELETE":              {func(d *Definition) { d.Method = "DELETE" }, nil},
		"effect":              {func(d *Definition) { d.Effect = "twice" }, []string{"effect"}},
		"timeout":             {func(d *Definition) { d.TimeoutS = 601 }, []string{"timeout_s"}},
		"negative timeout":    {func(d *Definition) { d.TimeoutS = -1 }, []string{"timeout_s"}},
		"scope":               {func(d *Definition) { d.Scope = "context:finance" }, nil},
		"wild scope":          {func(d *Definition) { d.Scope = "context:*" }, []string{"scope"}},
		"good header":         {func(d *Definition) { d.Headers = map[string]string{"Authorization": "Bearer x"} }, nil},
		"hop-by-hop header":   {func(d *Definition) { d.Headers = map[string]string{"Connection": "close"} }, []string{"headers.Connection"}},
		"our header":          {func(d *Definition) { d.Headers = map[string]string{"IDEMPOTENCY-KEY": "x"} }, []string{"headers.IDEMPOTENCY-KEY"}},
		"host header":         {func(d *Definition) { d.Headers = map[string]string{"Host": "x"} }, []string{"headers.Host"}},
		"header injection":    {func(d *Definition) { d.Headers = map[string]string{"X-A": "a\r\nX-B: b"} }, []string{"headers.X-A"}},
		"header name":         {func(d *Definition) { d.Headers = map[string]string{"X A": "a"} }, []string{"headers"}},
		"header in two forms": {func(d *Definition) { d.Headers = map[string]string{"x-a": "a", "X-A": "b"} }, nil}, // which of the two is named is open: below
		"mask":                {func(d *Definition) { d.Headers = map[string]string{"X-A": Masked} }, []string{"headers.X-A"}},
		"several":             {func(d *Definition) { d.Name, d.URL, d.Method, d.TimeoutS = "", "x", "HEAD", 1000 }, []string{"method", "name", "timeout_s", "url"}},
	} {
		d := definition("fine")
		c.change(&d)
		err := d.Validate()
		var got []string
		if err != nil {
			told := problem.From(err)
			if told.Code != problem.InvalidRequest {
				t.Errorf("%s: %v is not invalid_request", name, err)
			}
			got = slices.Sorted(maps.Keys(told.Fields))
		}
		if name == "header in two forms" {
			if len(got) != 1 || !strings.EqualFold(got[0], "headers.x-a") {
				t.Errorf("%s: fields %v", name, got)
			}
			continue
		}
		if diff := cmp.Diff(c.fields, got); diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

func TestVersionFollowsEveryField(t *testing.T) {
	base := definition("a").Version()
	if again := definition("a").Version(); again != base || len(base) != 32 {
		t.Errorf("versions %q and %q of one definition", base, again)
	}
	for name, change := range map[string]func(*Definition){
		"description": func(d *Definition) { d.Description = "x" },
		"parameters":  func(d *Definition) { d.Parameters = json.RawMessage(`{"type":"object","title":"x"}`) },
		"url":         func(d *Definition) { d.URL += "x" },
		"method":      func(d *Definition) { d.Method = "PUT" },
		"header":      func(d *Definition) { d.Headers = map[string]string{"A": "b"} },
		"effect":      func(d *Definition) { d.Effect = run.Safe },
		"timeout":     func(d *Definition) { d.TimeoutS++ },
		"scope":       func(d *Definition) { d.Scope = "x" },
		"preview":     func(d *Definition) { d.Preview = "x" },
	} {
		d := definition("a")
		change(&d)
		if d.Version() == base {
			t.Errorf("a change of %s does not change the version", name)
		}
	}
}

func TestRedact(t *testing.T) {
	d := Definition{Headers: map[string]string{"Authorization": "Bearer tok-12345678", "X-Key": "abcdef", "X-Short": "1", "Accept": "application/json"}}
	got := d.Redact(`{"auth":"Bearer tok-12345678","token":"tok-12345678","key":"abcdef","n":1,"accept":"application/json"}`)
	if want := `{"auth":"[redacted]","token":"[redacted]","key":"[redacted]","n":1,"accept":"application/json"}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	// However its owner writes it: as an address, in base64, in JSON.
	d = Definition{Headers: map[string]string{"Authorization": "Bearer a+b/c&d=e"}}
	for _, form := range []string{"a%2Bb%2Fc%26d%3De", "a%2Bb/c%26d%3De", "a%2bb%2fc%26d%3de", "YStiL2MmZD1l", `a+b\/c&d=e`, `a+b/c\u0026d=e`} {
		if got := d.Redact("<" + form + ">"); got != "<[redacted]>" {
			t.Errorf("%s becomes %s", form, got)
		}
	}
}
