package native

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"errand/internal/run"
	"errand/internal/schema"
)

// warningBody is something in a call's arguments that a person may not see, or may take
// for something else.
type warningBody struct {
	Kind       string   `json:"kind"`       // hidden_characters, mixed_scripts
	Path       string   `json:"path"`       // RFC 6901; of a key, that of its value
	Characters []string `json:"characters"` // U+200B, each once
	Count      int      `json:"count"`
}

// maxWarnings bounds what is told of one call: who has so many needs no more.
const maxWarnings = 50

// warningsOf looks through all texts of the arguments, keys included.
func warningsOf(arguments string) []warningBody {
	all := []warningBody{}
	if schema.Sound([]byte(arguments)) != nil { // it is shown, and looked through, as text
		return warn(all, "", arguments)
	}
	var value any
	if json.Unmarshal([]byte(arguments), &value) != nil {
		return warn(all, "", arguments)
	}
	return look(all, "", value)
}

func look(all []warningBody, path string, value any) []warningBody {
	switch v := value.(type) {
	case string:
		return warn(all, path, v)
	case []any:
		for i := range v {
			all = look(all, path+"/"+strconv.Itoa(i), v[i])
		}
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			at := path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
			all = look(warn(all, at, name), at, v[name])
		}
	}
	return all
}

func warn(all []warningBody, path, text string) []warningBody {
	var hidden []rune
	for _, r := range text {
		if run.Hidden(r) && !harmless(r) {
			hidden = append(hidden, r)
		}
	}
	for _, found := range []struct {
		kind  string
		runes []rune
	}{{"hidden_characters", hidden}, {"mixed_scripts", lookalikes(text)}} {
		if len(found.runes) > 0 && len(all) < maxWarnings {
			all = append(all, warningBody{Kind: found.kind, Path: path, Characters: codes(found.runes), Count: len(found.runes)})
		}
	}
	return all
}

// harmless characters are seen as what they are: a gap.
func harmless(r rune) bool {
	return r == '\n' || r == '\r' || r == '\t' || r == '\u00a0' || r == '\u202f'
}

// lookalikes are the letters of words that have letters of the Latin script and of
// another one that has letters of the same shape.
func lookalikes(text string) []rune {
	var found []rune
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }) {
		var others []rune
		latin := false
		for _, r := range word {
			switch {
			case unicode.Is(unicode.Latin, r):
				latin = true
			case unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee):
				others = append(others, r)
			}
		}
		if latin {
			found = append(found, others...)
		}
	}
	return found
}

func codes(runes []rune) []string {
	var names []string
	for _, r := range runes {
		if name := fmt.Sprintf("U+%04X", r); !slices.Contains(names, name) && len(names) < maxWarnings {
			names = append(names, name)
		}
	}
	return names
}
