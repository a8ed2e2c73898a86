package schema

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSound(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for text, why := range map[string]string{
		`{"a":1,"b":[{"a":1},{"a":1}]}`: "", ` "x" `: "", `1e309`: "", `9007199254740993`: "", `"\ud83d\ude00\u0000"`: "", deep(maxDepth): "",
		`{"a":1,"a":2}`: `"a" is there twice`, `{"x":{"a":1,"\u0061":2}}`: `"a" is there twice`, `"\ud800"`: "not valid JSON", "\"\xff\"": "not valid JSON",
		deep(maxDepth + 1): "nests deeper", deep(10_000): "nests deeper", deep(100_000): "nests deeper", "": "not valid JSON", " ": "not valid JSON", `{} {}`: "something follows", `{}x`: "not valid JSON", `{"a"`: "not valid JSON", `NaN`: "not valid JSON",
	} {
		if err := Sound([]byte(text)); (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %v, want %q", text, err, why)
		}
	}
}

// FuzzExtract holds what is found in an answer to what was said: it is JSON, and
// stands there.
func FuzzExtract(f *testing.F) {
	for _, seed := range []string{
		`{"a":1}`, "Sure:\n```json\n{\"a\":[1,2]}\n```\nDone.", "```\n[1]\n```", "prose {\"a\":{\"b\":\"}\"}} and more", "{broken} [1]", "42", "42 apples", `"x" y`,
		"```json\n{\"a\":1", "``````", "{", "[[[[", "null", "```\n```\n{}", "\xff{\"a\":\"\xff\"}", strings.Repeat("[", 10_001),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, ok := Extract(text)
		if ok && (!json.Valid(value) || !strings.Contains(text, string(value))) {
			t.Errorf("%q holds %q", text, value)
		}
	})
}

// FuzzValidate holds the two checks to each other and to the standard library:
// what is sound is JSON that decodes, and no schema makes the checker fall over.
func FuzzValidate(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"type":"object","required":["to"],"properties":{"to":{"type":"string"}}}`, `{"to":"x"}`},
		{`{"$ref":"#"}`, `{"a":1,"a":2}`}, {`{"$ref":"file:///etc/passwd"}`, `1`}, {`{"$ref":"http://127.0.0.1/"}`, `1`},
		{`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}`, `{}`},
		{`{"multipleOf":1e-300,"maximum":1e309}`, `1e308`}, {`{"pattern":"(a*)*$"}`, `"aaaaaaaaaaaaaaaaaaaaaaaab"`}, {`{"format":"regex"}`, `"["`},
		{`{"not":{}}`, `null`}, {`true`, `"\ud800"`}, {`[]`, ``}, {`{"dependentSchemas":{"a":false},"unevaluatedProperties":false}`, `{"a":1}`},
		{`{"$dynamicRef":"#x","$dynamicAnchor":"x"}`, `[]`}, {`{"$schema":"https://example.com/none"}`, `1`}, {`{"minLength":-1}`, `""`}, {`{"enum":[1.0,1e0]}`, `1`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, schema, value string) {
		if len(schema)+len(value) > 1<<14 {
			t.Skip()
		}
		var cache Cache
		checked := cache.Check([]byte(schema))
		err := cache.Validate([]byte(schema), []byte(value))
		if checked != nil && err == nil {
			t.Errorf("%q is no schema (%v) and holds all the same", schema, checked)
		}
		sound := Sound([]byte(value))
		if sound == nil && (!utf8.ValidString(value) || !json.Valid([]byte(value))) {
			t.Errorf("%q is sound", value)
		}
		if sound != nil && err == nil {
			t.Errorf("%q satisfies a schema and is not sound: %v", value, sound)
		}
		if object := Object([]byte(value)); object == nil && (sound != nil || !strings.HasPrefix(strings.TrimLeft(value, " \t\r\n"), "{")) {
			t.Errorf("%q is an object", value)
		}
	})
}
