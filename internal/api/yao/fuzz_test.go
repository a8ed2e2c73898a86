package yao

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"errand/internal/problem"
)

// FuzzEvent reads what other programs send to a robot: one JSON value and nothing
// behind it, or a word that it is none; a filter asks for no more than what is there.
func FuzzEvent(f *testing.F) {
	for _, seed := range []string{
		`{"type":"order.created","order":{"id":"A-1","total":12.50,"lines":[{"sku":"x"}]},"a.b":1}`, `[1,{"a":null}]`, `"text"`, `9007199254740993`, `null`, `{"a":1}]`, `{"a":1}}`, `{"a":1} {"a":2}`, `{"a":{"b":{"c":1e999}}}`, ``, ` `, "\ufeff{}", `{"a":1,"a":2}`, `{"":{"":1}}`,
	} {
		f.Add([]byte(seed), `{"order.total":[12.5,13],"a.b":1}`)
	}
	f.Add([]byte(`{"a":{"b":1}}`), `{"a.b":1.0,"":null}`)
	f.Fuzz(func(t *testing.T, body []byte, filter string) {
		data, err := readEvent(body)
		if (err == nil) != json.Valid(body) {
			t.Fatalf("%q is an event: %v, and JSON: %v", body, err, json.Valid(body))
		}
		if err != nil {
			if told := problem.From(err); told.Code != problem.InvalidRequest || told.Detail == "" {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		written, err := json.Marshal(data)
		if err != nil || data == nil || !passes(nil, data) {
			t.Fatalf("%q is %v, %v", body, data, err)
		}
		again, err := readEvent(written)
		if err != nil || !passes(again, data) && !strings.Contains(string(written), "[") { // a list in a filter is a choice
			t.Errorf("%q does not pass as its own filter: %v", written, err)
		}
		var asked map[string]any
		if json.Unmarshal([]byte(filter), &asked) != nil || !passes(asked, data) {
			return
		}
		for path := range asked {
			if _, there := lookUp(data, path); !there {
				t.Errorf("%q passes %q, and has no %q", body, filter, path)
			}
		}
	})
}

// FuzzSignature: an event counts as signed when one of the header's signatures is that
// of these bytes under this robot's secret, and else never.
func FuzzSignature(f *testing.F) {
	const secret = "whsec_AAECAwQFBgcICQoLDA0ODw=="
	f.Add("msg_1", "1781161331", "v1,", "{}")
	f.Add("msg.1", "17.81", "v1, v1,AAAA v2,AAAA v1", "x")
	f.Add("", "", "v1a,47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "")
	f.Add("a", "b", "V1,\nv1,", "\xff")
	f.Fuzz(func(t *testing.T, id, stamp, others, body string) {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			t.Fatal(err)
		}
		hash := hmac.New(sha256.New, key)
		hash.Write([]byte(id + "." + stamp + "." + body))
		right := "v1," + base64.StdEncoding.EncodeToString(hash.Sum(nil))
		for _, header := range []string{others, others + " " + right, right + "\t" + others} {
			want := slices.Contains(strings.Fields(header), right)
			if got := verify(secret, id, stamp, header, []byte(body)); got != want {
				t.Errorf("%q under %q: signed = %v, want %v", body, header, got, want)
			}
			if want && verify("whsec_AAAA", id, stamp, header, []byte(body)) || verify("whsec_!", id, stamp, header, []byte(body)) {
				t.Errorf("%q is signed under another robot's secret", body)
			}
		}
	})
}
