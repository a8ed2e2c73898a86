package mcp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

const (
	separator = "__" // between a server's name and its tool's
	maxLabel  = 24
	maxName   = 64 // of a tool, as internal/tool has it
)

// hidden are characters that a person doesn't see and a model reads: they can
// carry instructions past whoever looks at a description. Beside those that
// Unicode calls formats and controls (zero width, bidirectional, tags) there are
// fillers, blanks without width, and selectors of variants.
var hidden = &unicode.RangeTable{
	R16: []unicode.Range16{
		{Lo: 0x034f, Hi: 0x034f, Stride: 1}, {Lo: 0x115f, Hi: 0x1160, Stride: 1}, {Lo: 0x17b4, Hi: 0x17b5, Stride: 1},
		{Lo: 0x180b, Hi: 0x180f, Stride: 1}, {Lo: 0x2028, Hi: 0x2029, Stride: 1}, {Lo: 0x2800, Hi: 0x2800, Stride: 1},
		{Lo: 0x3164, Hi: 0x3164, Stride: 1}, {Lo: 0xfe00, Hi: 0xfe0f, Stride: 1}, {Lo: 0xffa0, Hi: 0xffa0, Stride: 1},
		{Lo: 0xfff0, Hi: 0xfffc, Stride: 1},
	},
	R32: []unicode.Range32{{Lo: 0xe0000, Hi: 0xe0fff, Stride: 1}},
}

func invisible(r rune) bool {
	if r == '\n' || r == '\t' {
		return false
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, hidden)
}

// clean returns text as a person sees it.
func clean(text string) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if invisible(r) {
			return -1
		}
		return r
	}, text)
}

// prose are the keywords of a schema whose values are words for the reader.
var prose = []string{"description", "title", "$comment"}

// errHidden says that a schema can't be cleaned: what is hidden is part of its
// meaning.
var errHidden = errors.New("its schema has invisible characters in a name or a value")

// cleanSchema removes invisible characters from the descriptions in a schema. In
// all other places they would change what the schema means, so it is refused.
func cleanSchema(value any, words bool) (any, error) {
	var err error
	switch value := value.(type) {
	case map[string]any:
		for name, part := range value {
			if strings.ContainsFunc(name, invisible) {
				return nil, errHidden
			}
			_, text := part.(string) // a property may be called description, too
			isProse := text && (name == prose[0] || name == prose[1] || name == prose[2])
			if value[name], err = cleanSchema(part, isProse); err != nil {
				return nil, err
			}
		}
	case []any:
		for i := range value {
			if value[i], err = cleanSchema(value[i], false); err != nil {
				return nil, err
			}
		}
	case string:
		if words {
			return clean(value), nil
		}
		if strings.ContainsFunc(value, invisible) {
			return nil, errHidden
		}
	case json.Number, float64, bool, nil:
	}
	return value, nil
}

// label makes the name of a server that a request has named: legal, short, and
// without the separator.
func label(text string) string {
	text = legal(clean(text), false)
	for strings.Contains(text, separator) {
		text = strings.ReplaceAll(text, separator, "_")
	}
	text = strings.Trim(text, "_-")
	return strings.TrimRight(text[:min(len(text), maxLabel)], "_-")
}

// legal replaces what may not be in a tool's name. Dots are for tools alone.
func legal(text string, dots bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-', r == '.' && dots:
			return r
		}
		return '_'
	}, text)
}

// toolNames gives each of a server's tools its name here, and no two the same. One
// whose own name had to be changed gets a digest of it if it would else be taken for
// another.
func toolNames(server string, remotes []string) map[string]string {
	count := map[string]int{}
	plain := make(map[string]string, len(remotes))
	for _, remote := range remotes {
		plain[remote] = legal(clean(remote), true)
		count[plain[remote]]++
	}
	room := maxName - len(server) - len(separator)
	names, taken := make(map[string]string, len(remotes)), map[string]bool{}
	var changed []string
	for _, remote := range remotes {
		name := plain[remote]
		if (count[name] > 1 && name != remote) || len(name) > room || name == "" {
			changed = append(changed, remote)
			continue
		}
		names[remote], taken[name] = server+separator+name, true
	}
	for _, remote := range changed {
		name := digested(plain[remote], remote, room)
		for n := 2; taken[name]; n++ { // a tool may have been named like a digest on purpose
			name = digested(plain[remote], fmt.Sprintf("%s\x00%d", remote, n), room)
		}
		names[remote], taken[name] = server+separator+name, true
	}
	return names
}

// digested is a name with a digest behind it, cut to the room that there is.
func digested(name, of string, room int) string {
	sum := sha256.Sum256([]byte(of))
	suffix := "_" + hex.EncodeToString(sum[:4])
	return name[:min(len(name), room-len(suffix))] + suffix
}
