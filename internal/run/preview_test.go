package run

import (
	"strings"
	"testing"
)

func hush(text string) string { return strings.ReplaceAll(text, "sk-live-123456", "[redacted]") }

func TestPreviewMasksSecrets(t *testing.T) {
	for _, test := range []struct{ template, arguments, want string }{
		{"", `{"user":"ada","password":"hunter2"}`, "password: [redacted], user: ada"},
		{"", `{"apiKey":"x1","API-Key":"x2","api_key":"x3","key":"shown"}`, "API-Key: [redacted], apiKey: [redacted], api_key: [redacted], key: shown"},
		{"", `{"headers":{"Authorization":"Bearer x","Accept":"*/*"}}`, `headers: {"Authorization":"[redacted]","Accept":"*/*"}`},
		{"", `{"list":[{"token":7,"n":9007199254740993}]}`, `list: {"token":"[redacted]","n":9007199254740993}`},
		{"", `{"max_tokens":5,"next_page_token":"p2","monkey":"a","access_token":"a"}`, "access_token: [redacted], max_tokens: 5, monkey: a, next_page_token: p2"},
		{"", `{"secret":null,"token":""}`, "secret: , token: "},
		{"", `{"text":"use sk-live-123456 now","sk-live-123456":1}`, "[redacted]: 1, text: use [redacted] now"},
		{"Token {{ token }} to {{to}}", `{"token":"abc","to":"x"}`, "Token [redacted] to x"},
		{"{{body}}", `{"body":{"deep":["sk-live-123456"]}}`, `{"deep":["[redacted]"]}`},
		{"", "sk-live-123456 is no JSON", "[redacted] is no JSON"},
		// Cut first and masked then, the first half of a secret would be shown.
		{"", `{"a":"` + strings.Repeat("x", maxPreview-8) + ` sk-live-123456"}`, "a: " + strings.Repeat("x", maxPreview-8) + " [re…"},
	} {
		if got := Preview(&Tool{Preview: test.template}, test.arguments, hush); got != test.want {
			t.Errorf("%q of %s:\n got %q\nwant %q", test.template, test.arguments, got, test.want)
		}
	}
}

// TestVisible: what can't be seen is written out, whatever Unicode takes it for.
func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"a\u202eb\u200b\u2066\u00ad\ufeff\x1b":    `a\u202eb\u200b\u2066\u00ad\ufeff\u001b`,
		"pay\u3164\u115f\u1160\uffa0\u17b4":       `pay\u3164\u115f\u1160\uffa0\u17b4`,       // letters that have no ink
		"x\u2800y\u00a0z":                         `x\u2800y\u00a0z`,                         // spaces that are none
		"m\ufe00\ufe0f\u034f\U000e0100\U000e0041": `m\ufe00\ufe0f\u034f\U000e0100\U000e0041`, // marks that carry messages
		"Zoë 東京 ❤ e\u0301\n":                      "Zoë 東京 ❤ e\u0301 ",
	} {
		if got := Visible(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestExhibit(t *testing.T) {
	got := Exhibit("{\"to\":\"evil\u202egpj\\u200b\",\"n\":1.50,\"auth\":{\"password\":\"hunter2\"},\"none\":[],\"note\":\"sk-live-123456\"}", hush)
	want := "{\n  \"to\": \"evil\\u202egpj\\u200b\",\n  \"n\": 1.50,\n  \"auth\": {\n    \"password\": \"[redacted]\"\n  },\n  \"none\": [],\n  \"note\": \"[redacted]\"\n}"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := Exhibit("no \u200bJSON", nil); got != `no \u200bJSON` {
		t.Errorf("got %q", got)
	}
}
