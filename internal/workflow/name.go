package workflow

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ExtractionSchema is what a model answers that is asked which parts of a prompt
// are parameters.
func ExtractionSchema() json.RawMessage {
	return json.RawMessage(`{"type":"object","properties":{"parameters":{"type":"array","items":{"type":"object","properties":{` +
		`"name":{"type":"string"},"description":{"type":"string"},"type":{"type":"string","enum":["string","number","boolean","url"]},"exampleValue":{"type":"string"}},` +
		`"required":["name","description","type","exampleValue"],"additionalProperties":false}}},"required":["parameters"],"additionalProperties":false}`)
}

// ExtractionRequest asks a model which parts of the prompt are parameters.
func ExtractionRequest(prompt string) string {
	return "Below is a task that was carried out once and is to be carried out again with other values. Find its parameters: " +
		"the parts that a person would change from one time to the next, such as what is searched for, a name, a number, an address. " +
		"Leave out what makes the task this task. For each give a name in camelCase, what it is, its type (string, number, boolean or url), " +
		"and as exampleValue the part itself, letter for letter as it stands in the task. Answer with JSON: " +
		`{"parameters":[{"name":…,"description":…,"type":…,"exampleValue":…}]}.` + "\n\nThe task:\n" + prompt
}

// ReadExtraction takes from a model's answer the parameters that can be ones: those
// that stand in the prompt.
func ReadExtraction(answer []byte, prompt string) ([]Parameter, error) {
	var said struct {
		Parameters []Parameter `json:"parameters"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return nil, fmt.Errorf("reading the parameters of a prompt: %w", err)
	}
	kept := []Parameter{}
	for _, p := range said.Parameters {
		known := slices.ContainsFunc(kept, func(k Parameter) bool { return k.Name == p.Name || k.Example == p.Example })
		if p.Example == "" || known || len(kept) == maxParameters || !parameterName.MatchString(p.Name) || !strings.Contains(prompt, string(p.Example)) {
			continue
		}
		if !slices.Contains(types(), p.Type) || !fits(p.Type, p.Example) {
			p.Type = "string"
		}
		kept = append(kept, p)
	}
	return kept, nil
}

// maxPhrase bounds how many words a guessed value has.
const maxPhrase = 12

// maxWords bounds how many words of a prompt are looked at.
const maxWords = 400

// word is a run of characters without spaces and without the marks around it.
var word = regexp.MustCompile(`[^\s"'“”‘’«»(),;!?]+`)

// common are words that stand in a prompt and on every page.
var common = regexp.MustCompile(`(?i)^(the|and|for|with|from|into|that|this|page|site|search|open|click|find|then|first|shop|website|http|https|www)$`)

// Guess finds parameters without a model: the longest parts of the prompt that
// were handed to a tool as they stand.
func (t *Template) Guess() []Parameter {
	words := word.FindAllStringIndex(t.Prompt, maxWords)
	used := make([]bool, len(words))
	found := []Parameter{}
	for size := min(maxPhrase, len(words)); size > 0; size-- {
		for i := 0; i+size <= len(words) && len(found) < maxParameters; i++ {
			if slices.Contains(used[i:i+size], true) {
				continue
			}
			value := strings.TrimRight(t.Prompt[words[i][0]:words[i+size-1][1]], ".:")
			if size == 1 && (common.MatchString(value) || utf8.RuneCountInString(value) < 3 && !fits("number", Text(value))) {
				continue
			}
			p := Parameter{Type: typeOf(value), Example: Text(value)}
			if p.Name = t.givenTo(&p); p.Name == "" || slices.ContainsFunc(found, func(f Parameter) bool { return f.Example == p.Example }) {
				continue
			}
			p.Description = "What the task gives as " + p.Name
			p.Name = unused(p.Name, func(name string) bool {
				return slices.ContainsFunc(found, func(f Parameter) bool { return f.Name == name })
			})
			found = append(found, p)
			for n := i; n < i+size; n++ {
				used[n] = true
			}
		}
	}
	return found
}

// givenTo is the name of the first argument that has the value, or "".
func (t *Template) givenTo(p *Parameter) string {
	given := ""
	for s := range t.Steps {
		for i := range t.Steps[s].Actions {
			a := &t.Steps[s].Actions[i]
			if a.Name == Done {
				continue
			}
			_, _ = mapStrings(a.Params, func(member, text string) string { // one that can't be read has nothing in it
				if given == "" && !inLocator(member) && parameterName.MatchString(member) && lift(text, []Parameter{*p}, nil) != text {
					given = member
				}
				return text
			})
		}
	}
	return given
}

func typeOf(value string) string {
	switch {
	case fits("url", Text(value)):
		return "url"
	case fits("number", Text(value)):
		return "number"
	}
	return "string"
}

// fits reports whether a value is of a type.
func fits(kind string, value Text) bool {
	switch kind {
	case "number":
		_, err := strconv.ParseFloat(string(value), 64)
		return err == nil && json.Valid([]byte(value))
	case "boolean":
		return value == "true" || value == "false"
	case "url":
		u, err := url.Parse(string(value))
		return err == nil && u.Host != "" && isURL(string(value))
	}
	return true
}
