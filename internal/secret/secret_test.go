package secret

import (
	"slices"
	"testing"
)

func TestForms(t *testing.T) {
	forms := Forms("k+1/a&b c")
	for _, want := range []string{
		"k+1/a&b c",
		"aysxL2EmYiBj",                                          // base64
		"k%2B1%2Fa%26b+c", "k%2B1%2Fa%26b%20c", "k+1%2Fa&b%20c", // Go's three
		"k%2B1/a%26b%20c",                      // Python's
		"k%2b1%2fa%26b+c", "k%2b1%2fa%26b%20c", // .NET's
		`k+1/a\u0026b c`, `k+1\/a&b c`, `aysxL2EmYiBj`, // in JSON
	} {
		if !slices.Contains(forms, want) {
			t.Errorf("%q is missing in %q", want, forms)
		}
	}
	for i := 1; i < len(forms); i++ {
		if len(forms[i]) > len(forms[i-1]) || forms[i] == forms[i-1] {
			t.Errorf("%q comes before %q", forms[i-1], forms[i])
		}
	}
	if plain := Forms("abcdef"); !slices.Equal(plain, []string{"YWJjZGVm", "abcdef"}) {
		t.Errorf("a plain value has the forms %q", plain)
	}
	if padded := Forms("abcdefg"); !slices.Equal(padded, []string{"YWJjZGVmZw==", "YWJjZGVmZw", "abcdefg"}) {
		t.Errorf("a padded one has %q", padded)
	}
}
