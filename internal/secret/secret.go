// Package secret knows in which forms a secret may stand in a text, so that whoever
// cuts secrets out of what others say finds them.
//
// It promises the value itself, its base64 in the usual alphabets, its URL encodings as
// the common languages write them, and the ways in which it stands in JSON; each form
// once, longer ones first, so that none is cut out of the middle of another. A secret
// within a longer text that was then encoded is not among them: nobody can list those.
//
// To have another form found, edit Forms.
package secret

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var percent = regexp.MustCompile(`%[0-9A-F]{2}`)

// Forms returns the forms of a value, which must not be empty.
func Forms(value string) []string {
	raw := []byte(value)
	forms := []string{
		value,
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw),
	}
	query := url.QueryEscape(value)
	for _, encoded := range []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(value)} {
		for _, one := range []string{encoded, strings.ReplaceAll(encoded, "%2F", "/")} { // a slash is left by many
			forms = append(forms, one, percent.ReplaceAllStringFunc(one, strings.ToLower))
		}
	}
	for _, form := range slices.Clone(forms) {
		forms = append(forms, quoted(form), strings.ReplaceAll(form, "/", `\/`)) // the latter as PHP writes it
	}
	slices.SortFunc(forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(forms)
}

// quoted is a text as it stands in JSON, between the quotes.
func quoted(text string) string {
	written, err := json.Marshal(text)
	if err != nil {
		return text // a text is always encoded
	}
	return string(written[1 : len(written)-1])
}
