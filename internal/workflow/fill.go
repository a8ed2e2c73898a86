package workflow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// placeholder stands for the value of a parameter.
var placeholder = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// mapStrings changes the strings of a JSON text that are values, at any depth, and
// leaves all else as it is: names, order, the digits of numbers. change gets the
// name of the outermost object's member that a string is in.
func mapStrings(text json.RawMessage, change func(member, text string) string) (json.RawMessage, error) {
	in := jsontext.NewDecoder(bytes.NewReader(text))
	var out bytes.Buffer
	to := jsontext.NewEncoder(&out)
	member := ""
	for {
		kind, count := in.StackIndex(in.StackDepth())
		isName := kind == '{' && count%2 == 0
		depth := in.StackDepth()
		token, err := in.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && depth == 0:
			return bytes.TrimSpace(out.Bytes()), nil
		case err != nil:
			return nil, fmt.Errorf("reading a recorded call: %w", err)
		case isName && depth == 1 && token.Kind() == '"':
			member = token.String()
		case !isName && token.Kind() == '"':
			token = jsontext.String(change(member, token.String()))
		}
		if err := to.WriteToken(token); err != nil {
			return nil, fmt.Errorf("writing a recorded call: %w", err)
		}
	}
}

// isURL reports whether the whole text is a URL of the web.
func isURL(text string) bool {
	return (strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")) && !strings.ContainsFunc(text, unicode.IsSpace)
}

// Fill puts values into a text. In a URL, a value that is not its beginning is
// escaped as its place demands: it can't become another host or one more parameter.
// A placeholder without a value stays.
func Fill(text string, values map[string]Text) string {
	places := placeholder.FindAllStringSubmatchIndex(text, -1)
	if places == nil {
		return text
	}
	var out strings.Builder
	inURL := !strings.ContainsFunc(placeholder.ReplaceAllString(text, ""), unicode.IsSpace)
	end := 0
	for _, at := range places {
		value, known := values[text[at[2]:at[3]]]
		if !known {
			continue
		}
		out.WriteString(text[end:at[0]])
		so := out.String()
		switch {
		case !inURL || !isURL(so):
			out.WriteString(string(value))
		case strings.Contains(so, "?"):
			out.WriteString(url.QueryEscape(string(value)))
		default:
			out.WriteString(placed(string(value), so))
		}
		end = at[1]
	}
	out.WriteString(text[end:])
	return out.String()
}

// lift puts placeholders where a text has the values of the parameters: the longest
// first, and of a URL what stands in it escaped.
func lift(text string, parameters []Parameter, exact func(*Parameter) bool) string {
	if text == "" {
		return text
	}
	order := make([]*Parameter, 0, len(parameters))
	for i := range parameters {
		if p := &parameters[i]; p.Example != "" && (exact == nil || exact(p)) {
			order = append(order, p)
		}
	}
	slices.SortStableFunc(order, func(a, b *Parameter) int { return cmp.Compare(len(b.Example), len(a.Example)) })
	var out strings.Builder
	address := isURL(text)
next:
	for at := 0; at < len(text); {
		for _, p := range order {
			for _, form := range forms(string(p.Example), text[:at], address) {
				if strings.HasPrefix(text[at:], form) && stands(p, text, at, at+len(form)) {
					out.WriteString("{{ " + p.Name + " }}")
					at += len(form)
					continue next
				}
			}
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		out.WriteString(text[at : at+size])
		at += size
	}
	return out.String()
}

// forms are how a value may be written behind the beginning of a text.
func forms(value, before string, address bool) []string {
	switch {
	case !address || !isURL(before):
		return []string{value}
	case strings.Contains(before, "?"):
		return []string{url.QueryEscape(value), strings.ReplaceAll(url.QueryEscape(value), "+", "%20")}
	}
	return []string{placed(value, before)}
}

// placed is a value as it may stand in a URL before its query. In front of the path it
// must not have an @, which would make a name and a password of what stands before.
func placed(value, before string) string {
	escaped := url.PathEscape(value)
	if _, authority, _ := strings.Cut(before, "://"); !strings.Contains(authority, "/") {
		escaped = strings.ReplaceAll(escaped, "@", "%40")
	}
	return escaped
}

// stands reports whether a find is the value and not a part of something else. A
// short value, or a number, has to stand for itself: 1 is not meant in 2013.
func stands(p *Parameter, text string, from, to int) bool {
	if !brief(p) {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	after, _ := utf8.DecodeRuneInString(text[to:])
	return !wordly(before) && !wordly(after)
}

func wordly(r rune) bool { return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r)) }

// brief reports whether a value is found by chance all over a page.
func brief(p *Parameter) bool {
	return utf8.RuneCountInString(string(p.Example)) < 3 || p.Type == "number" || p.Type == "boolean"
}

// inLocator are the parameters of a call that say where on the page it acts.
func inLocator(member string) bool {
	return member == "xpath" || member == "element"
}

// Complete makes a template of what FromRun has taken: see Generalise.
func (t *Template) Complete(parameters []Parameter) error {
	if err := t.Generalise(parameters); err != nil {
		return err
	}
	t.finish(Result)
	return nil
}

// Generalise puts the parameters' placeholders into the prompt and into every
// recorded string that has their values. A parameter whose placeholder is in a
// recorded text already gets another name.
func (t *Template) Generalise(parameters []Parameter) error {
	said := t.placeholders()
	named := map[string]bool{"result": true}
	for i := range parameters {
		p := &parameters[i]
		p.Name = unused(p.Name, func(name string) bool { return said[name] || named[name] })
		named[p.Name] = true
	}
	t.Parameters = append([]Parameter{}, parameters...)
	t.Prompt = lift(t.Prompt, parameters, nil)
	return t.each(func(member, text string) string {
		if inLocator(member) {
			return lift(text, parameters, func(p *Parameter) bool { return !brief(p) })
		}
		return lift(text, parameters, nil)
	})
}

// placeholders are the names of those that are in the recorded strings.
func (t *Template) placeholders() map[string]bool {
	found := map[string]bool{}
	note := func(text string) {
		for _, match := range placeholder.FindAllStringSubmatch(text, -1) {
			found[match[1]] = true
		}
	}
	note(t.Prompt)
	_ = t.each(func(_, text string) string { note(text); return text }) // a text that can't be read is found when it is changed
	return found
}

// each changes every recorded string but the prompt and the names of actions.
func (t *Template) each(change func(member, text string) string) error {
	for s := range t.Steps {
		step := &t.Steps[s]
		step.Description = change("", step.Description)
		for i := range step.Actions {
			a := &step.Actions[i]
			params, err := mapStrings(a.Params, change)
			if err != nil {
				return err
			}
			a.Params = params
			if a.Extracted != nil {
				text := change("", *a.Extracted)
				a.Extracted = &text
			}
		}
	}
	return nil
}
