package remote

import "testing"

// What is quoted of a provider has no secret in it, and what is no secret is left
// as it is.
func TestQuote(t *testing.T) {
	p := Place{Secrets: []string{"sk-0123456789abcdef", "1", ""}}
	for message, want := range map[string]string{
		"max_tokens: 128001 > 128000":         "max_tokens: 128001 > 128000",
		"wrong key sk-0123456789abcdef":       "wrong key [key]",
		"wrong key sk-012345…cdef":            "wrong key [key]…cdef",
		"two\n lines":                         "two lines",
		"not \xff UTF-8":                      "not � UTF-8",
		"a=sk-0123456789abcdef&b=456789abcde": "a=[key]&b=[key]",
	} {
		if got := p.Quote(message); got != want {
			t.Errorf("%q is quoted as %q, want %q", message, got, want)
		}
	}
}
