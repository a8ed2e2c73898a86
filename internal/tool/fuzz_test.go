package tool

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDefinition holds what is accepted as a tool to what can be done with one: it
// reads back as it was stored, its secrets are not shown, its version is its own.
func FuzzDefinition(f *testing.F) {
	for _, seed := range []string{
		`{"name":"crm.note","description":"Adds a note.","url":"https://crm.example.com/notes","parameters":{"type":"object","properties":{"to":{"type":"string"}}},"effect":"once","preview":"{{to}}"}`,
		`{"name":"a","url":"http://h/","headers":{"Authorization":"Bearer secret-value","X-Key":"1"},"method":"PUT","timeout_s":600,"scope":"context:finance"}`,
		`{"name":"a\u202eb","url":"http://h/"}`, `{"name":"a","url":"file:///x"}`, `{"name":"a","url":"http://h/","headers":{"Host":"x"}}`, `{"name":"a","url":"http://h/","headers":{"X":"a\r\nY: b"}}`,
		`{"name":"a","url":"http://h/","parameters":{"type":"object","$ref":"#"}}`, `{"name":"a","url":"http://h/","timeout_s":-1}`, `{"name":"a","url":"http://h/","headers":{"x-a":"1","X-A":"2"}}`, `null`, `{`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var d Definition
		if json.Unmarshal([]byte(text), &d) != nil {
			return
		}
		d = d.WithDefaults()
		if d.Validate() != nil {
			return
		}
		stored, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("%q is accepted and can't be stored: %v", text, err)
		}
		var again Definition
		if err := json.Unmarshal(stored, &again); err != nil || again.Version() != d.Version() {
			t.Errorf("%q is stored as %q, which is another tool: %v", text, stored, err)
		}
		if !ValidName(d.Name) || d.Timeout() <= 0 {
			t.Errorf("%q is accepted", text)
		}
		for _, value := range d.Public().Headers {
			if value != Masked {
				t.Errorf("%q shows %q", text, value)
			}
		}
		for _, secret := range d.Secrets() {
			if !strings.Contains("[redacted]", secret) && strings.Contains(d.Redact("x"+secret+"y"), secret) {
				t.Errorf("%q lets %q through", text, secret)
			}
		}
	})
}

// FuzzBound holds what a model gets to read to its bounds.
func FuzzBound(f *testing.F) {
	f.Add("plain", int64(0), 1)
	f.Add(strings.Repeat("é", 40<<10), int64(-1), 40<<10)
	f.Add("\xff\xfe\u202e", int64(9), 2)
	f.Fuzz(func(t *testing.T, text string, total int64, times int) {
		if times > 0 && times < 1<<17/(len(text)+1) {
			text = strings.Repeat(text, times)
		}
		got := Bound(text, total)
		if len(got) > MaxOutput || !utf8.ValidString(got) {
			t.Errorf("%d bytes of %d", len(got), len(text))
		}
	})
}
