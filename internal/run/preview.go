package run

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a person sees of a call. It is made here, from the arguments that will be
// sent, and never by the model. Secrets are masked in what is shown alone.

// maxPreview is how many characters a preview has at most.
const maxPreview = 200

// masked stands for a secret in what people see.
const masked = "[redacted]"

// Preview is a call in one line for the person who decides: the tool's template
// filled in from the arguments, or the arguments themselves. mask takes known
// secrets out; nil = there are none.
func Preview(tool *Tool, arguments string, mask func(string) string) string {
	view := view{mask: mask}
	var values map[string]json.RawMessage
	if json.Unmarshal([]byte(arguments), &values) != nil {
		return clip(Visible(view.text(arguments)))
	}
	if tool.Preview == "" {
		return clip(Visible(view.list(values)))
	}
	var out strings.Builder
	rest := tool.Preview
	for {
		before, after, found := strings.Cut(rest, "{{")
		out.WriteString(before)
		name, following, closed := strings.Cut(after, "}}")
		if !found || !closed {
			break
		}
		name = strings.TrimSpace(name)
		out.WriteString(view.plain(name, values[name]))
		rest = following
	}
	return clip(Visible(out.String()))
}

// Exhibit is all that a call would send, in lines, as a person decides on it:
// JSON with its secrets masked and nothing in it that can't be seen.
func Exhibit(arguments string, mask func(string) string) string {
	view := view{mask: mask}
	whole := view.json("", json.RawMessage(arguments))
	var out bytes.Buffer
	if json.Indent(&out, whole, "", "  ") != nil {
		return Visible(view.text(arguments))
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// view shows values without the secrets in them.
type view struct{ mask func(string) string }

func (v view) text(text string) string {
	if v.mask == nil {
		return text
	}
	return v.mask(text)
}

func (v view) list(values map[string]json.RawMessage) string {
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		names[i] = v.text(name) + ": " + v.plain(name, values[name])
	}
	return strings.Join(names, ", ")
}

// plain shows a JSON value without its quotes: strings as they are, lists joined
// by commas, anything else as JSON.
func (v view) plain(name string, value json.RawMessage) string {
	var text string
	var list []json.RawMessage
	switch {
	case len(value) == 0:
		return ""
	case hides(name, value):
		return masked
	case json.Unmarshal(value, &text) == nil:
		return v.text(text)
	case json.Unmarshal(value, &list) != nil:
		return string(v.json(name, value))
	}
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = v.plain(name, list[i])
	}
	return strings.Join(parts, ", ")
}

// json returns a value with its secrets masked and all else byte for byte: numbers
// keep their digits and objects their order.
func (v view) json(name string, value json.RawMessage) json.RawMessage {
	if hides(name, value) {
		return json.RawMessage(`"` + masked + `"`)
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	open, err := decoder.Token()
	delim, compound := open.(json.Delim)
	if err != nil || !compound {
		if text, is := open.(string); is && v.text(text) != text {
			quoted, _ := json.Marshal(v.text(text)) // a string always has a JSON form
			return quoted
		}
		return value
	}
	var out bytes.Buffer
	out.WriteString(delim.String())
	for first := true; decoder.More(); first = false {
		if !first {
			out.WriteByte(',')
		}
		inner := name
		if delim == '{' {
			key, err := decoder.Token()
			text, is := key.(string)
			if err != nil || !is {
				return value
			}
			inner = text
			quoted, _ := json.Marshal(v.text(text))
			out.Write(append(quoted, ':'))
		}
		var part json.RawMessage
		if decoder.Decode(&part) != nil {
			return value
		}
		out.Write(v.json(inner, part))
	}
	out.WriteByte(delim.String()[0] + 2) // ] and } come two after [ and {
	return out.Bytes()
}

// hides reports whether an argument is a secret by its name. A value that is not
// there, or that can't be one, is shown: that it is missing is worth seeing.
func hides(name string, value json.RawMessage) bool {
	switch text := string(bytes.TrimSpace(value)); {
	case text == "", text == "null", text == "true", text == "false", text == `""`:
		return false
	}
	words := wordsOf(name)
	if len(words) == 0 {
		return false
	}
	last, before := words[len(words)-1], ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	switch last {
	case "password", "passwd", "pwd", "passphrase", "passcode", "secret", "secrets", "authorization", "credential", "credentials", "apikey", "cookie", "cvv", "cvc", "jwt":
		return true
	case "token", "tokens":
		return !slices.Contains([]string{"max", "page", "next", "continuation", "sync"}, before)
	case "key":
		return slices.Contains([]string{"api", "private", "secret", "access", "signing", "encryption"}, before)
	}
	return false
}

// wordsOf splits a name at case, digits and signs: apiKey, api_key and API-Key alike.
func wordsOf(name string) []string {
	var words []string
	var word strings.Builder
	end := func() {
		if word.Len() > 0 {
			words = append(words, strings.ToLower(word.String()))
			word.Reset()
		}
	}
	lower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r):
			end()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			end()
		}
		word.WriteRune(r)
		lower = unicode.IsLower(r)
	}
	end()
	return words
}

// Visible writes characters that a person can't see, or that reorder what they
// see, as escapes: what is approved is what is read.
func Visible(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t':
			out.WriteByte(' ')
		case !Hidden(r):
			out.WriteRune(r)
		case r > 0xFFFF:
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}

// brailleBlank is a sign without a single dot.
const brailleBlank = '\u2800'

// Hidden reports whether a character can't be seen, looks like a space and is none, or
// turns the text around. To Unicode some of them are letters and marks: the fillers of
// Hangul, and variation selectors, in which whole messages have been hidden.
func Hidden(r rune) bool {
	return !unicode.IsPrint(r) || r == brailleBlank ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func clip(text string) string {
	if utf8.RuneCountInString(text) <= maxPreview {
		return text
	}
	runes := []rune(text)
	return string(runes[:maxPreview-1]) + "…"
}
