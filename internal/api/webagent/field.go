package webagent

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// isNull reports whether a key is not there, or says nothing.
func isNull(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// readText reads a string; nil for null.
func readText(text json.RawMessage, f *faults, loc ...any) *string {
	if isNull(text) {
		return nil
	}
	var value string
	if json.Unmarshal(text, &value) != nil {
		f.add("string_type", "Input should be a valid string", text, nil, append([]any{"body"}, loc...)...)
		return nil
	}
	return &value
}

// readBool reads a boolean as leniently as the API's framework does; nil for null.
func readBool(text json.RawMessage, f *faults, loc ...any) *bool {
	if isNull(text) {
		return nil
	}
	yes, no := true, false
	word := strings.ToLower(string(text))
	if text[0] == '"' {
		var said string
		if json.Unmarshal(text, &said) == nil {
			word = strings.ToLower(said)
		}
	}
	switch word {
	case "true", "1", "on", "t", "y", "yes", "1.0":
		return &yes
	case "false", "0", "off", "f", "n", "no", "0.0":
		return &no
	}
	if text[0] == '[' || text[0] == '{' {
		f.add("bool_type", "Input should be a valid boolean", text, nil, append([]any{"body"}, loc...)...)
	} else {
		f.add("bool_parsing", "Input should be a valid boolean, unable to interpret input", text, nil, append([]any{"body"}, loc...)...)
	}
	return nil
}

// minPrompt is how many characters a prompt has at least; the document's number.
const minPrompt = 3

func readPrompt(text json.RawMessage, most int, f *faults) *string {
	prompt := readText(text, f, "prompt")
	if prompt == nil {
		return nil
	}
	switch length := utf8.RuneCountInString(*prompt); {
	case length < minPrompt:
		f.add("string_too_short", "String should have at least 3 characters", text, map[string]any{"min_length": minPrompt}, "body", "prompt")
	case length > most:
		f.add("string_too_long", "String should have at most "+itoa(most)+" characters", text, map[string]any{"max_length": most}, "body", "prompt")
	case strings.TrimSpace(*prompt) == "":
		f.value("the prompt must say what to do", text, "prompt")
	default:
		return prompt
	}
	return nil
}

// providers are those that the document names.
func providers() []string {
	return []string{"openai", "deepseek", "anthropic", "google", "groq", "mistral", "together"}
}

func readProvider(text json.RawMessage, f *faults) *string {
	return readEnum(text, providers(), f, "provider")
}

// readEnum reads one of several words; nil for null.
func readEnum(text json.RawMessage, words []string, f *faults, loc ...any) *string {
	if isNull(text) {
		return nil
	}
	var value string
	if json.Unmarshal(text, &value) == nil {
		for _, word := range words {
			if value == word {
				return &value
			}
		}
	}
	last := len(words) - 1
	expected := "'" + strings.Join(words[:last], "', '") + "' or '" + words[last] + "'"
	f.add("enum", "Input should be "+expected, text, map[string]any{"expected": expected}, append([]any{"body"}, loc...)...)
	return nil
}
