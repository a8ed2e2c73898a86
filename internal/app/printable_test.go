package app

import "testing"

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain, 請求, é\u00a0\U0001F468\u200d\U0001F469": "plain, 請求, é\u00a0\U0001F468\u200d\U0001F469",
		"two\nlines\tof":                "two\nlines\tof",
		"\x1b[2Jgone\x07\x7f\u009b1m":   "[2Jgone1m",
		"evil\u202egpj.exe":             `evil\u202egpj.exe`,
		"a\u2067b\u2069c\u200fd\u061ce": `a\u2067b\u2069c\u200fd\u061ce`,
		"no\u200bthing\ufeff\u00ad":     `no\u200bthing\ufeff\u00ad`,
		"tag\U000e0041\U000f0000":       `tag\U000e0041\U000f0000`,
		"line\u2028line":                `line\u2028line`,
		"pay\u3164\u2800\ufe01 ❤\ufe0f": `pay\u3164\u2800\ufe01 ❤` + "\ufe0f",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
