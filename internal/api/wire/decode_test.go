package wire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

func TestDecodeRefuses(t *testing.T) {
	w := newWorld(t)
	deep := `{"free":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`
	for _, c := range []struct {
		name, body string
		fields     map[string]string // path: what its message must contain
	}{
		{"empty", ``, map[string]string{"body": "empty"}},
		{"blank", " \n", map[string]string{"body": "empty"}},
		{"array", `[]`, map[string]string{"body": "object"}},
		{"string", `"x"`, map[string]string{"body": "object"}},
		{"null", `null`, map[string]string{"body": "object"}},
		{"cut", `{"name":"x"`, map[string]string{"body": "too early"}},
		{"trailing", `{"name":"x"} {}`, map[string]string{"body": "byte 13"}},
		{"comma", `{"name":"x",}`, map[string]string{"body": "not valid JSON"}},
		{"duplicate", `{"name":"x","name":"y"}`, map[string]string{"name": "twice"}},
		{"duplicate in raw", `{"free":{"a":[{"b":1,"b":2}]}}`, map[string]string{"free.a[0].b": "twice"}},
		{"utf-8", "{\"name\":\"\xff\"}", map[string]string{"body": "UTF-8 at byte 9"}},
		{"utf-8 in raw", "{\"free\":\"\xc3(\"}", map[string]string{"body": "UTF-8"}},
		{"surrogate", `{"name":"\ud800"}`, map[string]string{"body": "not valid JSON"}},
		{"deep", deep, map[string]string{"body": "64 levels"}},
		{"wrong case", `{"Name":"x"}`, map[string]string{"Name": `"name"`}},
		{"unknown", `{"nam":"x"}`, map[string]string{"nam": `did you mean "name"?`}},
		{"unknown far", `{"zzzzzz":"x"}`, map[string]string{"zzzzzz": "known are approval"}},
		{"unknown below", `{"approval":{"required":[]}}`, map[string]string{"approval.required": "required_for"}},
		{"unknown in list", `{"steps":[{"tool":"a"},{"tol":"b"}]}`, map[string]string{"steps[1].tol": `"tool"`}},
		{"string for number", `{"count":"8"}`, map[string]string{"count": "whole number, not this string"}},
		{"fraction", `{"count":2.5}`, map[string]string{"count": "whole number"}},
		{"huge", `{"count":1e400}`, map[string]string{"count": "whole number"}},
		{"true for number", `{"count":true}`, map[string]string{"count": "not true or false"}},
		{"number for string", `{"name":1}`, map[string]string{"name": "a string, not a number"}},
		{"string for bool", `{"loud":"true"}`, map[string]string{"loud": "true or false"}},
		{"string for list", `{"tags":"a"}`, map[string]string{"tags": "an array"}},
		{"list for object", `{"approval":[]}`, map[string]string{"approval": "an object"}},
		{"number in list", `{"tags":["a",2]}`, map[string]string{"tags[1]": "a string"}},
		{"number in map", `{"labels":{"a":1}}`, map[string]string{"labels.a": "a string"}},
		{"no time", `{"at":"soon"}`, map[string]string{"at": "2026-06-11"}},
		{"all at once", `{"count":"8","tags":[1,"a",{}],"nam":1,"approval":{"x":1}}`,
			map[string]string{"count": "", "tags[0]": "", "tags[2]": "", "nam": "", "approval.x": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.ask("POST", "/v1/things", c.body)
			errors, _ := got.field("error", "errors").(map[string]any)
			if got.status != 400 || got.field("error", "code") != "invalid_request" || len(errors) != len(c.fields) {
				t.Fatalf("got %d %s", got.status, got.body)
			}
			for path, want := range c.fields {
				if message, _ := errors[path].(string); message == "" || !strings.Contains(message, want) {
					t.Errorf("%s: got %s", path, got.body)
				}
			}
		})
	}
}

func TestDecodeKeepsDigits(t *testing.T) {
	w := newWorld(t)
	const body = `{"name":"x","free":{"n":12345678901234567890.10,"e":1E5}}`
	if got := w.ask("POST", "/v1/things", body); got.body != body {
		t.Errorf("got %s", got.body)
	}
	if got := w.ask("POST", "/v1/things", `{"name":null,"loud":null,"tags":null}`); got.status != 200 {
		t.Errorf("null is not taken for absent: %s", got.body)
	}
	nested := `{"free":` + strings.Repeat("[", 63) + `"[[[[\"{"` + strings.Repeat("]", 63) + `}`
	if got := w.ask("POST", "/v1/things", nested); got.status != 200 {
		t.Errorf("64 levels are refused: %s", got.body)
	}
}

func TestLooseFamilyIgnores(t *testing.T) {
	w := newWorld(t)
	if got := w.ask("POST", "/loose/things", `{"name":"x","more":{"a":1},"approval":{"b":2}}`); got.status != 200 {
		t.Errorf("got %d %s", got.status, got.body)
	}
	for _, body := range []string{`{"name":1}`, `{"name":"a","name":"b"}`, `{"more":{"a":1,"a":2}}`, `{"Name":"a"}`, `{"more":1,"steps":[{"TOOL":"a"}]}`} {
		if got := w.ask("POST", "/loose/things", body); got.status != 400 || got.field("detail") == nil {
			t.Errorf("%s: got %d %s", body, got.status, got.body)
		}
	}
}

func TestBody(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
		want             string
	}{
		{"charset", "/v1/things", `{}`, []string{"Content-Type: application/json; charset=UTF-8"}, 200, ""},
		{"suffix", "/v1/things", `{}`, []string{"Content-Type: application/merge-patch+json"}, 200, ""},
		{"no type", "/v1/things", `{}`, nil, 200, ""},
		{"form", "/v1/things", `{}`, []string{"Content-Type: multipart/form-data; boundary=x"}, 400, "Content-Type"},
		{"a form's fields", "/v1/things", `name=x`, []string{"Content-Type: application/x-www-form-urlencoded"}, 400, "JSON"},
		{"text", "/v1/things", `{}`, []string{"Content-Type: text/plain"}, 400, "application/json"},
		{"latin", "/v1/things", `{}`, []string{"Content-Type: application/json; charset=latin1"}, 400, "Content-Type"},
		{"gzip", "/v1/things", `{}`, []string{"Content-Encoding: gzip"}, 400, "gzip"},
		{"route's limit", "/v1/small", `{"name":"too long"}`, nil, 413, "10 bytes"},
		{"default limit", "/v1/things", `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, nil, 413, "1048576 bytes"},
		{"just fits", "/v1/things", `{"name":"` + strings.Repeat("a", 1<<20-11) + `"}`, nil, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.ask("POST", c.path, c.body, c.headers...)
			if got.status != c.status || !strings.Contains(got.body, c.want) {
				t.Errorf("got %d %.200s", got.status, got.body)
			}
			if c.status == 413 && (got.field("error", "code") != "too_large" || got.header.Get("Connection") != "close") {
				t.Errorf("got %v %s", got.header, got.body)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"name":"x","count":1,"tags":["a"],"approval":{"required_for":["b"]},"free":{"n":1.0}}`,
		`{"name":1,"nam":2}`, `{"a":{"b":{"c":[[]]}}}`, `{"name":"\ud800"}`, "{\"\xff\":1}", `{"at":"2026-06-11T07:02:11Z","ratio":-0}`, `{`, `[]`,
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, strict bool) {
		var in thing
		err := wire.Decode(body, &in, strict)
		if err != nil {
			got := problem.From(err)
			if got.Code != problem.InvalidRequest || len(got.Fields) == 0 || strings.Contains(got.Detail, "not possible here") {
				t.Fatalf("%q is refused without a reason: %v", body, err)
			}
			return
		}
		if !utf8.Valid(body) || !json.Valid(body) {
			t.Fatalf("%q is accepted", body)
		}
	})
}
